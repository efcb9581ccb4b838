"""Automata with stacks: rules of what to do with which letter, given what lies on top."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

EMPTY = "·"
"""What is seen where a stack has no more cells."""
ANY = "any"
"""What a rule says of a cell that makes no difference."""


class Move(NamedTuple):
    """What is done with one stack."""

    action: str
    """``push``, ``pop`` or ``stay``."""
    symbol: str = ""
    """What is pushed."""

    def __str__(self) -> str:
        """Return it in words: ``push A``."""
        return f"{self.action} {self.symbol}".strip()


class Rule(NamedTuple):
    """What is done in some situations."""

    letter: str
    tops: tuple[tuple[str, ...], ...]
    """Of each stack the symbols on top, the highest first; `ANY` where they do not matter."""
    moves: tuple[Move, ...]
    """Of each stack."""
    predicts: str | None
    """The next letter; None where the language leaves it open."""

    def holds(self, letter: str, tops: Sequence[Sequence[str]]) -> bool:
        """Return whether it says what to do with a letter, given the tops."""
        return letter == self.letter and all(
            wanted in (ANY, symbol)
            for mine, theirs in zip(self.tops, tops, strict=True)
            for wanted, symbol in zip(mine, theirs, strict=True)
        )


class StackAutomaton(NamedTuple):
    """A deterministic automaton with stacks, which predicts the next letter of a stream.

    It has no state but its stacks.
    """

    alphabet: str
    stacks: tuple[str, ...]
    """What the stacks are called."""
    depth: int
    """How many symbols of each stack are seen."""
    rules: tuple[Rule, ...]

    def symbols(self, stack: int) -> list[str]:
        """Return what a stack can hold, in the order of the rules."""
        moves = [rule.moves[stack] for rule in self.rules]
        return [*dict.fromkeys(move.symbol for move in moves if move.action == "push")]

    def run(self, letters: Iterable[str]) -> Iterator[str | None]:
        """Yield after each letter the next one, None where the language leaves it open.

        Raises ValueError in a situation that no rule is of.
        """
        stacks: list[list[str]] = [[] for _ in self.stacks]
        known: dict[tuple[str, tuple[tuple[str, ...], ...]], Rule] = {}
        for letter in letters:
            tops = tuple(top(stack, self.depth) for stack in stacks)
            if (letter, tops) not in known:
                known[letter, tops] = self._rule(letter, tops)
            rule = known[letter, tops]
            for stack, move in zip(stacks, rule.moves, strict=True):
                if move.action == "push":
                    stack.append(move.symbol)
                elif move.action == "pop" and stack:
                    stack.pop()
            yield rule.predicts

    def _rule(self, letter: str, tops: Sequence[Sequence[str]]) -> Rule:
        for rule in self.rules:
            if rule.holds(letter, tops):
                return rule
        seen = ", ".join(" ".join(symbols) for symbols in tops)
        raise ValueError(f"the automaton has no rule for {letter!r} over {seen}")


def top(stack: Sequence[str], depth: int) -> tuple[str, ...]:
    """Return the symbols on top, the highest first, `EMPTY` where there are none."""
    there = [*stack[: -depth - 1 : -1]]
    return (*there, *[EMPTY] * (depth - len(there)))


def simplified(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return fewer rules that say the same: cells are left out where they make no difference.

    Letter by letter, and cell by cell, the deepest first: a cell is left out for a letter if
    the others alone tell what is to be done.
    """
    by_letter: dict[str, list[Rule]] = {}
    for rule in rules:
        by_letter.setdefault(rule.letter, []).append(rule)
    found: list[Rule] = []
    for own in by_letter.values():
        cells = [(s, d) for s, tops in enumerate(own[0].tops) for d in range(len(tops))]
        for cell in sorted(cells, key=lambda cell: -cell[1]):
            without = [_without(rule, *cell) for rule in own]
            if _deterministic(without):
                own = without
        found += dict.fromkeys(own)
    return tuple(found)


def _without(rule: Rule, stack: int, depth: int) -> Rule:
    tops = [[*tops] for tops in rule.tops]
    tops[stack][depth] = ANY
    return rule._replace(tops=tuple(map(tuple, tops)))


def _deterministic(rules: Sequence[Rule]) -> bool:
    return len({rule.tops for rule in rules}) == len(dict.fromkeys(rules))


def table(automaton: StackAutomaton) -> str:
    """Return the rules as lines of a table, in plain text."""
    heads = ["read", *automaton.stacks, *(f"do with {name}" for name in automaton.stacks)]
    rows = [[*heads, "next letter"]]
    for rule in automaton.rules:
        seen = [" ".join(tops) if set(tops) != {ANY} else ANY for tops in rule.tops]
        rows.append([rule.letter, *seen, *map(str, rule.moves), rule.predicts or "open"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def to_json(automaton: StackAutomaton) -> Mapping[str, object]:
    """Return an automaton as JSON has it."""
    return {
        "alphabet": automaton.alphabet,
        "stacks": list(automaton.stacks),
        "depth": automaton.depth,
        "rules": [
            {
                "letter": rule.letter,
                "tops": [list(tops) for tops in rule.tops],
                "moves": [move._asdict() for move in rule.moves],
                "predicts": rule.predicts,
            }
            for rule in automaton.rules
        ],
    }
