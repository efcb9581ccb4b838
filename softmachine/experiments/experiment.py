"""An experiment: task, machine and training, complete and typed."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from softmachine.core.choices import (
    LARGEST_INT,
    Bounds,
    Count,
    Natural,
    NonNegative,
    check_fields,
)
from softmachine.experiments.curricula import Curriculum, Uniform
from softmachine.experiments.objectives import NRAMLoss, Objective, TaskLoss
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.settings import Restart, Search, Settings
from softmachine.machines.machine import Machine, MachineConfig
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.running.keeping import ALL_STATES, EveryKth, Keep, SquareRoot
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.task import Task
from softmachine.wiring.search import WireSearch


@dataclasses.dataclass(frozen=True, kw_only=True)
class SolvedTest:
    """No mistake on larger examples with every choice made hard, and soft."""

    largest: Count = 50
    """Sizes are uniform from the curriculum's smallest up to this."""
    examples: Count = 1000
    soft: bool = True
    """Whether the machine as it is must make no mistake either."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SolvedConfig:
    """When a run counts as solved; it ends early once its bits are that few as well."""

    sequences: Count = 1000
    """Fresh sequences, sizes uniform over the curriculum's whole range."""
    error: NonNegative = 0.0
    """Largest mean error per sequence, in the task's own measure (wrong bits, ...)."""
    bits: NonNegative | None = 0.05
    """Largest mean cross-entropy per sequence, in bits; None: any."""
    test: SolvedTest | None = None
    """What a run that meets all this has to pass before it counts as solved."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train."""

    seed: Natural = 0
    batch: Count = 4
    """Sequences per update."""
    max_sequences: Annotated[int, Bounds(least=1, most=10**15)] = 250_000
    settle: Count | None = None
    """How many validations there are, from the first that finds no mistake, until training
    ends. With each of them the learning rate falls, along a half cosine on top of the
    optimiser's schedule, and where one finds mistakes training goes back to the parameters
    that validated best: what was right stays right. None: the schedule alone decides."""
    optimizer: OptimizerConfig = OptimizerConfig()
    curriculum: Curriculum = Uniform()
    memory_rows: tuple[Count, ...] = ()
    """Numbers of memory rows that the updates take in turn; none: the machine's own. With
    few rows among them a machine learns what to do when its memory is nearly
    full. Validation and everything after training use the machine's own rows."""
    keep_every: Count | None = 1
    """How many steps apart the states are that are kept for gradients. With more than 1 a long
    run of a large memory takes less room, and each step is computed once more; None: as far
    apart as takes least room."""
    solved: SolvedConfig | None = SolvedConfig()
    """None: train for ``max_sequences`` whatever happens."""
    validate_every: Count = 2_000
    """Sequences between validations; also between lines of the metrics."""
    checkpoint_every: Count = 20_000
    """Sequences between checkpoints."""
    objective: Objective = TaskLoss()
    gradient_noise: NonNegative = 0.0
    """Standard deviation, at an attempt's first update, of Gaussian noise that is added to
    the gradient after clipping; it falls with (1 + update)^-0.275. Source: Neelakantan et
    al. 2015 (arXiv 1511.06807), Eq. 1."""
    search: Search = Search()
    """Settings that each member draws for itself."""
    restarts: tuple[Restart, ...] = ()
    """When a member starts anew."""
    wire_search: WireSearch | None = None
    """When wires of an NRAM's hard form are searched, and written into its parameters."""
    enough: Count | None = None
    """A population ends once so many members are solved; None: when all have ended."""
    on_nonfinite: Literal["stop", "skip"] = "stop"
    """What to do when loss or gradient is not finite: stop and say where, or leave that
    update out and count it."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        if self.settle is not None and self.solved is None:
            raise ValueError("training settle needs solved, which says what a mistake is")
        if self.last_update > LARGEST_INT:
            raise ValueError(
                f"training max_sequences must be at most {LARGEST_INT:,} updates, not "
                f"{self.last_update:,}"
            )

    @property
    def keep(self) -> Keep:
        """What of a run is kept for gradients."""
        if self.keep_every is None:
            return SquareRoot()
        return ALL_STATES if self.keep_every == 1 else EveryKth(self.keep_every)

    @property
    def noisy(self) -> bool:
        """Whether gradients get noise."""
        return self.gradient_noise > 0 or self.search.gradient_noise is not None

    @property
    def last_update(self) -> int:
        """How many updates there are at most."""
        return -(-self.max_sequences // self.batch)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that determines a run."""

    recipe: str
    """Name of the recipe it came from."""
    task: Task
    machine: MachineConfig
    training: TrainingConfig

    def with_seed(self, seed: int) -> Experiment:
        """Return the same experiment with another seed."""
        return dataclasses.replace(self, training=dataclasses.replace(self.training, seed=seed))

    def __post_init__(self) -> None:
        """Check that machine, task and objective belong together."""
        machine = self.machine
        memory, nram = isinstance(self.task, MemoryTask), isinstance(machine, NRAMConfig)
        if memory != nram:
            raise ValueError(
                f"task {type(self.task).__name__} needs "
                + ("an NRAM" if memory else "a machine with an input per step")
                + f", not {type(self.machine).__name__}"
            )
        if isinstance(self.training.objective, NRAMLoss) and not nram:
            raise ValueError("objective NRAMLoss needs an NRAM")
        without_state = isinstance(machine, NRAMConfig) and machine.controller.kind == "mlp"
        if self.training.wire_search is not None and not without_state:
            raise ValueError("training wire_search needs an NRAM with an mlp controller")
        solved, curriculum = self.training.solved, self.training.curriculum
        if solved is None or solved.test is None:
            return
        if not nram:
            raise ValueError("solved test, of a machine made hard, needs an NRAM")
        if solved.test.largest < curriculum.smallest:
            raise ValueError(
                f"solved test largest must be at least {curriculum.smallest}, the smallest "
                f"size trained on; not {solved.test.largest}"
            )

    def build_machine(self, attempt: int = 0) -> Machine:
        """Return the machine with its first parameters, drawn from the seed."""
        key = jax.random.fold_in(jax.random.key(self.training.seed), 0)
        if attempt:
            key = jax.random.fold_in(key, attempt)
        return self.machine.build(self.task.input_size, self.task.output_size, key=key)

    def settings(self, attempt: int = 0) -> Settings:
        """Return what an attempt trains with, drawn from the seed."""
        training = self.training
        own = Settings(
            jnp.asarray(training.optimizer.learning_rate, jnp.float32),
            jnp.asarray(training.gradient_noise, jnp.float32),
            jnp.asarray(training.objective.entropy_bonus, jnp.float32),
            jnp.zeros((), jnp.int32),
        )
        key = jax.random.fold_in(jax.random.key(training.seed), 3)
        return training.search.draw(jax.random.fold_in(key, attempt), own)

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
