"""A function's text in C, run on all examples and held against the text in Python."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from softmachine.core.time_limit import TimeLimit
from softmachine.programs.notes import share
from softmachine.synthesis.function_c import c_function, load_c_function
from softmachine.synthesis.making import Failure, Made, Outcome, check
from softmachine.synthesis.pairs import Pairs

MOST_LETTERS = 80
"""Of an answer so many letters are told."""


class InC(NamedTuple):
    """A function's text in C, and what came of running it."""

    text: str
    told: str
    """The same in words."""
    wrong: str | None = None
    """The first example with another answer than in Python, in words; None: there is none, or
    the text was not run."""


def in_c(
    made: Made,
    given: Pairs,
    summary: str,
    notes: Sequence[str],
    outcomes: Sequence[Outcome],
    limit: TimeLimit,
) -> InC:
    """Return the text in C, run on all examples and compared with the text in Python.

    Arguments:
        made: the program.
        given: the examples.
        summary: the first line of the text's comment.
        notes: its paragraphs, of which the first says how often the text in Python is right.
            If the text in C gives other answers, it says that in place of it.
        outcomes: what came of the text in Python.
        limit: after which it is not run.
    """
    text = c_function(made.program, made.layout, summary, notes)
    if limit.over():
        return InC(text, "The C text was not run: the time was over.")
    with tempfile.TemporaryDirectory() as directory:
        function = load_c_function(text, made.layout, Path(directory))
        if function is None:
            return InC(text, "The C text was not run: there is no C compiler.")
        found = check(function, given)
    wrong = _difference(outcomes, found, given.unit)
    if wrong is None:
        return InC(text, f"The same in C: right on {share_right(found)} of the examples.")
    told = f"WRONG in C: right on {share_right(found)} of the examples; {wrong}."
    return InC(c_function(made.program, made.layout, summary, [told, *notes[1:]]), told, wrong)


def share_right(outcomes: Sequence[Outcome]) -> str:
    """Return how many examples come out right: ``3 of 4 (75.0 %)``."""
    return share((sum(outcome.right for outcome in outcomes), len(outcomes)))


def _difference(python: Sequence[Outcome], c: Sequence[Outcome], unit: str) -> str | None:
    """Return the first example with another answer in C, all errors being the same answer."""
    for one, other in zip(python, c, strict=True):
        failed = isinstance(one.answer, Failure) and isinstance(other.answer, Failure)
        if not failed and one.answer != other.answer:
            return (
                f"for {unit} {one.pair.line} Python gives {_short(one.answer)}, "
                f"C {_short(other.answer)}"
            )
    return None


def _short(answer: Any) -> str:
    text = repr(answer)
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}..."
