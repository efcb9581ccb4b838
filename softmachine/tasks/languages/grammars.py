"""Inversion transduction grammars: two languages derived at once, and sampling by length."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import random
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int


@dataclasses.dataclass(frozen=True)
class Rule:
    """One way to rewrite a nonterminal."""

    probability: float
    source: tuple[str, ...]
    """Nonterminals and kinds of words, in the order of the source."""
    target: tuple[int, ...] | None = None
    """The order of the target, as places in the source; None: the same."""


@dataclasses.dataclass(frozen=True)
class Grammar:
    """A grammar that derives a source and a target, word for word, in different orders.

    Source: Wu 1997, Stochastic inversion transduction grammars.
    """

    start: str
    rules: Mapping[str, tuple[Rule, ...]]
    """For each nonterminal, by which it is rewritten."""
    words: Mapping[str, tuple[tuple[str, str], ...]]
    """For each kind of words, pairs of a source word and a target word, all equally likely."""


def _pairs(kind: str, count: int, source: str, target: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{kind}{source}{i}", f"{kind}{target}{i}") for i in range(1, count + 1))


GRAMMARS = {
    # Subject, verb, object become subject, object, verb.
    "svo-sov": Grammar(
        "A",
        {
            "A": (Rule(1.0, ("S", "v", "O"), (0, 2, 1)),),
            "S": (
                Rule(1 / 5, ("S", "S")),
                Rule(1 / 5, ("S", "rp", "S", "v")),
                Rule(3 / 5, ("s",)),
            ),
            "O": (
                Rule(1 / 5, ("O", "O")),
                Rule(1 / 5, ("S", "rp", "S", "v")),
                Rule(3 / 5, ("o",)),
            ),
        },
        {
            "s": _pairs("s", 33, "i", "o"),
            "o": _pairs("o", 33, "i", "o"),
            "v": _pairs("v", 33, "i", "o"),
            "rp": (("rpi", "rpo"),),
        },
    ),
    # English without genders becomes German with them: the article waits for its noun.
    "gender": Grammar(
        "A",
        {
            "A": (Rule(1.0, ("B",)),),
            "B": (
                Rule(1 / 4, ("B", "or", "B")),
                Rule(1 / 4, ("S", "and", "S")),
                Rule(1 / 2, ("B", "V")),
            ),
            "V": (Rule(3 / 4, ("w", "B")), Rule(1 / 4, ("w",))),
            "S": tuple(
                Rule(1 / 6, (f"{article}-{noun}", noun))
                for article in ("the", "a")
                for noun in "mfn"
            ),
        },
        {
            "or": (("or", "oder"),),
            "and": (("and", "und"),),
            "the-m": (("the", "der"),),
            "the-f": (("the", "die"),),
            "the-n": (("the", "das"),),
            "a-m": (("a", "ein"),),
            "a-f": (("a", "eine"),),
            "a-n": (("a", "ein"),),
            **{kind: _pairs(kind, 25, "e", "g") for kind in "wmfn"},
        },
    ),
}
"""The grammars of Grefenstette et al. 2015 (arXiv 1506.02516), appendix C."""


class Sampler:
    """Draws derivations of a given length, as likely as they are among all of that length.

    By the inside algorithm: the probability of each number of words, for every nonterminal and
    every rest of a rule, is known before anything is drawn. No derivation is thrown away, where
    of all derivations few are as long as wanted, and some never end.
    """

    def __init__(self, grammar: Grammar, most: int) -> None:
        """Work out the probabilities of up to ``most`` words."""
        self.grammar, self.most = grammar, most
        self.kinds = [*grammar.words]
        inside = {name: np.zeros(most + 1) for name in (*grammar.rules, *grammar.words)}
        for kind in grammar.words:
            inside[kind][1] = 1
        for length in range(1, most + 1):
            # Rules of one nonterminal need that one's probability first: none is in a circle.
            for _ in grammar.rules:
                for name, rules in grammar.rules.items():
                    inside[name][length] = sum(
                        rule.probability * self._rest(inside, rule.source, length)
                        for rule in rules
                    )
        self.inside = inside
        self._choices: dict[tuple[str | tuple[str, ...], int], list[float]] = {}

    def _rest(
        self,
        inside: Mapping[str, Float[np.ndarray, " lengths"]],
        items: tuple[str, ...],
        n: int,
    ) -> float:
        """Return how likely some items have n words in all."""
        before = np.zeros(n + 1)
        before[0] = 1
        for item in items[:-1]:
            before = np.convolve(before, inside[item][: n + 1])[: n + 1]
        return float(before @ inside[items[-1]][: n + 1][::-1])

    def draw(self, length: int, rng: random.Random) -> tuple[list[int], list[int]]:
        """Return the kinds of the source's words, and the target's order.

        The order gives for each word of the target its place in the source. Raises ValueError
        if there is no derivation of that length.
        """
        if not 0 < length <= self.most or not self.inside[self.grammar.start][length]:
            raise ValueError(f"the grammar has no sentence of {length} words")
        return self._derive(self.grammar.start, length, rng)

    def _derive(self, name: str, n: int, rng: random.Random) -> tuple[list[int], list[int]]:
        if name in self.grammar.words:
            return [self.kinds.index(name)], [0]
        rules = self.grammar.rules[name]
        rule = rules[self._choose((name, n), rng)]
        kinds, orders, left = [], [], n
        for i, item in enumerate(rule.source):
            rest = rule.source[i:]
            length = self._choose((rest, left), rng) if len(rest) > 1 else left
            own, order = self._derive(item, length, rng)
            orders.append([len(kinds) + place for place in order])
            kinds += own
            left -= length
        wanted = range(len(orders)) if rule.target is None else rule.target
        return kinds, [place for i in wanted for place in orders[i]]

    def _choose(self, what: tuple[str | tuple[str, ...], int], rng: random.Random) -> int:
        """Choose the rule of a nonterminal, or how many words the first of some items has."""
        if what not in self._choices:
            items, n = what
            if isinstance(items, str):
                weights = [
                    rule.probability * self._rest(self.inside, rule.source, n)
                    for rule in self.grammar.rules[items]
                ]
            else:
                weights = [
                    self.inside[items[0]][m] * self._rest(self.inside, items[1:], n - m)
                    for m in range(n)
                ]
            self._choices[what] = list(itertools.accumulate(weights))
        sums = self._choices[what]
        return bisect.bisect_right(sums, rng.random() * sums[-1])


def derivations(
    grammar: Grammar, smallest: int, most: int, count: int, seed: int
) -> tuple[Int[np.ndarray, "lengths count most"], Int[np.ndarray, "lengths count most"]]:
    """Return ``count`` derivations of each length from ``smallest`` to ``most``, padded with 0.

    The kinds of the words of the source, and the order of the target; see `Sampler.draw`.
    """
    sampler, rng = Sampler(grammar, most), random.Random(seed)
    found = np.zeros((2, most - smallest + 1, count, most), np.int32)
    for length in range(smallest, most + 1):
        for i in range(count):
            for array, values in zip(found, sampler.draw(length, rng), strict=True):
                array[length - smallest, i, :length] = values
    return found[0], found[1]
