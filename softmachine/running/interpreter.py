"""Running a programmer-interpreter: its core, a stack of calls, and the environment it acts on.

The core decides, a step at a time; all that it calls happens here. A primitive acts on the
environment, and the core goes on. Any other program begins with a state of zeros, and the
caller's state waits on the stack until it ends. A call that is also the caller's end takes the
caller's place, so that a program that ends by calling itself never grows the stack.

Many environments are run side by side, in lanes: a step of the core is one compiled program for
all lanes, whatever programs they are in.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import numpy as np

from softmachine.core import compiling
from softmachine.core.choices import Count, check_fields
from softmachine.machines.machine import Cell
from softmachine.tasks.traced.environment import FailureError
from softmachine.tasks.traced.interface import Interface

NOTHING = 0
"""The program that calls nothing."""


@runtime_checkable
class Environment(Protocol):
    """What a core acts on, in the numbers of its `Interface`.

    One of `softmachine.tasks.traced.environment`, or of several kinds one that is `Adapted`.
    """

    def seen(self) -> tuple[int, ...]:
        """Return what is observed, as indices of values."""
        ...

    def perform(self, program: int, arguments: Sequence[int]) -> None:
        """Do what a primitive does; raise FailureError if it cannot be done."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may take; a learned program can go on for ever."""

    steps: Count = 1_000_000
    """Steps of the core."""
    depth: Count = 10_000
    """Calls on the stack."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)


class Frame(NamedTuple):
    """One call under way."""

    program: int
    arguments: tuple[int, ...]
    """-1 for those that it does not take."""
    state: np.ndarray | None = None
    """The core's state, of a caller that waits."""


class Step(NamedTuple):
    """One step of a run, for those who watch."""

    depth: int
    """Calls below this one on the stack."""
    frame: Frame
    observation: tuple[int, ...]
    decision: tuple[int, ...]
    """Whether to end, the program, its arguments."""
    logits: np.ndarray


@dataclasses.dataclass
class Run:
    """One environment's run: what became of it."""

    environment: Environment
    steps: int = 0
    """Steps of the core taken."""
    deepest: int = 0
    """The most calls on the stack at once."""
    failure: str | None = None
    """Why it did not end by itself; None if it did."""


class _Lane:
    """An environment under way: the call that runs, and its callers below it."""

    def __init__(self, number: int, run: Run, main: Frame) -> None:
        self.number, self.run, self.frame = number, run, main
        self.callers: list[Frame] = []
        self.ended = False

    def follow(
        self, end: int, program: int, arguments: tuple[int, ...], primitive: bool
    ) -> Literal["goes on", "calls", "returns"]:
        """Do what the core decided; return what becomes of its state.

        It goes on from the state it has, begins at zeros, or takes up its caller's, which is
        then that of ``frame``. Raises `FailureError` if a primitive does.
        """
        if program != NOTHING and not primitive:
            if not end:
                self.callers.append(self.frame)
            self.frame = Frame(program, arguments)
            return "calls"
        if program != NOTHING:
            self.run.environment.perform(program, arguments)
        if not end:
            return "goes on"
        if self.callers:
            self.frame = self.callers.pop()
        else:
            self.ended = True
        return "returns"


