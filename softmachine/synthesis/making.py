"""From wires that were found to a function that was tested: programs, texts, tests."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from softmachine.core.errors import SoftmachineError
from softmachine.core.time_limit import NEVER, TimeIsOverError, TimeLimit
from softmachine.programs.program import Program
from softmachine.programs.roles import with_role_names
from softmachine.programs.running import load_named
from softmachine.synthesis.domain import Domain, as_kind, domain_of
from softmachine.synthesis.finding import Candidate
from softmachine.synthesis.function import Shown, python_function
from softmachine.synthesis.laid_out import own_codes
from softmachine.synthesis.layout import Layout
from softmachine.synthesis.observing import HardMachine, Watched, observed_program
from softmachine.synthesis.pairs import LONGEST, Pair, Pairs
from softmachine.synthesis.shortening import shortened
from softmachine.tasks.steps import StepRule

SUMMARY = "A program found from examples."
RANDOM = 60
"""How many inputs are drawn at random, besides the smallest."""
LONGEST_RANDOM = 30
"""Lists that are drawn at random have at most so many elements."""
LARGEST_WATCHED = 400
"""Examples with lists of more elements are not run step by step in Python integers."""
MOST_WATCHED = 10_000
"""Nor are those on which a machine takes more steps."""
EXAMPLES_WATCHED = 1_000
"""Of many examples about so many are run step by step; the text that is printed, on all."""
SOME = 50
"""So many inputs are tried first where a shorter program is compared."""
FEWER_STEPS = 2
"""So many steps less are tried."""

Function = Callable[..., Any]
"""A loaded function of a person's arguments."""


class Inputs(NamedTuple):
    """Inputs of a function's domain, on which programs are compared."""

    small: list[tuple[Any, ...]]
    """The smallest ones, all up to a size."""
    drawn: list[tuple[Any, ...]]
    """Larger ones, drawn at random."""

    @property
    def all(self) -> list[tuple[Any, ...]]:
        """All of them, small ones first."""
        return [*self.small, *self.drawn]


class Outcome(NamedTuple):
    """What came of one example."""

    pair: Pair
    answer: Any
    """The function's answer, or the error that it raised, as text."""
    right: bool


@dataclasses.dataclass(frozen=True)
class Made:
    """A program as a function, with what its tests showed."""

    candidate: Candidate
    layout: Layout
    """That of the candidate, with as few steps as do the same."""
    program: Program
    held: bool
    """Whether the answer may stay in a variable; see `python_function`."""
    code: str
    """The text in Python, without notes."""
    function: Function
    """The text, loaded."""
    outcomes: tuple[Outcome, ...]
    """One for each example."""
    same: int
    """On how many inputs of the domain the text gave what the machine gives."""
    differs: tuple[Any, ...] | None
    """The first input on which it did not."""

    @property
    def right(self) -> bool:
        """Whether the text makes no mistake on any example, and does what the machine does."""
        return all(outcome.right for outcome in self.outcomes) and self.differs is None

    @property
    def lines(self) -> int:
        """The number of lines of the function's body."""
        return len(self.code.split('"""\n')[-1].strip().split("\n"))


def draw_inputs(domain: Domain, seed: int = 0) -> Inputs:
    """Return inputs of a domain: the smallest ones, and some drawn at random."""
    rng = random.Random(seed)
    drawn = [domain.random(rng, rng.randint(1, LONGEST_RANDOM)) for _ in range(RANDOM)]
    return Inputs([*domain.small()], [x for x in drawn if x is not None])


def load_function(code: str, limit: TimeLimit = NEVER) -> Function:
    """Execute the text of a module and return its function ``program``; see `load_named`."""
    return load_named(code, "program", limit)


