"""Programs that agree with all examples, and differ elsewhere: which example would decide."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from softmachine.core.time_limit import NEVER, TimeLimit
from softmachine.synthesis.making import Failure, Made, call


class Difference(NamedTuple):
    """An input for which programs that suit all examples give different answers."""

    inputs: tuple[Any, ...]
    answers: list[tuple[Any, int]]
    """The answers, each with how many programs give it; that of the program shown first."""

    def __str__(self) -> str:
        """Return what is said of the input."""
        said = ", ".join(
            f"{count} {'say' if count > 1 else 'says'} {answer!r}"
            for answer, count in self.answers
        )
        return f"for program({', '.join(map(repr, self.inputs))}) {said}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        answers = [
            {"output": None if isinstance(answer, Failure) else answer, "programs": count}
            for answer, count in self.answers
        ]
        return {"inputs": list(self.inputs), "answers": answers}


class Question(NamedTuple):
    """Programs that suit all examples and are not the same; and what would decide."""

    programs: int
    """How many there are that differ from each other somewhere."""
    differences: list[Difference]
    """For each of the others, a small input on which it differs from the one shown."""

    @property
    def asked(self) -> Difference:
        """The example to add: it tells most of them apart."""
        return max(self.differences, key=lambda one: len(one.answers))

    def __str__(self) -> str:
        """Return sentences that ask for one more example."""
        shown = "; ".join(map(str, self.differences[:3]))
        one = ", ".join(map(repr, self.asked.inputs))
        return (
            f"{self.programs} different programs suit all examples: {shown}. This is the "
            f"shortest. Add program({one}) with the right answer as one more example."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the example to add, and all differences, as JSON values."""
        return self.asked.to_json() | {
            "programs": self.programs,
            "differences": [one.to_json() for one in self.differences],
        }


def question(
    shown: Made,
    others: Sequence[Made],
    inputs: Sequence[tuple[Any, ...]],
    limit: TimeLimit = NEVER,
) -> Question | None:
    """Return where programs differ that are all right on all examples; None: nowhere.

    Arguments:
        shown: the program that is shown.
        others: the others that are right on all examples.
        inputs: on which they are compared, smallest first.
        limit: when the rest of the inputs is left out.
    """
    programs = [shown, *others]
    asked = itertools.takewhile(lambda _: not limit.over(), inputs) if others else ()
    answers = [[repr(call(made.function, x)) for made in programs] for x in asked]
    behaviours = {tuple(row[i] for row in answers): i for i in reversed(range(len(programs)))}
    if len(behaviours) < 2:
        return None
    places = {
        next(n for n, row in enumerate(answers) if row[i] != row[0])
        for i in behaviours.values()
        if i
    }
    differences = []
    for place in sorted(places):
        told: dict[str, tuple[Any, int]] = {}
        for i in sorted(behaviours.values()):  # one program of each kind
            made, text = programs[i], answers[place][i]
            answer, count = told.get(text, (call(made.function, inputs[place]), 0))
            told[text] = (answer, count + 1)
        differences.append(Difference(tuple(inputs[place]), [*told.values()]))
    return Question(len(behaviours), differences)
