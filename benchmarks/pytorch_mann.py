"""The MANN of one-shot learning in PyTorch, as fast as plain PyTorch lets it be.

The same equations as `softmachine.machines.mann.MANN` with the choices of the recipe
``mann-glyphs``: an LSTM controller, vectors written that are not the keys, own least used rows,
one row erased, learned key strengths, written before read. Fast by the means of
``pytorch_rival.py``: no loop but the one over time; inputs and outputs outside of it; all heads
at once; the batch in every product. Optionally the step is compiled.

Shapes: B episodes, T steps, N memory rows, M memory columns, H heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from pytorch_rival import prepare_torch, torch_facts
from torch import Tensor, nn
from torch.nn import functional
from workload import OneShot

INITIAL_MEMORY = 1e-6
FIRST_KEY_STRENGTH = 10.0
SIMILARITY_SMOOTHING = 1e-8
READY_BATCHES = 8


class State(NamedTuple):
    """What the machine carries from step to step."""

    hidden: Tensor
    """(B, hidden)."""
    cell: Tensor
    """(B, hidden)."""
    memory: Tensor
    """(B, M, N): the long axis is contiguous."""
    read_weights: Tensor
    """(B, H, N)."""
    usage: Tensor
    """(B, N), without a gradient."""
    reads: Tensor
    """(B, H M)."""


class RivalMANN(nn.Module):
    """A memory-augmented network (Santoro et al. 2016, arXiv 1605.06065), batch included."""

    def __init__(self, workload: OneShot, *, compiled: bool = False) -> None:
        """Draw parameters; ``compiled`` hands the step to ``torch.compile``."""
        super().__init__()
        self.workload = workload
        hidden, heads = workload.hidden, workload.heads
        vectors = heads * workload.memory_columns
        self.head_sizes = (vectors, heads, heads, vectors)
        self.from_input = nn.Linear(workload.inputs, 4 * hidden)
        self.recurrent = nn.Linear(vectors + hidden, 4 * hidden, bias=False)
        self.heads = nn.Linear(hidden, sum(self.head_sizes))
        with torch.no_grad():
            self.heads.bias.zero_()
            self.heads.bias[vectors + heads : vectors + 2 * heads] = FIRST_KEY_STRENGTH - 1
        self.output = nn.Linear(hidden + vectors, workload.names)
        self.initial_controller = nn.Parameter(torch.zeros(2, hidden))
        self._step = torch.compile(self.step, dynamic=False) if compiled else self.step

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (T, B, inputs) to output logits (T, B, names)."""
        state = self.initial_state(inputs.shape[1])
        features = []
        for projected in self.from_input(inputs).unbind(0):
            state = self._step(state, projected)
            features.append(torch.cat([state.hidden, state.reads], dim=1))
        return self.output(torch.stack(features))

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step: all rows the same, row 0 read and used."""
        sizes = self.workload
        first_row = functional.one_hot(torch.tensor(0), sizes.memory_rows).float()
        hidden, cell = self.initial_controller.unsqueeze(1).repeat(1, batch, 1).unbind(0)
        return State(
            hidden=hidden,
            cell=cell,
            memory=torch.full((batch, sizes.memory_columns, sizes.memory_rows), INITIAL_MEMORY),
            read_weights=first_row.repeat(batch, sizes.heads, 1),
            usage=first_row.repeat(batch, 1),
            reads=torch.zeros(batch, sizes.heads * sizes.memory_columns),
        )

    def step(self, state: State, projected: Tensor) -> State:
        """Take one step; ``projected`` (B, 4 hidden) is the input's share of the gates."""
        hidden, cell = self.control(state, projected)
        keys, gates, strengths, adds = self.head_parameters(hidden)
        least_used = self.least_used(state.usage)
        writing = torch.lerp(least_used, state.read_weights, gates)
        kept = state.memory * (1 - least_used[:, :1])
        memory = torch.baddbmm(kept, adds.transpose(1, 2), writing)
        reading = address(memory, keys, strengths)
        reads = torch.bmm(reading, memory.transpose(1, 2)).flatten(1)
        with torch.no_grad():
            used = self.workload.usage_decay * state.usage + reading.sum(1) + writing.sum(1)
        return State(hidden, cell, memory, reading, used, reads)

    def control(self, state: State, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Advance the LSTM; its gates are packed as input, forget, output, candidate."""
        seen = torch.cat([state.reads, state.hidden], dim=1)
        packed = torch.addmm(projected, seen, self.recurrent.weight.t())
        width = state.hidden.shape[1]
        enter, keep, show = torch.sigmoid(packed[:, : 3 * width]).chunk(3, dim=1)
        cell = keep * state.cell + enter * torch.tanh(packed[:, 3 * width :])
        return show * torch.tanh(cell), cell

    def head_parameters(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return keys (B, H, M), gates and strengths (B, H, 1), and adds (B, H, M)."""
        keys, gates, strengths, adds = self.heads(hidden).split(self.head_sizes, dim=1)
        vectors = (self.workload.heads, self.workload.memory_columns)
        return (
            torch.tanh(keys).unflatten(1, vectors),
            torch.sigmoid(gates).unsqueeze(-1),
            (1 + functional.softplus(strengths)).unsqueeze(-1),
            torch.tanh(adds).unflatten(1, vectors),
        )

    def least_used(self, usage: Tensor) -> Tensor:
        """Return a least used row for each head (B, H, N), one-hot; of equals the first."""
        with torch.no_grad():
            order = torch.sort(usage, dim=1, stable=True).indices[:, : self.workload.heads]
            places = torch.arange(usage.shape[1])
            return (order.unsqueeze(-1) == places).to(usage.dtype)


def address(memory: Tensor, keys: Tensor, strengths: Tensor) -> Tensor:
    """Return the read weights (B, H, N): where each head finds what is like its key."""
    squares = keys.square().sum(-1, keepdim=True) * memory.square().sum(1, keepdim=True)
    similarity = torch.bmm(keys, memory) * torch.rsqrt(squares + SIMILARITY_SMOOTHING)
    return torch.softmax(strengths * similarity, dim=-1)


def load_parameters(model: RivalMANN, parameters: Mapping[str, np.ndarray]) -> None:
    """Take over the parameters of a softmachine MANN of the same sizes.

    ``parameters`` come from `softmachine_side.mann_parameters`. Raises RuntimeError, naming
    the parameter, if one is missing, unknown or of the wrong shape.
    """
    model.load_state_dict({name: torch.tensor(x) for name, x in parameters.items()})


def naming_loss(model: RivalMANN, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of names (T, B), summed over episodes, averaged over the batch.

    ``inputs``: (T, B, inputs).
    """
    logits = model(inputs)
    total = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    return total / targets.shape[1]


def ready_batches(workload: OneShot) -> list[tuple[Tensor, Tensor]]:
    """Return batches of the form of episodes: what they hold makes no difference in time."""
    shape = (workload.steps, workload.batch)
    batches = []
    for _ in range(READY_BATCHES):
        targets = torch.randint(workload.names, shape)
        told = functional.one_hot(targets, workload.names).float()
        told = torch.cat([torch.zeros_like(told[:1]), told[:-1]])
        images = torch.rand(*shape, workload.inputs - workload.names)
        batches.append((torch.cat([images, told], dim=-1), targets))
    return batches


class MANNTrainer:
    """Trains the rival on batches made beforehand; a contender of the benchmark."""

    def __init__(self, workload: OneShot, *, compiled: bool) -> None:
        """Build model, optimiser and batches."""
        prepare_torch(workload.cores)
        self.workload = workload
        self.batches = ready_batches(workload)
        self.model = RivalMANN(workload, compiled=compiled)
        self.parameters = list(self.model.parameters())
        self.optimiser = torch.optim.Adam(
            self.parameters, lr=workload.learning_rate, fused=True
        )
        self.facts = torch_facts(self.parameters) | {
            "training": "ready-made batches, Adam (fused), "
            + ("compiled step" if compiled else "eager")
        }

    def run(self, updates: int) -> float:
        """Make that many updates and return the last loss."""
        for i in range(updates):
            inputs, targets = self.batches[i % READY_BATCHES]
            self.optimiser.zero_grad(set_to_none=True)
            loss = naming_loss(self.model, inputs, targets)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, self.workload.gradient_norm)
            self.optimiser.step()
        return loss.item()
