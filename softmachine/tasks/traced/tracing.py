"""Running programs as they are written, and the traces of calls that a core learns from."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from softmachine.core.errors import SoftmachineError
from softmachine.tasks.traced.environment import Call, Environment, FailureError

Observation = tuple[int, ...]
Decision = tuple[int, ...]
"""1 to end, else 0; the number of the program that is called; its arguments' numbers."""
Key = tuple[int, ...]
"""The number of a program that runs, and its arguments' numbers."""


class TooLongError(SoftmachineError):
    """A program has not ended after as many steps, or calls in calls, as it may take."""


Calls = dict[tuple[Key, tuple[Observation, ...]], tuple[Decision, ...]]
"""Distinct calls: what is decided, by program, arguments and observations."""


@dataclasses.dataclass
class TracedCall:
    """One call of a run, with all that it calls."""

    call: Call
    key: Key
    observations: list[Observation] = dataclasses.field(default_factory=list)
    decisions: list[Decision] = dataclasses.field(default_factory=list)
    called: list[TracedCall | Call] = dataclasses.field(default_factory=list)
    """What it calls, in order: primitives as they are, programs with all that they call."""


@dataclasses.dataclass
class Trace:
    """A run of a program from its first call to its end."""

    root: TracedCall
    environment: Environment

    def calls(self) -> Iterator[TracedCall]:
        """Return all calls of programs, callers first."""
        waiting = [self.root]
        while waiting:
            call = waiting.pop()
            yield call
            waiting += [x for x in reversed(call.called) if isinstance(x, TracedCall)]

    def steps(self) -> Iterator[tuple[int, TracedCall, int]]:
        """Return all steps in the order in which they are taken.

        Each as the number of calls that wait for its own to end, the call, and the step's
        number in the call. A call that is its caller's end takes the caller's place.
        """
        waiting = [(self.root, 0, iter(self.root.called))]
        while waiting:
            call, number, called = waiting.pop()
            yield len(waiting), call, number
            end, program, *_ = call.decisions[number]
            if not end:
                waiting.append((call, number + 1, called))
            inner = next(called) if program else None
            if isinstance(inner, TracedCall):
                waiting.append((inner, 0, iter(inner.called)))

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many calls of programs, steps of a core, and primitives there are."""
        calls = list(self.calls())
        primitives = sum(isinstance(x, Call) for call in calls for x in call.called)
        return len(calls), sum(len(call.decisions) for call in calls), primitives

    def __str__(self) -> str:
        """Return a line for each call, indented by two spaces below its caller."""
        lines, waiting = [], [(0, self.root)]
        while waiting:
            depth, call = waiting.pop()
            own = call.call if isinstance(call, TracedCall) else call
            lines.append("  " * depth + str(own))
            if isinstance(call, TracedCall):
                waiting += [(depth + 1, x) for x in reversed(call.called)]
        return "\n".join(lines)


class _Frame:
    def __init__(self, environment: Environment, call: Call) -> None:
        self.traced = TracedCall(call, environment.vocabulary.encode(call))
        self.steps: Generator[Any, None, Any] | None = environment.begin(call)


def trace(
    environment: Environment,
    main: Call | None = None,
    *,
    separate_return: bool = False,
    most: int = 1_000_000,
    deepest: int = 100_000,
) -> Trace:
    """Run a program on an environment as it is written, and return its trace.

    Arguments:
        environment: it is acted on.
        main: the first call; by default the environment's main program, without arguments.
        separate_return: whether ends are steps of their own, also where a program ends with a
            call.
        most: the most steps; TooLongError for more.
        deepest: the most calls that may wait for one another; TooLongError for more.
    """
    vocabulary = environment.vocabulary
    callees, encode = vocabulary.callees, vocabulary.encode
    nothing = (0, *[-1] * len(vocabulary.arguments))
    root = _Frame(environment, main or Call(environment.main))
    stack, taken = [root], 0
    while stack:
        frame = stack[-1]
        traced = frame.traced
        traced.observations.append(environment.seen())
        call, end = _next(frame)
        end = end and (call is None or not separate_return)
        if not isinstance(call, Call | None):
            raise SoftmachineError(
                f"{traced.call.program} gives {call!r}; a program yields and returns calls of "
                "programs and primitives, such as self.write(1)"
            )
        numbers = nothing if call is None else encode(call)
        traced.decisions.append((int(end), *numbers))
        if end:
            stack.pop()
        if call is not None:
            if callees[numbers[0]].primitive:
                traced.called.append(call)
                function = callees[numbers[0]].function
                assert function is not None
                function(environment, *call.arguments)
            else:
                stack.append(_Frame(environment, call))
                traced.called.append(stack[-1].traced)
        taken += 1
        if taken > most or len(stack) > deepest:
            often = f"{most:,} steps" if taken > most else f"{deepest:,} calls in calls"
            name = type(environment).__name__
            raise TooLongError(f"{root.traced.call} of {name} has not ended after {often}")
    return Trace(root.traced, environment)


def _next(frame: _Frame) -> tuple[Any, bool]:
    """Return the call of a program's next step, or None, and whether it then ends."""
    if frame.steps is None:
        return None, True
    try:
        return next(frame.steps), False
    except StopIteration as stop:
        frame.steps = None
        return stop.value, True


