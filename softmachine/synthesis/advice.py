"""What is said when nothing was found: how far it came, and the two options likely to help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from softmachine.synthesis.making import Made
from softmachine.synthesis.pairs import Pairs
from softmachine.synthesis.search.search import Totals
from softmachine.tasks.memories.given import Given

FEW = 20
"""With fewer examples of a function a few more may help."""
FEW_ATTEMPTS = 50
"""After fewer attempts of the search nothing is known but that it had no time."""
CLOSE = 0.1
"""With at most this share of wrong cells the best loop is close."""
MANY_GATES = 8
FEW_MEMORIES = 100
"""With fewer examples of memories to train on, more of them may help."""


class Seen(NamedTuple):
    """What a search for a function saw that found none."""

    given: Pairs
    large: int
    """How many examples are too large to guide it."""
    wrong: Sequence[Made]
    totals: Totals
    memory: int
    gates: Sequence[str]


def reason(seen: Seen, minutes: float) -> str:
    """Return how far a search for a function came, and what may help, by what was seen."""
    text = f"no program was found in {minutes:g} minutes"
    missed = []
    if seen.wrong:
        best = min(
            seen.wrong, key=lambda made: (sum(not x.right for x in made.outcomes), made.lines)
        )
        missed = [outcome for outcome in best.outcomes if not outcome.right]
    if missed:
        text += (
            f"; the closest misses {len(missed)} of {len(seen.given.pairs)} examples, first "
            f"{seen.given.unit} {missed[0].pair.line}: {missed[0].answer!r} in place of "
            f"{missed[0].pair.output!r}"
        )
    elif seen.totals.attempts:
        text += (
            f"; of the {seen.totals.tried:,} loops that were tried the closest has "
            f"{seen.totals.error:.0%} of the cells wrong"
        )
    return f"{text}. What may help: {', '.join(_causes(seen)[:2])}"


def _causes(seen: Seen) -> list[str]:
    """Return what may help, the likeliest first."""
    many = len(seen.given.pairs)
    helps = []
    if seen.totals.attempts < FEW_ATTEMPTS:
        helps.append("more time (--minutes)")
    if seen.wrong:
        helps.append("more short examples of the kind that it misses")
    if 2 * seen.large > many:
        helps.append(
            f"shorter examples, or --memory {2 * seen.memory}: {seen.large} of {many} "
            f"are too large to guide it"
        )
    if not seen.wrong and many < FEW:
        helps.append("a few more short examples")
    if seen.totals.error <= CLOSE:
        helps.append("another --seed")
    if len(seen.gates) > MANY_GATES:
        helps.append("only the gates that are needed (--gates)")
    return [*dict.fromkeys([*helps, "more time (--minutes)", "another --seed"])]


def for_memories(
    task: Given, gates: Sequence[str], *, validations: int, best_error: float, right_to: int
) -> list[str]:
    """Return what may help where machines were trained on memories, the likeliest first.

    Arguments:
        task: the examples.
        gates: those that machines have.
        validations: how often all members were validated.
        best_error: the smallest share of wrong cells in validation.
        right_to: the largest size up to which a member makes no mistake; 0: none.
    """
    helps = []
    if validations < 2:
        helps.append("more --minutes")
    if task.steps_per_size == 1 and (right_to or best_error <= CLOSE):
        helps.append("--steps-per-size 2, if an item takes two steps or one more at the end")
    if len(task.part_examples("training")) < FEW_MEMORIES:
        helps.append("more examples of small sizes")
    if len({*gates}) == len(gates):
        helps.append("a gate twice in a step, such as READ, in --gates")
    if len(gates) > MANY_GATES:
        helps.append("the --gates that are needed alone")
    return [*helps, "another --seed", "more --minutes"][:2]
