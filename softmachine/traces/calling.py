"""Making the trace of a run of programs: a core that has learned them, on one problem."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from softmachine.core.errors import SoftmachineError, TraceError
from softmachine.machines.machine import Cell, Machine
from softmachine.running.interpreter import Interpreter, Limits, Run, Step
from softmachine.tasks.traced.environment import Environment, FailureError, Picture
from softmachine.tasks.traced.interface import Interface
from softmachine.tasks.traced.own_code import OWN_MISTAKES, OwnCodeError
from softmachine.tasks.traced.task import TracedProblems, TracedTask
from softmachine.tasks.traced.tracing import TooLongError
from softmachine.tasks.traced.tracing import Trace as Written
from softmachine.tasks.traced.tracing import trace as trace_as_written
from softmachine.traces.calls import CallRun, CallStep, Likely, RowChange
from softmachine.traces.file import Trace
from softmachine.traces.schema import Axis, Header

MOST_STEPS = 10_000
"""The most steps of a program that is run for a trace."""
FIRST_SIZE = 6
"""The size of a problem where nobody says which."""
SHOWN = 4
"""How many choices are kept of each, the most likely ones."""
NOTABLE = 0.0005
"""How likely a choice is at least, for it to be kept beside the one that is taken."""
LONGEST = 200
"""The most letters of a result in words."""


def trace_calls(
    machine: Machine | Interpreter,
    task: TracedTask,
    size: int | None = None,
    seed: int = 0,
    *,
    kind: str | None = None,
    problem: object = None,
    source: str = "",
    recipe: str = "",
    wanted: Callable[[], bool] = lambda: True,
) -> Trace:
    """Run the programs that a core has learned on a problem, and return the trace of the run.

    Arguments:
        machine: the core; or an interpreter of it, which is compiled once for many runs.
        task: what it was trained for.
        size: of a random problem; `FIRST_SIZE` if there is no ``problem`` either.
        seed: of the random problem.
        kind: the kind of environment, for a task of several; the first by default.
        problem: a person's own, a text as the task's `problem_form` says, instead of ``size``.
        source: where the machine came from, for the title.
        recipe: the recipe it was trained with.
        wanted: called between parts of the work; if it returns False, the trace is given up.

    Raises:
        TraceError: there is no such kind or problem, it takes too many steps, or the trace is
            no longer wanted.
    """
    if size is not None and problem is not None:
        raise TraceError("a run is on a problem of a size, or on one of your own: give one")
    kind, part = _part(task, kind)
    if problem is None:
        size = FIRST_SIZE if size is None else size
        posed, written = _drawn(part, size, seed)
    else:
        posed, written = _own(part, problem)
    if not wanted():
        raise TraceError("this trace is no longer wanted")
    interpreter = interpreter_of(machine, task) if isinstance(machine, Machine) else machine
    text = part.write_problem(posed)
    run = _Recorder(task.interface, kind, text).run(interpreter, part.pose(posed), written)
    if problem is not None and not run.right and part.finite and part.domain != "every input":
        limit = f"{run.ending} A proof of this task is for {part.domain}, no others."
        run = dataclasses.replace(run, ending=limit)
    name = source or task.__class__.__name__
    of = f"problem {_short(text, 40)}" if size is None else f"size {size}, seed {seed}"
    several = f"{kind}, " if len(task.parts) > 1 else ""
    length = len(run.steps)
    header = Header(
        title=f"{name}, {several}{of}",
        machine=type(interpreter.machine).__name__,
        task=type(part).__name__,
        source=source,
        recipe=recipe,
        size=size,
        seed=None if size is None else seed,
        length=length,
        steps=tuple(range(1, length + 1)),
        axes={"step": Axis(size=length)},
        fields=(),
        example=(),
        initial=(),
        hard=None,
        circuit=None,
        pointers=(),
        scores={"wrong_answers": float(not run.right)},
        error="wrong_answers",
        calls=run,
    )
    return Trace(header, {})


def interpreter_of(machine: Machine, task: TracedTask) -> Interpreter:
    """Return an interpreter of a core; TraceError for a machine without steps."""
    if not isinstance(machine, Cell):
        raise TraceError(
            f"a {type(machine).__name__} has no steps of its own: it cannot run programs"
        )
    return Interpreter(machine, task.interface)


def _part(task: TracedTask, kind: str | None) -> tuple[str, TracedProblems]:
    kind = next(iter(task.parts)) if kind is None else kind
    if kind not in task.parts:
        raise TraceError(
            f"there are no problems of the kind {kind[:40]!r}; there are "
            f"{', '.join(task.parts)}"
        )
    return kind, task.parts[kind]


def _drawn(task: TracedProblems, size: int, seed: int) -> tuple[Any, Written]:
    """Return a random problem, and its run as written; TraceError if it is too long."""
    try:
        if size <= MOST_STEPS:
            problem = task.draw_problem(size, random.Random(seed))
            written = _as_written(task, problem)
            if written is not None:
                return problem, written
        return _too_long(task, size, seed)
    except TraceError:
        raise
    except (SoftmachineError, *OWN_MISTAKES) as error:
        raise TraceError(f"a problem of size {size:,} cannot be made: {error}") from error


def _too_long(task: TracedProblems, size: int, seed: int) -> NoReturn:
    """Raise TraceError about a size that takes too many steps."""
    fits = _largest_that_fits(task, size, seed)
    would = f"size {fits} would do" if fits >= task.smallest_problem else "no size would do"
    raise TraceError(
        f"size {size:,} takes more than {MOST_STEPS:,} steps, the most that are recorded: "
        f"{would}"
    )


def _largest_that_fits(task: TracedProblems, size: int, seed: int) -> int:
    """Return a size, the largest below one that is too large if longer ones take longer."""

    def fits(size: int) -> bool:
        return _as_written(task, task.draw_problem(size, random.Random(seed))) is not None

    low, high = task.smallest_problem - 1, task.smallest_problem or 1
    while high < size and fits(high):
        low, high = high, 2 * high
    high = min(high, size)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _own(task: TracedProblems, text: object) -> tuple[Any, Written]:
    """Return a person's problem, and its run as written; TraceError if there is none."""
    if not isinstance(text, str):
        raise TraceError(f"a problem is a text, as JSON in quotes: {task.problem_form}")
    try:
        problem = task.read_problem(text)
        written = _as_written(task, problem)
    except (SoftmachineError, *OWN_MISTAKES) as error:
        # Whatever an environment makes of what it was not made for.
        told = f"this is no problem ({error}): write {task.problem_form}"
        if isinstance(error, ValueError | SoftmachineError) and type(error) is not OwnCodeError:
            told = str(error)
        raise TraceError(told) from error
    if written is None:
        raise TraceError(
            f"this problem takes more than {MOST_STEPS:,} steps, the most that are recorded: a "
            "smaller one would do"
        )
    return problem, written