def check_replay(run: Trace, environment: Environment) -> None:
    """Raise SoftmachineError unless the primitives of a run lead to its result by themselves.

    Arguments:
        run: a run that ended right.
        environment: as the run's was before it; it is acted on.
    """
    vocabulary, waiting = environment.vocabulary, [iter(run.root.called)]
    try:
        while waiting:
            called = next(waiting[-1], None)
            if called is None:
                waiting.pop()
            elif isinstance(called, TracedCall):
                waiting.append(iter(called.called))
            else:
                numbers = vocabulary.encode(called)
                environment.perform(numbers[0], numbers[1:])
        if environment.right():
            return
        became = f"leaves {environment.result()}, which is not right"
    except (FailureError, SoftmachineError) as failure:
        became = f"fails: {failure}"
    raise SoftmachineError(
        f"what {run.root.call} calls, done once more without it, {became}. A program changes "
        f"nothing itself, and {type(environment).__name__} not what it is made with"
    )


def distinct_calls(traces: Iterable[Trace]) -> Calls:
    """Return all distinct calls of traces, in the order in which they are met.

    Raises SoftmachineError as `check_consistent` does if two of them see the same all along.
    """
    calls: Calls = {}
    for each in traces:
        for call in each.calls():
            seen, decisions = (call.key, tuple(call.observations)), tuple(call.decisions)
            known = calls.setdefault(seen, decisions)
            if known != decisions:
                _refuse_difference(*seen, known, decisions, type(each.environment))
    return calls


def check_consistent(calls: Calls, environment: type[Environment]) -> None:
    """Raise SoftmachineError unless decisions follow from what the caller of a core sees.

    That is from the program, its arguments and all observations since it was called.
    """
    decided: dict[tuple[Key, tuple[Observation, ...]], Decision] = {}
    for (key, observations), decisions in calls.items():
        for i, decision in enumerate(decisions):
            seen = key, observations[: i + 1]
            before = decided.setdefault(seen, decision)
            if before != decision:
                _refuse_difference(*seen, [before], [decision], environment)


def tell_call(call: tuple[Key, tuple[Observation, ...]], environment: type[Environment]) -> str:
    """Return one of `distinct_calls` in words, such as: SINK after first no; first yes."""
    key, observations = call
    return f"{_told(key, environment)} after {_observed(observations, environment)}"


def _refuse_difference(
    key: Key,
    observations: Sequence[Observation],
    one: Sequence[Decision],
    other: Sequence[Decision],
    environment: type[Environment],
) -> NoReturn:
    """Raise SoftmachineError about the last decisions of one call and another that differ."""
    pairs = reversed(list(zip(one, other, strict=True)))
    after, (first, second) = next((i, pair) for i, pair in enumerate(pairs) if len({*pair}) > 1)
    seen = observations[: len(observations) - after]
    raise SoftmachineError(
        f"{_told(key, environment)} decides in two ways, {_decided(first, environment)} and "
        f"{_decided(second, environment)}, after the same observations: "
        f"{_observed(seen, environment)}. What a program decides must follow from what it can "
        "observe"
    )


def _told(key: Sequence[int], environment: type[Environment]) -> str:
    return str(environment.vocabulary.decode(key[0], key[1:]))


def _decided(decision: Decision, environment: type[Environment]) -> str:
    end, program, *arguments = decision
    call = _told((program, *arguments), environment)
    return f"{call} and to end" if end else call


def _observed(observations: Sequence[Observation], environment: type[Environment]) -> str:
    named = environment.observations.items()
    return "; ".join(
        ", ".join(f"{name} {values[i]}" for (name, values), i in zip(named, seen, strict=True))
        for seen in observations
    )
