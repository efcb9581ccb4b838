"""From all that a hard machine does to the smallest automaton that does the same.

A machine pushes real numbers, of which thousands may differ, although it tells but a few apart.
Values are put into classes, the symbols of an automaton, such that in all situations that were
seen the actions, the class of what is pushed, and the next letter where it is determined follow
from the letter and the classes on top. So the automaton does in all these situations what the
machine does. Stacks, and cells below the top, that it can do without are left out.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from softmachine.core.errors import SoftmachineError
from softmachine.programs.automata import automaton
from softmachine.programs.automata.automaton import Move, Rule, StackAutomaton, simplified
from softmachine.programs.automata.watching import EMPTY, Situation, Watched

MOST_RULES = 60
"""An automaton with more rules is not printed: nobody could read it."""
MOST_SYMBOLS = 12
"""As many as each of its stacks can have."""
Value = tuple[int, int]
"""A stack, and the number of a value on it."""
Seen = tuple[int, tuple[tuple[int, ...], ...]]
"""A letter, and what is seen of the stacks that count."""


class Effect(NamedTuple):
    """What follows from a situation."""

    actions: tuple[int, ...]
    pushed: tuple[int, ...]
    predicted: int | None
    """None if the language leaves it open."""


def fold(watched: Watched, alphabet: str, actions: Sequence[str]) -> StackAutomaton:
    """Return the smallest automaton that is found: fewest stacks, then fewest rules.

    Arguments:
        watched: what was seen of the machine.
        alphabet: the letters.
        actions: names of the machine's actions.

    Raises:
        SoftmachineError: there is none with at most `MOST_RULES` and `MOST_SYMBOLS`.
    """
    some = next(iter(watched.deeds))
    stacks, depth = len(some.tops), len(some.tops[0])
    fewest = 0
    for count in range(stacks + 1):
        found = [
            rules
            for chosen in itertools.combinations(range(stacks), count)
            for seen in range(1, depth + 1)
            if (rules := _rules(watched, chosen, seen, alphabet, actions)) is not None
        ]
        if found:
            best = min(found, key=lambda x: (len(x.rules), x.depth, x.stacks))
            if len(best.rules) <= MOST_RULES:
                return best
            fewest = fewest or len(best.rules)
    least = f"{fewest} rules" if fewest else f"more than {MOST_SYMBOLS} symbols on a stack"
    raise SoftmachineError(
        f"the machine does not come out as a small automaton: the smallest that was found, for "
        f"{len(watched.deeds):,} different situations, has {least}"
    )


def _rules(
    watched: Watched, chosen: Sequence[int], depth: int, alphabet: str, actions: Sequence[str]
) -> StackAutomaton | None:
    """Return the automaton that sees so many cells of some stacks; None if there is none."""
    pairs = [(_seen(x, chosen, depth), _effect(watched, x, chosen)) for x in watched.deeds]
    classes = _Classes([*dict.fromkeys(pairs)], actions.index("push"))
    if not classes.consistent or not classes.merge():
        return None
    names = classes.names()
    rules = dict.fromkeys(
        Rule(
            alphabet[seen[0]],
            tuple(
                tuple(names[s, classes.leader((s, value))] for value in tops)
                for s, tops in enumerate(seen[1])
            ),
            tuple(
                Move(actions[action], names[s, classes.leader((s, value))])
                if actions[action] == "push"
                else Move(actions[action])
                for s, (action, value) in enumerate(
                    zip(effect.actions, effect.pushed, strict=True)
                )
            ),
            None if effect.predicted is None else alphabet[effect.predicted],
        )
        for seen, effect in classes.table.items()
    )
    stacks = tuple(f"stack {s + 1}" for s in chosen)
    return StackAutomaton(alphabet, stacks, depth, simplified(rules))


def _seen(situation: Situation, chosen: Sequence[int], depth: int) -> Seen:
    return situation.letter, tuple(situation.tops[s][:depth] for s in chosen)


def _effect(watched: Watched, situation: Situation, chosen: Sequence[int]) -> Effect:
    deed = watched.deeds[situation]
    return Effect(
        tuple(deed.actions[s] for s in chosen),
        tuple(deed.pushed[s] for s in chosen),
        deed.predicted if situation in watched.due else None,
    )


class _Classes:
    """Classes of values, joined as long as effects follow from what is seen."""

    def __init__(self, pairs: Sequence[tuple[Seen, Effect]], push: int) -> None:
        self.pairs, self.push = pairs, push
        self.leaders: dict[Value, int] = {}
        self.table: dict[Seen, Effect] = {}
        self.consistent = self._close()

    def leader(self, value: Value) -> int:
        """Return the value that stands for the class of one."""
        stack, number = value
        while (above := self.leaders.get((stack, number), number)) != number:
            number = above
        return number

    def merge(self) -> bool:
        """Join all classes that can be joined; but what is empty stays apart.

        Returns whether each stack has at most `MOST_SYMBOLS` then.
        """
        for stack, values in enumerate(self._pushed()):
            apart = list(dict.fromkeys(self.leader((stack, value)) for value in values))
            for _ in range(MOST_SYMBOLS):
                if not apart:
                    break
                first, others = apart[0], apart[1:]
                apart = [*self._join(stack, first, others)]
            if apart:
                return False
        return True

    def _join(self, stack: int, first: int, others: Sequence[int]) -> Iterator[int]:
        """Join as many others with the first as can be; yield those that cannot."""
        if not others:
            return
        before = dict(self.leaders), self.table
        for other in others:
            self._unite((stack, first), (stack, other))
        if self._close():
            return
        self.leaders, self.table = before
        if len(others) == 1:
            yield others[0]
            return
        half = len(others) // 2
        yield from self._join(stack, first, others[:half])
        yield from self._join(stack, first, others[half:])

    def _pushed(self) -> list[list[int]]:
        """Return the values that are pushed on each stack, in the order of the situations."""
        count = len(self.pairs[0][1].actions)
        return [
            [effect.pushed[s] for _, effect in self.pairs if effect.actions[s] == self.push]
            for s in range(count)
        ]

    def _unite(self, one: Value, other: Value) -> bool:
        """Join two classes; return whether they were two."""
        (stack, a), (_, b) = (one[0], self.leader(one)), (other[0], self.leader(other))
        if a == b:
            return False
        self.leaders[stack, max(a, b)] = min(a, b)  # what is empty, number 0, stays a leader
        return True

    def _close(self) -> bool:
        """Join what has to be, if classes are as they are; return whether that can be.

        What is pushed in situations that are seen alike has to be of one class; it must not be
        seen as empty, nor actions and predictions differ.
        """
        changed, table = True, {}
        while changed:
            changed, table = False, {}
            for (letter, tops), effect in self.pairs:
                seen = (
                    letter,
                    tuple(
                        tuple(self.leader((s, value)) for value in cells)
                        for s, cells in enumerate(tops)
                    ),
                )
                known = table.setdefault(seen, effect)
                if known is effect:
                    continue
                if known.actions != effect.actions:
                    return False
                if known.predicted is None:
                    table[seen] = known._replace(predicted=effect.predicted)
                elif effect.predicted not in (None, known.predicted):
                    return False
                for s, action in enumerate(effect.actions):
                    if action == self.push:
                        changed |= self._unite((s, known.pushed[s]), (s, effect.pushed[s]))
        self.table = table
        return all(
            self.leader((s, value)) != EMPTY
            for s, values in enumerate(self._pushed())
            for value in values
        )

    def names(self) -> Mapping[Value, str]:
        """Return what classes are called, by their leaders: A, B, ... on each stack."""
        found: dict[Value, str] = {}
        for s, values in enumerate(self._pushed()):
            found[s, EMPTY] = automaton.EMPTY
            leaders = dict.fromkeys(self.leader((s, value)) for value in values)
            for number, leader in enumerate(leaders):
                letter = string.ascii_uppercase[number % 26]
                found[s, leader] = letter if number < 26 else f"{letter}{number // 26}"
        return found