def _as_written(task: TracedProblems, problem: Any) -> Written | None:
    """Return the run of the program as it is written; None if it takes too many steps."""
    try:
        return trace_as_written(
            task.pose(problem), separate_return=task.separate_return, most=MOST_STEPS
        )
    except TooLongError:
        return None
    except FailureError as failure:
        raise TraceError(f"the program as it is written fails on this: {failure}") from failure


class _Recorder:
    """Records a run on one problem, given as text."""

    def __init__(self, interface: Interface, kind: str, text: str) -> None:
        self.interface, self.kind, self.text = interface, kind, text
        own = f"{kind}/"
        self.programs = tuple(x.removeprefix(own) for x in interface.calls.programs)
        names = interface.seen.names[: interface.observed]
        offered = len(interface.kinds) > 1
        self.shown = [i for i, x in enumerate(names) if not offered or x.startswith(own)]
        self.observed = tuple(names[i].removeprefix(own) for i in self.shown)
        self.pictures = _Pictures()
        self.steps: list[CallStep] = []
        self.decisions: list[tuple[int, ...]] = []

    def run(
        self, interpreter: Interpreter, environment: Environment, written: Written
    ) -> CallRun:
        """Run a core on an environment with the problem laid out."""
        # A run that has gone wrong is not followed much further than a right one takes.
        limits = Limits(steps=2 * sum(1 for _ in written.steps()) + 100)
        adapted = self.interface.adapted(self.kind, environment)
        main = self.interface.program(self.kind, environment.main)
        (done,) = interpreter.run(
            [adapted],
            main,
            limits=limits,
            watch=lambda _, step: self.keep(step, environment),
        )
        after = self.pictures.changes(environment.picture())
        differs, instead = self.difference(written) or (None, "")
        right = done.failure is None and environment.right()
        run = CallRun(
            kind=self.kind,
            problem=self.text,
            programs=self.programs,
            primitives=self.interface.primitives,
            arguments=self.interface.calls.arguments,
            observed=self.observed,
            values=tuple(self.interface.seen.values[i] for i in self.shown),
            rows=tuple(self.pictures.names),
            steps=tuple(self.steps),
            after=after,
            failure=done.failure,
            result=_told(environment.result()),
            expected=_told(environment.expected()),
            right=right,
            differs=differs,
            ending="",
        )
        return _with_ending(run, done, instead)

    def keep(self, step: Step, environment: Environment) -> None:
        """Keep one step, before it is done."""
        end, *call = step.decision
        frame = (step.frame.program, *step.frame.arguments)
        self.decisions.append(step.decision)
        probability, likely = self.likely(step.logits, call)
        self.steps.append(
            CallStep(
                depth=step.depth,
                call=_taken(frame),
                seen=tuple(step.observation[i] for i in self.shown),
                ends=bool(end),
                calls=_taken(call),
                end=probability,
                likely=likely,
                changes=self.pictures.changes(environment.picture()),
            )
        )

    def likely(
        self, logits: np.ndarray, call: Sequence[int]
    ) -> tuple[float, tuple[Likely, ...]]:
        """Return the probability of ending, and the most likely of each choice that counts."""
        sizes = [1, len(self.programs), *map(len, self.interface.calls.arguments)]
        end, *choices = np.split(logits.astype(np.float64), np.cumsum(sizes)[:-1])
        kept = [_most_likely(x) for x in choices[: len(_taken(call))]]
        return _rounded(1 / (1 + np.exp(-np.clip(end[0], -500, 500)))), tuple(kept)

    def difference(self, written: Written) -> tuple[int, str] | None:
        """Return the first step that decides other than what is written, and both in words."""
        for i, (ours, (_, call, number)) in enumerate(
            zip(self.decisions, written.steps(), strict=False)
        ):
            theirs = self.interface.decision(self.kind, call.decisions[number])
            if ours != theirs:
                tell = self.interface.calls.tell
                words = f"it decides {tell(theirs)}, the machine {tell(ours)}"
                return i + 1, words.replace(f"{self.kind}/", "")
        return None


