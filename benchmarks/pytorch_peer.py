"""The public implementation loudinthecloud/pytorch-ntm as a contender.

Its core modules run as they are, from a checkout; its own ``train.py`` and ``tasks/`` do
not start on today's PyTorch, so the training loop is ours: same data, same loss, and
Adam with norm clipping like everybody else (its own copy task has RMSprop with value
clipping). Its model differs a little: random fixed first memory, unclipped head values.
"""

from __future__ import annotations

import sys

import torch
from checkouts import commit
from pytorch_rival import prepare_torch, sample_copy, torch_facts
from torch import nn
from torch.nn import functional
from workload import Workload


class PytorchNTMTrainer:
    """Trains the public model, one call per step as its own training does."""

    def __init__(self, workload: Workload) -> None:
        """Build model and optimiser from the checkout at ``workload.peer_path``."""
        sys.path.insert(0, workload.peer_path)
        from ntm.aio import EncapsulatedNTM

        prepare_torch(workload.torch_threads)
        self.workload = workload
        self.model = EncapsulatedNTM(
            num_inputs=workload.inputs,
            num_outputs=workload.bits,
            controller_size=workload.hidden,
            controller_layers=1,
            num_heads=1,
            N=workload.memory_rows,
            M=workload.memory_columns,
        )
        self.parameters = list(self.model.parameters())
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
            inputs, targets = sample_copy(workload.batch, workload.length, workload.bits)
            self.optimiser.zero_grad(set_to_none=True)
            self.model.init_sequence(workload.batch)
            for x in inputs[: workload.length + 1]:
                self.model(x)
            outputs = torch.stack([self.model()[0] for _ in range(workload.length)])
            total = functional.binary_cross_entropy(outputs, targets, reduction="sum")
            loss = total / workload.batch
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, workload.gradient_norm)
            self.optimiser.step()
        return loss.item()