def make(
    candidate: Candidate, given: Pairs, limit: TimeLimit = NEVER, tests: float = 0.0
) -> Made:
    """Return the function of a candidate, run on all examples and compared with its machine.

    Arguments:
        candidate: the wires.
        given: the examples.
        limit: when it has to end.
        tests: for so many seconds before that nothing more is made shorter.

    Raises:
        SoftmachineError: its program has too many states, or cannot be written, or answers
            have no reasonable end.
        TimeIsOverError: there is no time for it.
    """
    layout = candidate.problem.layout
    machine = HardMachine(candidate.config, candidate.table)
    inputs = draw_inputs(domain_of(given, layout))
    examples = [
        pair.inputs
        for pair in given.pairs
        if sum(len(pair.inputs[i]) for i in layout.arrays) <= LARGEST_WATCHED
        and layout.steps(pair.inputs) <= MOST_WATCHED
    ]
    every = [*examples[:: max(1, len(examples) // EXAMPLES_WATCHED)], *inputs.all]
    runs = [_run(machine, layout, x, limit) for x in every]
    answers = [read_answer(layout, x, run.memory) for x, run in zip(every, runs, strict=True)]
    shorter = limit.earlier(tests)
    if any(answer is TOO_LONG for answer in answers):
        raise SoftmachineError(TOO_LONG)
    layout, runs = _with_fewer_steps(machine, layout, every, runs, answers, shorter)
    program = observed_program(machine, _rule(layout), [run.patterns for run in runs])
    names = {j: f"{x}_" if x in layout.names else x for j, x in program.names.items()}
    program = program._replace(names=names)
    few = [*zip(every, answers, strict=True)]
    few = [*few[:: max(1, len(few) // SOME)], *few]

    def same(other: Program, held: bool = False) -> bool:
        if shorter.over():
            return False
        try:
            code = python_function(other, layout, SUMMARY, [], [], held=held)
            function = load_function(code, shorter)
            return all(call(function, x) == answer for x, answer in few)
        except (SoftmachineError, SyntaxError, TimeIsOverError):
            return False

    program = with_role_names(shortened(program, same), layout.names)
    held = same(program, held=True)
    code = python_function(program, layout, SUMMARY, [], [], held=held)
    function = load_function(code, limit)
    differs, agreed = None, 0
    for x, answer in zip(every, answers, strict=True):
        if call(function, x) != answer:
            differs = differs or x
        else:
            agreed += 1
    outcomes = tuple(check(function, given))
    function = load_function(code)
    return Made(candidate, layout, program, held, code, function, outcomes, agreed, differs)


def check(function: Function, given: Pairs) -> list[Outcome]:
    """Run a function on all examples."""
    found = []
    for pair in given.pairs:
        answer = call(function, pair.inputs)
        right = answer == pair.output and not isinstance(answer, Failure)
        found.append(Outcome(pair, answer, right))
    return found


def call(function: Function, inputs: Sequence[Any]) -> Any:
    """Return a function's answer, or the error that it raises, as text."""
    try:
        return function(*[list(x) if isinstance(x, list) else x for x in inputs])
    except Exception as error:  # any error counts as a wrong answer
        return Failure(f"{type(error).__name__}: {error}")


class Failure(str):
    """The text of an error that a function raised."""

    __slots__ = ()


TOO_LONG = Failure(f"a loop was left out: it gives answers of more than {LONGEST:,} elements")
"""The answer of a machine that stores a large number as the address behind its answer."""


def _rule(layout: Layout) -> StepRule:
    """Return a step rule that is counted, whatever the number of steps depends on."""
    if layout.count.of == "number":
        return StepRule("nothing", 0, layout.count.extra)
    count = layout.count
    return StepRule("length", count.each, count.extra, power=count.power)


def _run(
    machine: HardMachine, layout: Layout, inputs: Sequence[Any], limit: TimeLimit
) -> Watched:
    """Run a machine on an input, in a memory in which no number goes round."""
    limit.check()
    before = layout.memory(inputs, own_codes(layout, inputs))
    return machine.run(before, layout.steps(inputs))


def read_answer(layout: Layout, inputs: Sequence[Any], memory: Mapping[int, int]) -> Any:
    """Return the answer that a memory, cells by address, holds afterwards; others hold 0.

    It is `TOO_LONG` where the memory says that it is longer than any that an example may have.
    """
    base = layout.base(inputs) if layout.answer_coded else 0
    begin = layout.answer_begins(inputs)
    if not layout.many:
        return _typed([memory.get(begin, 0) + base], layout.answer)
    length = layout.answer_length(inputs)
    if length is None and layout.zero_ended:
        length = next(i for i in itertools.count() if not memory.get(begin + i))
    elif length is None:
        length = max(memory.get(layout.front - 1, 0) - begin, 0)
        if length > LONGEST:
            return TOO_LONG
    cells = range(begin, begin + length)
    return _typed([memory.get(i, 0) + base for i in cells], layout.answer)


def _typed(values: Sequence[int], kind: str) -> Any:
    try:
        return as_kind(values, kind)
    except (ValueError, OverflowError) as error:  # no letter has such a number
        return Failure(f"{type(error).__name__}: {error}")


def _with_fewer_steps(
    machine: HardMachine,
    layout: Layout,
    every: Sequence[Sequence[Any]],
    runs: list[Watched],
    answers: Sequence[Any],
    limit: TimeLimit,
) -> tuple[Layout, list[Watched]]:
    """Return the layout with as few steps as give the same answers, and the runs of these.

    A machine takes one step more than there are items; often that does nothing. Those that are
    known when the time is over are returned.
    """
    least = 1 if layout.count.of == "number" else 0
    for _ in range(FEWER_STEPS):
        if layout.count.extra <= least:
            break
        count = layout.count._replace(extra=layout.count.extra - 1)
        fewer = dataclasses.replace(layout, count=count)
        again = []
        for inputs, answer in zip(every, answers, strict=True):
            if limit.over():
                return layout, runs
            run = _run(machine, fewer, inputs, limit)
            if read_answer(fewer, inputs, run.memory) != answer:
                return layout, runs
            again.append(run)
        layout, runs = fewer, again
    return layout, runs


def shown_calls(made: Made) -> list[Shown]:
    """Return the calls for a docstring: the most telling of the short examples."""
    right = [outcome for outcome in made.outcomes if outcome.right]
    if not right:
        return []

    def cost(outcome: Outcome) -> tuple[bool, bool, int]:
        text = repr(outcome.pair.inputs)
        return len(text) < 8, len(text) > 50, len(text)

    best = min(right, key=cost)
    return [Shown(best.pair.inputs, best.pair.output)]


def best_of(found: Sequence[Made]) -> Made:
    """Return the program with the fewest mistakes; of these the shortest, with few steps."""

    def cost(made: Made) -> tuple[bool, int, int, int, int, int]:
        count = made.layout.count
        mistakes = _mistakes(made)
        return not made.right, mistakes, made.lines, count.power, count.each, len(made.code)

    return min(found, key=cost)


def _mistakes(made: Made) -> int:
    return sum(not outcome.right for outcome in made.outcomes)


def make_all(
    candidates: Sequence[Candidate],
    given: Pairs,
    told: Callable[[str], None] = lambda _: None,
    limit: TimeLimit = NEVER,
    tests: float = 0.0,
) -> list[Made]:
    """Return the functions of candidates, without those that cannot be written.

    Raises TimeIsOverError if there is no time for all of them.
    """
    found = []
    for candidate in candidates:
        try:
            found.append(make(candidate, given, limit, tests))
        except SoftmachineError as error:
            told(str(error))
    return found