class _Pictures:
    """The pictures of an environment, one after the other."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._rows: list[tuple[tuple[str, ...], Mapping[str, int]]] = []

    def changes(self, picture: Picture) -> tuple[RowChange, ...]:
        """Return what has changed since the last picture; a row that is gone is empty."""
        rows = {row.name: (tuple(map(str, row.cells)), row.pointers) for row in picture.rows}
        new = [name for name in rows if name not in self.names]
        self.names += new
        self._rows += [((), {})] * len(new)
        found = []
        for i, name in enumerate(self.names):
            now = rows.get(name, ((), {}))
            change = _change(i, self._rows[i], now)
            self._rows[i] = (now[0], dict(now[1]))
            found += [change] if change else []
        return tuple(found)


def _change(
    row: int,
    before: tuple[Sequence[str], Mapping[str, int]],
    now: tuple[Sequence[str], Mapping[str, int]],
) -> RowChange | None:
    """Return how a row's cells and pointers differ from before; None if they do not."""
    (old, was), (new, pointers) = before, now
    if old == new and was == pointers:
        return None
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = len(new)
    while len(old) == len(new) and last > first and old[last - 1] == new[last - 1]:
        last -= 1
    return RowChange(
        row=row,
        length=len(new),
        first=first,
        cells=tuple(new[first:last]),
        pointers=None if was == pointers else dict(pointers),
    )


def _with_ending(run: CallRun, done: Run, instead: str) -> CallRun:
    """Return a run with words on how it ended, and why.

    ``instead``: what is decided and what is written where these differ.
    """
    if done.failure is not None:
        last = run.steps[-1]
        words = f"Stopped at step {len(run.steps):,}, in {run.told(last.call)}: {done.failure}"
    elif run.right:
        words = f"Ended after {len(run.steps):,} steps with the right result: {run.result}"
    else:
        words = (
            f"Ended after {len(run.steps):,} steps with a wrong result: {run.result}; right is "
            f"{run.expected}"
        )
    if run.differs is not None:
        step = run.steps[run.differs - 1]
        words += (
            f". Step {run.differs:,} is the first that the program as written takes otherwise: "
            f"in {run.told(step.call)} {instead}"
        )
    return dataclasses.replace(run, ending=f"{words}.")


def _taken(call: Sequence[int]) -> tuple[int, ...]:
    """Return a call without the arguments that it does not take."""
    return tuple(x for x in call if x >= 0)


def _most_likely(logits: np.ndarray) -> Likely:
    """Return the most likely choices, the most likely first, with their probabilities."""
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:SHOWN]
    return tuple(
        (int(i), _rounded(shares[i]))
        for place, i in enumerate(order)
        if place == 0 or shares[i] >= NOTABLE
    )


def _rounded(share: float) -> float:
    """Return a probability as it is kept; 0 for that of a core that has broken down."""
    return round(float(share), 4) if np.isfinite(share) else 0.0


def _told(result: Any) -> str:
    """Return a result in words, on one line."""
    if isinstance(result, (list, tuple)):
        result = " ".join(map(str, result)) or "nothing"
    return _short(str(result), LONGEST)


def _short(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