class Interpreter:
    """A core and its programs, ready to run on environments."""

    def __init__(self, machine: Cell, interface: Interface) -> None:
        """Make an interpreter of a core that sees and decides what an interface says."""
        seen, calls = interface.seen, interface.calls
        self.machine = machine
        self.primitives = interface.primitives
        self.places = len(calls.arguments)
        self.zeros = np.asarray(machine.init_state(None))
        arrays, static = eqx.partition(machine, eqx.is_array)

        def step(arrays, states, places):
            core = eqx.combine(arrays, static)
            encoded = core.encode(seen.one_hot(places))
            states, features = jax.vmap(core.advance)(states, encoded)
            logits = core.decode(features)
            return states, logits, calls.decide(logits)

        # A program for each number of lanes, which are powers of 4; they go with this object.
        self._compiled = jax.jit(step, compiler_options=compiling.options())
        self._arrays = arrays

    def run(
        self,
        environments: Iterable[Environment],
        main: int,
        arguments: Sequence[int] = (),
        *,
        limits: Limits = Limits(),
        lanes: int = 256,
        watch: Callable[[int, Step], None] | None = None,
    ) -> list[Run]:
        """Run a program on each environment, and return what became of each, in their order.

        Arguments:
            environments: these are acted on. As many as there are ``lanes`` are run at a time,
                others taken as they end.
            main: the program that is called first, by its index.
            arguments: its arguments, by their indices.
            limits: what each run may take.
            lanes: how many run side by side.
            watch: called with the number of the environment and each of its steps.
        """
        main_frame = Frame(main, self._filled(arguments))
        runs: list[Run] = []

        def lane(environment: Environment) -> _Lane:
            runs.append(Run(environment))
            return _Lane(len(runs) - 1, runs[-1], main_frame)

        waiting = map(lane, environments)
        live = list(itertools.islice(waiting, lanes))
        states = self._fresh(len(live))
        while live:
            states = self._step(live, states, limits, watch)
            if any(lane.ended for lane in live):
                states = states[[i for i, lane in enumerate(live) if not lane.ended]]
                live = [lane for lane in live if not lane.ended]
                live += itertools.islice(waiting, lanes - len(live))
                states = np.concatenate([states, self._fresh(len(live))[len(states) :]])
        return runs

    def _fresh(self, lanes: int) -> np.ndarray:
        """Return the states in which calls begin, as many as a step for so many lanes has."""
        return np.broadcast_to(self.zeros, (_width(lanes), *self.zeros.shape))

    def _filled(self, arguments: Sequence[int]) -> tuple[int, ...]:
        """Return arguments with -1 for the places that are not taken."""
        return (*arguments, *[-1] * (self.places - len(arguments)))

    def _step(
        self,
        live: Sequence[_Lane],
        states: np.ndarray,
        limits: Limits,
        watch: Callable[[int, Step], None] | None,
    ) -> np.ndarray:
        """Take a step in all lanes; return the states in which the next begins."""
        observations = [lane.run.environment.seen() for lane in live]
        rows = [
            (*seen, *lane.frame.arguments, lane.frame.program)
            for seen, lane in zip(observations, live, strict=True)
        ]
        rows += rows[:1] * (len(states) - len(rows))
        next_states, logits, decided = self._compiled(
            self._arrays, states, np.asarray(rows, np.int32)
        )
        states, decisions = np.array(next_states), np.asarray(decided).tolist()
        logits = None if watch is None else np.asarray(logits)
        for i, (lane, (end, program, *arguments)) in enumerate(
            zip(live, decisions[: len(live)], strict=True)
        ):
            if watch is not None and logits is not None:
                seen, depth = observations[i], len(lane.callers)
                decision = (end, program, *arguments)
                watch(lane.number, Step(depth, lane.frame, seen, decision, logits[i]))
            calls = program != NOTHING and not self.primitives[program]
            if calls and not end:
                lane.frame = lane.frame._replace(state=states[i].copy())
            try:
                then = lane.follow(end, program, tuple(arguments), self.primitives[program])
            except FailureError as failure:
                lane.run.failure, lane.ended = str(failure), True
                continue
            if then == "calls":
                states[i] = 0
            elif then == "returns" and not lane.ended:
                states[i] = lane.frame.state
            self._note(lane, limits)
        return states

    def _note(self, lane: _Lane, limits: Limits) -> None:
        """Count a step; end the run if it has taken what it may."""
        run = lane.run
        run.steps += 1
        run.deepest = max(run.deepest, len(lane.callers) + 1)
        if lane.ended:
            return
        if run.steps >= limits.steps:
            run.failure = f"it has not ended after {limits.steps:,} steps"
        elif len(lane.callers) >= limits.depth:
            run.failure = f"{limits.depth:,} calls wait for others to end"
        lane.ended = run.failure is not None


def _width(lanes: int) -> int:
    """Return the number of lanes that a step is compiled for: a power of 4."""
    width = 1
    while width < lanes:
        width *= 4
    return width
