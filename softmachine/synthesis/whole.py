"""From a person's examples to a function: read, laid out, searched, written, tested."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from softmachine.core.errors import ExamplesError, SoftmachineError
from softmachine.core.time_limit import NEVER, TimeIsOverError, TimeLimit
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.synthesis.advice import Seen, reason
from softmachine.synthesis.agreement import Question, question
from softmachine.synthesis.candidates import layouts
from softmachine.synthesis.domain import Domain, domain_of
from softmachine.synthesis.finding import (
    Problem,
    candidate_of,
    make_problem,
    search_options,
)
from softmachine.synthesis.function import python_function
from softmachine.synthesis.function_json import function_json
from softmachine.synthesis.in_c import in_c, share_right
from softmachine.synthesis.layout import described
from softmachine.synthesis.making import (
    SUMMARY,
    Function,
    Inputs,
    Made,
    Outcome,
    best_of,
    check,
    draw_inputs,
    load_function,
    make_all,
    shown_calls,
)
from softmachine.synthesis.pairs import Pair, Pairs
from softmachine.synthesis.search.attempts import MOST_REGISTERS, Attempt
from softmachine.synthesis.search.search import Totals, is_enough, search
from softmachine.synthesis.taking import take
from softmachine.tasks.memories.examples import MOST_CELLS
from softmachine.training.workers.workers import Tally, Workers

HELD_OUT_FROM = 20
"""With at least so many examples, one in five is held out of the search."""
RESERVED = 0.1
"""The share of the time at the end of which programs that were found are no longer made
shorter, but tested as they are."""
SHORT = 8
"""A program with so many lines is short: the search for shorter ones can end."""
NOTHING = Totals()


class Options(NamedTuple):
    """How functions are looked for."""

    minutes: float = 10.0
    """The time to search at most."""
    seed: int = 0
    memory: int = 16
    """The largest number of cells of memories that are searched on."""
    registers: int = MOST_REGISTERS
    gates: tuple[str, ...] = PAPER_GATES


@dataclasses.dataclass(frozen=True)
class Begun:
    """Examples laid out, before anything is searched."""

    given: Pairs
    held_out: tuple[Pair, ...]
    """Examples that the search does not see."""
    problems: tuple[Problem, ...]

    @property
    def large(self) -> list[Pair]:
        """Examples that are too large for the search in every layout."""
        large = set.intersection(*(set(problem.large) for problem in self.problems))
        return [pair for pair in self.given.pairs if pair in large]

    def words(self) -> list[str]:
        """Return what was understood, in sentences."""
        given, unit = self.given, self.given.unit
        searched = len(given.pairs) - len(self.held_out) - len(self.large)
        lines = [given.signature, *given.remarks]
        if given.repeated:
            many = len(given.repeated) > 1
            lines.append(
                f"{unit.capitalize()}{'s' if many else ''} {_listed(given.repeated)} "
                f"{'say' if many else 'says'} what an earlier one says: each counts once."
            )
        if self.large:
            many = len(self.large) > 1
            which = _listed([pair.line for pair in self.large])
            lines.append(
                f"{unit.capitalize()}{'s' if many else ''} {which} {'do' if many else 'does'} "
                f"not fit a memory that is searched on: {'they are' if many else 'it is'} kept "
                "for the test."
            )
        if self.held_out:
            lines.append(f"Held out for the test: {len(self.held_out)} others, one in five.")
        lines.append(
            f"{_count(searched, 'example')} to search with, laid out in "
            f"{_count(len(self.problems), 'way')}, first: "
            f"{described(self.problems[0].layout)}"
        )
        return lines


@dataclasses.dataclass(frozen=True)
class Synthesis:
    """A function that was found, and what is known of it."""

    begun: Begun
    made: Made
    domain: Domain
    question: Question | None
    """Which example would decide between programs that all suit the examples."""
    others: tuple[Made, ...]
    """The other programs that suit all examples."""
    python: str
    """The function in Python, with its notes."""
    c: str
    """The same in C."""
    json: str
    """The same as data, with its tests, the question and the machine's wires."""
    report: str
    """What was tested, and what came of it, in words."""
    wrong_in_c: str | None = None
    """An example for which the C text gives another answer than the Python text, and which;
    None: there is none, or it was not run."""

    @property
    def function(self) -> Function:
        """The Python text, loaded: call it with arguments such as the examples'."""
        return load_function(self.python)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return self.function(*arguments)

    def __str__(self) -> str:
        return f"{self.python}\n{self.report}"


