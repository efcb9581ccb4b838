"""An experiment: task, machine and training, complete and typed."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax

from softmachine.choices import check_choices
from softmachine.machines.machine import Machine
from softmachine.machines.ntm import NTMConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.tasks.associative_recall import AssociativeRecall
from softmachine.tasks.copy import Copy
from softmachine.tasks.ngrams import NGrams
from softmachine.tasks.priority_sort import PrioritySort
from softmachine.tasks.repeat_copy import RepeatCopy
from softmachine.training.curricula import Curriculum, Uniform
from softmachine.training.optimizers import OptimizerConfig

MachineConfig = NTMConfig | RecurrentConfig
TaskConfig = Copy | RepeatCopy | AssociativeRecall | NGrams | PrioritySort


@dataclasses.dataclass(frozen=True, kw_only=True)
class SolvedConfig:
    """When a run counts as solved and stops early."""

    sequences: int = 1000
    """Fresh sequences, sizes uniform over the curriculum's whole range."""
    error: float = 0.0
    """Largest mean error per sequence, in the task's own measure (wrong bits, ...)."""
    bits: float = 0.05
    """Largest mean cross-entropy per sequence, in bits."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train."""

    seed: int = 0
    batch: int = 4
    """Sequences per update."""
    max_sequences: int = 250_000
    optimizer: OptimizerConfig = OptimizerConfig()
    curriculum: Curriculum = Uniform()
    memory_rows: tuple[int, ...] = ()
    """Numbers of memory rows that the updates take in turn; none: the machine's own. With
    few rows among them a machine learns what to do when its memory is nearly
    full. Validation and everything after training use the machine's own rows."""
    solved: SolvedConfig | None = SolvedConfig()
    """None: train for ``max_sequences`` whatever happens."""
    validate_every: int = 2_000
    """Sequences between validations; also between lines of the metrics."""
    checkpoint_every: int = 20_000
    """Sequences between checkpoints."""
    on_nonfinite: Literal["stop", "skip"] = "stop"
    """What to do when loss or gradient is not finite: stop and say where, or leave that
    update out and count it."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_choices(self)
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"training seed must be in 0..2**31 - 1, not {self.seed}")
        for name in ("batch", "max_sequences", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"training {name} must be at least 1, not {getattr(self, name)}"
                )

    @property
    def last_update(self) -> int:
        """How many updates there are at most."""
        return -(-self.max_sequences // self.batch)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that determines a run."""

    recipe: str
    """Name of the recipe it came from."""
    task: TaskConfig
    machine: MachineConfig
    training: TrainingConfig

    def with_seed(self, seed: int) -> Experiment:
        """Return the same experiment with another seed."""
        return dataclasses.replace(self, training=dataclasses.replace(self.training, seed=seed))

    def build_machine(self) -> Machine:
        """Return the machine with its first parameters, drawn from the seed."""
        key = jax.random.fold_in(jax.random.key(self.training.seed), 0)
        return self.machine.build(self.task.input_size, self.task.output_size, key=key)

    def machines_for_updates(self, machine: Machine) -> list[Machine]:
        """Return the machine with each of the memories that it has during updates.

        Raises ValueError if it cannot have one of them, or if the largest examples of the
        curriculum do not fit into it.
        """
        chosen = self.training.memory_rows
        machines = [machine.with_memory_rows(rows) for rows in chosen] if chosen else [machine]
        smallest, largest = self.training.curriculum.smallest, self.training.curriculum.largest
        if smallest < self.task.smallest:
            raise ValueError(
                f"training curriculum.smallest must be at least {self.task.smallest} for this "
                f"task, not {smallest}"
            )
        needed = self.task.items(largest)
        for rows in [machine.memory_rows for machine in machines]:
            if rows is not None and needed > rows:
                raise ValueError(
                    f"size {largest} needs {needed} memory rows, training has {rows}"
                )
        return machines
