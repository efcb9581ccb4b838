"""The public implementation ixaxaar/pytorch-dnc as a contender.

Its ``dnc`` package runs as it is, from a checkout; the training loop is ours: same data, same
loss, Adam with norm clipping. It has as many outputs as inputs, as this task does. Its model
differs a little from ours: keys and written vectors go through a tanh, there is no learned
first state; and as its code stands, what is read goes into the outputs and not into the
controller's next input, which is less work.
"""

from __future__ import annotations

import sys

import torch
from checkouts import commit
from pytorch_rival import prepare_torch, torch_facts
from torch import nn
from torch.nn import functional
from workload import DNCWork


class PytorchDNCTrainer:
    """Trains the public model, a whole sequence per call as its own examples do."""

    def __init__(self, workload: DNCWork) -> None:
        """Build model and optimiser from the checkout at ``workload.peer_path``."""
        sys.path.insert(0, workload.peer_path)
        from dnc import DNC

        prepare_torch()
        self.workload = workload
        self.model = DNC(
            input_size=workload.bits + 1,
            hidden_size=workload.hidden,
            rnn_type="lstm",
            num_layers=1,
            num_hidden_layers=1,
            nr_cells=workload.memory_rows,
            cell_size=workload.memory_columns,
            read_heads=workload.read_heads,
            batch_first=True,
        )
        self.parameters = [x for x in self.model.parameters() if x.requires_grad]
        self.optimiser = torch.optim.Adam(
            self.parameters, lr=workload.learning_rate, fused=True
        )
        self.facts = torch_facts(self.parameters) | {
            "training": "Adam (fused), eager",
            "commit": commit(workload.peer_path),
        }

    def run(self, updates: int) -> float:
        """Make that many updates and return the last loss."""
        workload = self.workload
        for _ in range(updates):
            inputs, targets = sample(workload)
            self.optimiser.zero_grad(set_to_none=True)
            outputs, _ = self.model(inputs, None, reset_experience=True)
            # Steps come first in what it returns, whatever it is told.
            said = outputs[-len(targets) :]
            total = functional.binary_cross_entropy_with_logits(said, targets, reduction="sum")
            loss = total / workload.batch
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, workload.gradient_norm)
            self.optimiser.step()
        return loss.item()


def sample(workload: DNCWork) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs (B, 2 length + 2, bits + 1) and targets (length + 1, B, bits + 1)."""
    batch, length, bits = workload.batch, workload.length, workload.bits
    vectors = torch.randint(0, 2, (batch, length, bits)).float()
    inputs = torch.zeros(batch, 2 * length + 2, bits + 1)
    inputs[:, :length, :bits] = vectors
    inputs[:, length, bits] = 1
    targets = torch.zeros(length + 1, batch, bits + 1)
    targets[:length, :, :bits] = vectors.transpose(0, 1)
    targets[length, :, bits] = 1
    return inputs, targets
