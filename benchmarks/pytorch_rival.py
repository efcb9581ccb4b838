"""A Neural Turing Machine in PyTorch, as fast as plain PyTorch lets it be.

The same equations as `softmachine.machines.ntm.ntm.NTM` with one read and one write head and
the order ``read-write`` or ``address-write-read``. What makes it fast: no loop but the
one over time; the input's share of the gates before that loop and the output layer after
it, each one matrix product; both heads' parameters from one layer and both heads
addressed together; fused multiply-adds for the write. Optionally the step is compiled.

Shapes: B sequences, T steps, N memory rows, M memory columns; head 0 reads, 1 writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from workload import Workload

HEADS = 2
SHIFTS = 3
INITIAL_MEMORY = 1e-6
HEAD_CLIP = 20.0
NORM_SMOOTHING = 1e-6
WEIGHT_FLOOR = 1e-12


class State(NamedTuple):
    """What the machine carries from step to step."""

    hidden: Tensor
    """(B, hidden)."""
    cell: Tensor
    """(B, hidden)."""
    memory: Tensor
    """(B, M, N): the long axis is contiguous."""
    weightings: Tensor
    """(B, 2, N)."""
    read: Tensor
    """(B, M)."""


class RivalNTM(nn.Module):
    """A Neural Turing Machine (Graves et al. 2014, arXiv 1410.5401), batch included."""

    def __init__(self, workload: Workload, *, compiled: bool = False) -> None:
        """Draw parameters; ``compiled`` hands the step to ``torch.compile``."""
        super().__init__()
        hidden, columns = workload.hidden, workload.memory_columns
        self.columns = columns
        self.rows = workload.memory_rows
        self.order = workload.order
        self.head_sizes = (
            HEADS * columns,
            HEADS,
            HEADS,
            HEADS,
            HEADS * SHIFTS,
            columns,
            columns,
        )
        self.from_input = nn.Linear(workload.inputs, 4 * hidden)
        self.recurrent = nn.Linear(columns + hidden, 4 * hidden, bias=False)
        self.heads = nn.Linear(hidden, sum(self.head_sizes))
        self.output = nn.Linear(hidden + columns, workload.bits)
        self.initial_controller = nn.Parameter(torch.zeros(2, hidden))
        self.initial_weightings = nn.Parameter(torch.randn(HEADS, self.rows))
        self._step = torch.compile(self.step, dynamic=False) if compiled else self.step

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (T, B, inputs) to output logits (T, B, outputs)."""
        state = self.initial_state(inputs.shape[1])
        features = []
        for projected in self.from_input(inputs).unbind(0):
            state = self._step(state, projected)
            features.append(torch.cat([state.hidden, state.read], dim=1))
        return self.output(torch.stack(features))

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step, the same for all sequences."""
        memory = torch.full((batch, self.columns, self.rows), INITIAL_MEMORY)
        weightings = torch.softmax(self.initial_weightings, dim=-1)
        hidden, cell = self.initial_controller.unsqueeze(1).repeat(1, batch, 1).unbind(0)
        read = memory.new_zeros(batch, self.columns)
        return State(hidden, cell, memory, weightings.repeat(batch, 1, 1), read)

    def step(self, state: State, projected: Tensor) -> State:
        """Take one step; ``projected`` (B, 4 hidden) is the input's share of the gates."""
        hidden, cell = self.control(state, projected)
        keys, strengths, sharpenings, gates, shifts, erase, add = self.head_parameters(hidden)
        weightings = self.address(state, keys, strengths, gates, shifts, sharpenings)
        reading, writing = weightings.unbind(1)
        memory = write(state.memory, writing, erase, add)
        source = state.memory if self.order == "read-write" else memory
        read = torch.bmm(source, reading.unsqueeze(-1)).squeeze(-1)
        return State(hidden, cell, memory, weightings, read)

    def control(self, state: State, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Advance the LSTM; its gates are packed as input, forget, output, candidate."""
        seen = torch.cat([state.read, state.hidden], dim=1)
        packed = torch.addmm(projected, seen, self.recurrent.weight.t())
        width = state.hidden.shape[1]
        enter, keep, show = torch.sigmoid(packed[:, : 3 * width]).chunk(3, dim=1)
        cell = keep * state.cell + enter * torch.tanh(packed[:, 3 * width :])
        return show * torch.tanh(cell), cell

    def head_parameters(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return what addresses and writes, in the order in which the layer packs it."""
        values = self.heads(hidden).clamp(-HEAD_CLIP, HEAD_CLIP)
        keys, strengths, sharpenings, gates, shifts, erase, add = values.split(
            self.head_sizes, dim=1
        )
        return (
            keys.unflatten(1, (HEADS, self.columns)),
            functional.softplus(strengths),
            1 + functional.softplus(sharpenings),
            torch.sigmoid(gates),
            torch.softmax(shifts.unflatten(1, (HEADS, SHIFTS)), dim=-1),
            torch.sigmoid(erase),
            add,
        )

    def address(
        self,
        state: State,
        keys: Tensor,
        strengths: Tensor,
        gates: Tensor,
        shifts: Tensor,
        sharpenings: Tensor,
    ) -> Tensor:
        """Return the next weightings (B, 2, N) of both heads (paper, Eq. 5 to 9)."""
        memory = state.memory
        row_scale = torch.rsqrt(memory.square().sum(1, keepdim=True) + NORM_SMOOTHING)
        key_scale = torch.rsqrt(keys.square().sum(-1) + NORM_SMOOTHING)
        similarity = torch.bmm(keys, memory) * row_scale
        content = torch.softmax((strengths * key_scale).unsqueeze(-1) * similarity, dim=-1)
        gated = torch.lerp(state.weightings, content, gates.unsqueeze(-1))
        towards, stay, away = shifts.unsqueeze(-1).unbind(2)
        shifted = stay * gated
        shifted = torch.addcmul(shifted, towards, gated.roll(-1, dims=-1))
        shifted = torch.addcmul(shifted, away, gated.roll(1, dims=-1))
        logarithms = torch.log(shifted + WEIGHT_FLOOR)
        return torch.softmax(sharpenings.unsqueeze(-1) * logarithms, dim=-1)


def write(memory: Tensor, weighting: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Return the memory (B, M, N) after one head's erase and add (paper, Eq. 3 and 4)."""
    weighting = weighting.unsqueeze(1)
    erased = torch.addcmul(memory, memory, erase.unsqueeze(-1) * weighting, value=-1)
    return torch.addcmul(erased, add.unsqueeze(-1), weighting)


def load_parameters(model: RivalNTM, parameters: Mapping[str, np.ndarray]) -> None:
    """Take over the parameters of a softmachine NTM of the same sizes.

    ``parameters`` come from `softmachine_side.numpy_parameters`. Raises RuntimeError,
    naming the parameter, if one is missing, unknown or of the wrong shape.
    """
    model.load_state_dict({name: torch.tensor(x) for name, x in parameters.items()})


def sample_copy(batch: int, length: int, bits: int) -> tuple[Tensor, Tensor]:
    """Return inputs (2 length + 1, B, bits + 1) and targets (length, B, bits)."""
    words = torch.randint(0, 2, (length, batch, bits), dtype=torch.float32)
    inputs = torch.zeros(2 * length + 1, batch, bits + 1)
    inputs[:length, :, :bits] = words
    inputs[length, :, bits] = 1
    return inputs, words


def copy_loss(model: RivalNTM, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy, summed over a sequence and averaged over the batch."""
    logits = model(inputs)[-len(targets) :]
    total = functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    return total / targets.shape[1]


class TorchTrainer:
    """Trains the rival; a contender of the benchmark."""

    def __init__(self, workload: Workload, *, compiled: bool) -> None:
        """Build model and optimiser."""
        prepare_torch(workload.torch_threads)
        self.workload = workload
        self.model = RivalNTM(workload, compiled=compiled)
        self.parameters = list(self.model.parameters())
        self.optimiser = torch.optim.Adam(
            self.parameters, lr=workload.learning_rate, fused=True
        )
        self.facts = torch_facts(self.parameters) | {
            "training": "Adam (fused), " + ("compiled step" if compiled else "eager")
        }

    def run(self, updates: int) -> float:
        """Make that many updates and return the last loss."""
        workload = self.workload
        for _ in range(updates):
            inputs, targets = sample_copy(workload.batch, workload.length, workload.bits)
            self.optimiser.zero_grad(set_to_none=True)
            loss = copy_loss(self.model, inputs, targets)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, workload.gradient_norm)
            self.optimiser.step()
        return loss.item()


def prepare_torch(threads: int | None = None) -> None:
    """Seed, set threads if asked to, flush denormal numbers to zero as XLA does."""
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.set_flush_denormal(True)


def torch_facts(parameters: list[nn.Parameter]) -> dict[str, str | int]:
    """Return what the report says about a PyTorch contender."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "parameters": sum(x.numel() for x in parameters),
    }
