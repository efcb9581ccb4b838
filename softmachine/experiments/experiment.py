"""An experiment: task, machine and training, complete and typed."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from softmachine.core.choices import (
    LARGEST_INT,
    Bounds,
    Count,
    Decay,
    Natural,
    NonNegative,
    check_fields,
)
from softmachine.core.randomness import Branch, branch_key
from softmachine.core.specs.spec import Spec, Stream, Whole
from softmachine.experiments.curricula import Curriculum, Uniform
from softmachine.experiments.objectives import Objective, TaskLoss
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.phases import Phase
from softmachine.experiments.settings import OF_OBJECTIVE, Search, Settings
from softmachine.machines.machine import Machine, MachineConfig
from softmachine.running.keeping import ALL_STATES, EveryKth, Keep, SquareRoot
from softmachine.tasks.task import Task

AnyPhase = TypeVar("AnyPhase", bound=Phase)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SolvedConfig:
    """When a run is solved (`error`), and when it stops early (`bits`).

    Phases may ask for more, such as an exam.
    """

    sequences: Count = 1000
    """Fresh sequences, sizes uniform over the curriculum's whole range."""
    error: NonNegative = 0.0
    """Largest mean error per sequence, in the task's own measure (wrong bits, ...)."""
    bits: NonNegative | None = 0.05
    """Largest mean cross-entropy per sequence, in bits; None: any."""

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
    optimizer: OptimizerConfig = OptimizerConfig()
    curriculum: Curriculum = Uniform()
    memory_rows: tuple[Count, ...] = ()
    """Numbers of memory rows that the updates take in turn; none: the machine's own. With
    few rows among them a machine learns what to do when its memory is nearly
    full. Validation and everything after training use the machine's own rows."""
    keep_every: Count | None = 1
    """The state before every k-th step is stored for gradients. With k > 1 a long run of a
    large memory takes less room, and each step is computed once more; None: the k that takes
    least room."""
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
    noise_by_error: bool = False
    """Whether the noise is multiplied by the share of the batch's examples with a mistake, as
    in Kaiser & Sutskever 2016 (arXiv 1511.08228), section 2.2; there it falls with the fourth
    root of time, here with the power 0.275, as all gradient noise."""
    averaging: Decay = 0.0
    """Decay rate, per update, of running averages of the parameters. If it is not 0, it is the
    averages that are validated, examined and saved. Source: Polyak & Juditsky 1992."""
    search: Search = Search()
    """Settings that each member draws for itself."""
    phases: tuple[Phase, ...] = ()
    """What happens to members besides their updates, in the order in which it is asked for."""
    enough: Count | None = None
    """A population ends once this many members are solved; None: when all have ended."""
    on_nonfinite: Literal["stop", "skip"] = "stop"
    """What to do when loss or gradient is not finite: stop and say where, or leave that
    update out and count it."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        kinds = [type(phase) for phase in self.phases]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise ValueError(
                    f"training phases must differ in kind: two are {kind.__name__}"
                )
        if self.noise_by_error and not self.noisy:
            raise ValueError(
                "training noise_by_error needs gradient_noise, which it multiplies"
            )
        if self.last_update > LARGEST_INT:
            raise ValueError(
                f"training max_sequences must be at most {LARGEST_INT:,} updates, not "
                f"{self.last_update:,}"
            )

    def phase(self, kind: type[AnyPhase]) -> AnyPhase | None:
        """Return the phase of a kind; None if there is none."""
        return next((phase for phase in self.phases if isinstance(phase, kind)), None)

    @property
    def several_attempts(self) -> bool:
        """Whether members may begin again."""
        return any(phase.gives_up for phase in self.phases)

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


Number = int | Int[Array, ""]
"""A number that may be traced."""


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
        """Check that machine, task, objective and phases belong together."""
        check_fields(self)
        task, machine = self.task, self.machine
        if not machine.fits(task.inputs, task.outputs):
            raise ValueError(
                f"task {type(task).__name__} gives {_told(task.inputs)} and wants "
                f"{_told(task.outputs)}; {type(machine).__name__} works {machine.works}"
            )
        if self.training.noise_by_error and "perfect" not in task.shares:
            raise ValueError(
                f"training noise_by_error needs a task that tells which examples are perfect, "
                f"not {type(task).__name__}"
            )
        for part in (self.training.objective, *self.training.phases):
            part.check(self)

    def build_machine(
        self, attempt: Number | None = None, seed: Number | None = None
    ) -> Machine:
        """Return the machine with its first parameters, drawn from the seed.

        Arguments:
            attempt: number of a later attempt, which draws others; None for the first.
            seed: another seed than the training's own; like ``attempt`` it may be traced.
        """
        seed = self.training.seed if seed is None else seed
        key = branch_key(seed, Branch.PARAMETERS)
        if attempt is not None:
            key = jax.random.fold_in(key, attempt)
        return self.machine.build(self.task.input_size, self.task.output_size, key=key)

    def settings(self, attempt: Number = 0, seed: Number | None = None) -> Settings:
        """Return what an attempt trains with, drawn from the seed; see `build_machine`."""
        training = self.training
        key = branch_key(training.seed if seed is None else seed, Branch.SETTINGS)
        key = jax.random.fold_in(key, attempt)
        own = Settings(
            jnp.asarray(training.optimizer.learning_rate, jnp.float32),
            jnp.asarray(training.gradient_noise, jnp.float32),
            jnp.zeros((), jnp.int32),
            training.objective.draw(jax.random.fold_in(key, OF_OBJECTIVE)),
        )
        return training.search.draw(key, own)

    def machines_for_updates(self, machine: Machine) -> list[Machine]:
        """Return one machine per entry of `memory_rows`, which updates cycle through.

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


def _told(values: Stream[Spec] | Whole[Spec]) -> str:
    """Describe inputs or outputs in words: 'bits step by step'."""
    when = "step by step" if values.per_step else "as a whole"
    return f"{type(values.spec).__name__.lower()} {when}"