def begin(given: Pairs, options: Options) -> Begun:
    """Return the examples laid out for a search.

    Raises ExamplesError if there is no layout, with the reason, or if no example is small
    enough for one.
    """
    if not options.memory <= MOST_CELLS:
        raise SoftmachineError(f"memory must be at most {MOST_CELLS:,}, not {options.memory:,}")
    possible = layouts(given, options.memory)
    held: tuple[Pair, ...] = ()
    if len(given.pairs) >= HELD_OUT_FROM:
        chosen = random.Random(0).sample(range(len(given.pairs)), len(given.pairs) // 5)
        held = tuple(given.pairs[i] for i in sorted(chosen))
    unseen = {*held}
    kept = tuple(pair for pair in given.pairs if pair not in unseen)
    kept = dataclasses.replace(given, pairs=kept)
    made = [make_problem(x, kept, options.memory, options.seed) for x in possible]
    problems = tuple(problem for problem in made if problem is not None)
    if not problems:
        raise ExamplesError(
            f"{given.unit} {given.pairs[0].line}: neither this nor another example can guide a "
            f"search, which takes memories of {options.memory} cells: add some whose arguments "
            "have fewer items (or raise --memory), and in whose answers there is something"
        )
    return Begun(given, held, problems)


class Findings(NamedTuple):
    """What a search has found, and what it has cost."""

    right: list[Made]
    """Programs that are right on all examples."""
    wrong: list[Made]
    """Others, right on the examples that were searched on."""
    totals: Totals = NOTHING


def find(
    begun: Begun,
    options: Options,
    totals: Totals = NOTHING,
    report: Callable[[Totals], Any] = lambda _: None,
    told: Callable[[str], None] = lambda _: None,
    keep: Callable[[Totals], None] = lambda _: None,
    interrupted: Callable[[], bool] = lambda: False,
    limit: TimeLimit | None = None,
    workers: Workers | None = None,
    watch: Callable[[Tally], Any] = lambda _: None,
) -> Findings:
    """Search until a program makes no mistake on any example, or the time is over.

    Then a few more attempts may find a shorter one: with few examples one program is not enough
    to see whether they decide, and a long one may not be the one that is meant.

    Arguments:
        begun: the examples, laid out.
        options: how it is looked for.
        totals: those of an earlier search that this one continues.
        report: is told some times a second how far it is.
        told: is told that a program is written and tested, which may take long, the first
            time, and why one cannot be written.
        keep: is told where a later search should go on, before what was found is tested, which
            may take seconds, and at the end.
        interrupted: whether to end at once.
        limit: when it has to end, in place of the options' minutes from now.
        workers: who searches, and stays open; this process by default.
        watch: called with a tally of ``workers``, whenever it has changed.

    What is found does not depend on workers, but for the time that there is. Raises
    SoftmachineError if the gates make no loops, or if there are no workers any more.
    """
    if limit is None:
        limit = TimeLimit(time.monotonic() + 60 * options.minutes)
    tests = RESERVED * limit.left()
    searched = search_options(begun.problems, options.seed, options.registers, options.gates)
    few = len(begun.given.pairs) < HELD_OUT_FROM
    right: dict[str, Made] = {}
    wrong: list[Made] = []
    known: set[str] = set()
    first: list[Totals] = []
    now = [totals]

    def accept(attempt: Attempt) -> bool:
        before, now[0] = now[0], now[0].after(attempt)
        text = f"{attempt.plan.variant} {attempt.loop}"
        if attempt.loop is not None and text not in known:
            keep(first[0] if first else before)
            if not known:
                told("a loop is right on what guides the search: writing and testing it")
            known.add(text)
            candidates = [candidate_of(begun.problems, attempt)]
            try:
                every = make_all(candidates, begun.given, told, limit, tests)
            except TimeIsOverError:
                told("the time is over before it is tested; the same command begins with it")
                first.append(before)  # found anew the next time, unless there was one before
                return True
            for made in every:
                if made.right and not right:
                    first.append(before)
                if made.right:
                    right.setdefault(made.code, made)
                else:
                    wrong.append(made)
        if not right:
            return False
        short = min(made.lines for made in right.values()) <= SHORT
        return (short and not few) or is_enough(first[0].attempts, attempt.plan.number)

    batches = [problem.batch for problem in begun.problems]
    ended = search(
        batches, searched, totals, limit.left(), accept, report, interrupted, workers, watch
    )
    keep(first[0] if first else ended)
    return Findings([*right.values()], wrong, ended)


def finish(begun: Begun, right: Sequence[Made], limit: TimeLimit = NEVER) -> Synthesis:
    """Return the shortest of some programs, written with its notes and tested as printed.

    ``limit``: after which the programs are no longer compared, nor the C text run.
    """
    made = best_of(right)
    others = [other for other in right if other is not made]
    domain = domain_of(begun.given, made.layout)
    inputs = draw_inputs(domain)
    asked = question(made, others, inputs.all, limit)
    notes = _notes(begun, made, domain, inputs, asked)
    summary = "Found by softmachine from examples."
    code = python_function(
        made.program, made.layout, summary, notes, shown_calls(made), held=made.held
    )
    outcomes = check(load_function(code), begun.given)
    c = in_c(made, begun.given, summary, notes, outcomes, limit)
    report = "\n".join([_tested(begun, outcomes), *notes[1:], c.told])
    data = function_json(made, begun.given, notes, asked, summary)
    return Synthesis(
        begun, made, domain, asked, tuple(others), code, c.text, data, report, c.wrong
    )


def _notes(
    begun: Begun, made: Made, domain: Domain, inputs: Inputs, asked: Question | None
) -> list[str]:
    """Return what is known of a program, in paragraphs."""
    notes = [_tested(begun, made.outcomes)]
    words = domain.words(made.layout.names)
    meant = f"Meant for inputs such as the examples': {words}. " if words else ""
    notes.append(
        f"{meant}What no such input does was left out: this text gives what the machine gives "
        f"on the {len(inputs.small):,} smallest of these inputs and on {len(inputs.drawn)} "
        "drawn at random."
    )
    if asked is not None:
        notes.append(str(asked))
    return notes


def _tested(begun: Begun, outcomes: Sequence[Outcome]) -> str:
    """Return how many examples come out right, those held out or too large apart."""
    text = f"Right on {share_right(outcomes)} of the examples."
    unseen = {*begun.held_out, *begun.large}
    if unseen:
        theirs = [outcome for outcome in outcomes if outcome.pair in unseen]
        text += f" The search did not see {len(unseen)} of them: {share_right(theirs)}."
    return text


def synthesize(
    examples: Any,
    *,
    minutes: float = 10.0,
    seed: int = 0,
    memory: int = 16,
    registers: int = MOST_REGISTERS,
    gates: Iterable[str] = PAPER_GATES,
    workers: Workers | None = None,
) -> Synthesis:
    """Return a function that does what examples show, as a program that was tested on them.

    Arguments:
        examples: pairs ``(input, answer)``, where a tuple holds several arguments; or objects
            such as ``{"inputs": [[3, 1, 2], 5], "output": [1, 2, 3]}``; or a function with
            examples in its docstring, as of doctest; or the path of a file.
        minutes: the time to search at most.
        seed: of all draws.
        memory: the largest number of cells of memories that are searched on.
        registers: how many variables programs may have at most, up to 3.
        gates: those that programs may use.
        workers: who searches, such as `softmachine.training.ProcessWorkers`; they stay open.
            All cores of this process by default.

    Raises:
        ExamplesError: the examples cannot be used; the message names the one and the reason.
        ValueError: an option is none that is possible.
        SoftmachineError: nothing was found.
    """
    if not minutes >= 0:
        raise SoftmachineError(f"minutes must be 0 or more, not {minutes}")
    if not 0 <= seed < 2**31:
        raise SoftmachineError(f"seed must be from 0 to 2**31 - 1, not {seed}")
    config = NRAMConfig(registers=registers, gates=tuple(gates))
    options = Options(minutes, seed, memory, config.registers, config.gates)
    begun = begin(take(examples), options)
    found = find(begun, options, workers=workers)
    if not found.right:
        raise SoftmachineError(why_nothing(begun, found, options))
    return finish(begun, found.right)


def why_nothing(begun: Begun, found: Findings, options: Options) -> str:
    """Return how far it came when nothing was found, and what may help; see `reason`."""
    large, memory = len(begun.large), options.memory
    seen = Seen(begun.given, large, found.wrong, found.totals, memory, options.gates)
    return reason(seen, options.minutes)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _listed(numbers: Sequence[int]) -> str:
    """Return numbers as a list, the first ones if there are many."""
    shown = ", ".join(map(str, numbers[:6]))
    return shown if len(numbers) <= 6 else f"{shown} and {len(numbers) - 6} more"


__all__ = ["SUMMARY", "Options", "Synthesis", "begin", "find", "finish", "synthesize"]
