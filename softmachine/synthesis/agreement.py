"""Programs that agree with all examples, and differ elsewhere: which example would decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from softmachine.synthesis.making import Failure, Made, call


class Question(NamedTuple):
    """An input for which programs that suit all examples give different answers."""

    inputs: tuple[Any, ...]
    answers: list[tuple[Any, int]]
    """The answers, each with how many programs give it; that of the program shown first."""
    programs: int
    """How many programs there are that differ from each other somewhere."""

    def __str__(self) -> str:
        """Return a sentence that asks for one more example."""
        said = ", ".join(f"{count} {'say' if count > 1 else 'says'} {answer!r}"
                         for answer, count in self.answers)  # fmt: skip
        arguments = ", ".join(map(repr, self.inputs))
        return (
            f"{self.programs} different programs suit all examples. They differ for "
            f"program({arguments}): {said}. Add that example, with the right answer."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the question as JSON values."""
        answers = [
            {"output": None if isinstance(answer, Failure) else answer, "programs": count}
            for answer, count in self.answers
        ]
        return {"inputs": list(self.inputs), "answers": answers}


def question(shown: Made, others: Sequence[Made], inputs: Sequence[tuple[Any, ...]]):
    """Return the smallest input that tells most programs apart; None if all agree everywhere.

    Arguments:
        shown: the program that is shown.
        others: the others that are right on all examples.
        inputs: on which they are compared, smallest first.
    """
    programs = [shown, *others]
    answers = [[repr(call(made.function, x)) for made in programs] for x in inputs]
    behaviours = {tuple(row[i] for row in answers) for i in range(len(programs))}
    if len(behaviours) < 2:
        return None
    # One input that tells many apart; of these, the first.
    place = max(range(len(inputs)), key=lambda n: (len({*answers[n]}), -n))
    told: dict[str, tuple[Any, int]] = {}
    for made, text in zip(programs, answers[place], strict=True):
        answer, count = told.get(text, (call(made.function, inputs[place]), 0))
        told[text] = (answer, count + 1)
    return Question(tuple(inputs[place]), [*told.values()], len(behaviours))
