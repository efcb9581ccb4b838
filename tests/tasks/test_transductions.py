"""Sequence transductions against plain Python, and grammars against counting derivations."""

import dataclasses
import itertools
import random
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.example import Example
from softmachine.tasks.languages.grammars import GRAMMARS, Grammar, Rule, Sampler
from softmachine.tasks.languages.transductions import PAIRS, Reordering
from softmachine.tasks.languages.translations import Translation

PLAIN = {
    "copy": lambda text: text,
    "reverse": lambda text: text[::-1],
    "flip-bigrams": lambda text: "".join(b + a for a, b in zip(text[::2], text[1::2])),  # noqa: B905
}
GRAMMAR = pytest.mark.parametrize("grammar", GRAMMARS)


def test_every_symbol_has_two_letters():
    lower, upper = zip(*PAIRS[:128], strict=True)
    assert len({*lower, *upper}) == 256


@pytest.mark.parametrize("operation", PLAIN)
def test_what_is_drawn_is_what_python_says(operation, draw):
    task = Reordering(operation=operation, symbols=5)
    for size, example in zip([2, 3, 4, 7] * 8, draw(task, [2, 3, 4, 7] * 8, 7), strict=True):
        steps = int(example.steps)
        text = "".join(task.inputs.spec.alphabet[i] for i in example.inputs[:steps].argmax(1))
        source, target = text[1:].split("|")
        assert len(source) == size - size % 2 * (operation == "flip-bigrams")
        assert target == PLAIN[operation](source).upper()
        written = "".join(task.outputs.spec.alphabet[i] for i in example.targets[:steps])
        assert written[len(source) + 1 :] == target + "]"
        np.testing.assert_array_equal(example.mask[:steps], [0] * (len(source) + 1) + [1] * (
            len(target) + 1
        ))  # fmt: skip
        assert not example.inputs[steps:].any()
        assert not example.mask[steps:].any()
        targets, mask = task.answer(example.inputs[:steps])
        np.testing.assert_array_equal(targets, example.targets[:steps])
        np.testing.assert_array_equal(mask, example.mask[:steps])


def test_golden_bigrams():
    flipped = Reordering(operation="flip-bigrams").solve(jnp.array([7, 3, 9, 1]), 4)
    assert flipped.tolist() == [3, 7, 1, 9]


def test_inputs_that_are_no_example_have_no_answer():
    task = Reordering(operation="reverse", symbols=3)
    for text in ("[ab|AB", "ab|BA", "[|", "[ab", "[aB|BA"):
        assert task.answer(task.inputs.spec.parse(text, 100)) is None
    odd = Reordering(operation="flip-bigrams", symbols=3)
    assert odd.answer(odd.inputs.spec.parse("[abc|BA", 100)) is None


def test_the_fine_accuracy_ends_at_the_first_mistake():
    task = Reordering(symbols=3)
    example = task.own_example("abca", most=100)
    right = 9.0 * jax.nn.one_hot(example.targets, 4)
    scores = [task.metrics(right, example)]
    for place in (5, 7, 9):  # the first symbol, the third, the end
        mistaken = right.at[place].set(jnp.roll(right[place], 1))
        scores.append(task.metrics(mistaken, example))
    np.testing.assert_allclose([x["fine"] for x in scores], [1, 0, 0.4, 0.8])
    assert [float(x["perfect"]) for x in scores] == [1, 0, 0, 0]


def all_of(grammar, name, most):
    """Return all derivations of at most so many words with their probabilities: brute force."""
    if name in grammar.words:
        return {((name,), (0,)): 1.0}
    found = Counter()
    for rule in grammar.rules[name]:
        room = most - len(rule.source) + 1
        parts = [all_of(grammar, item, room) if room > 0 else {} for item in rule.source]
        for chosen in itertools.product(*(part.items() for part in parts)):
            kinds, orders, chance = (), [], rule.probability
            for (own, order), likely in chosen:
                orders.append(tuple(len(kinds) + place for place in order))
                kinds, chance = kinds + own, chance * likely
            wanted = range(len(orders)) if rule.target is None else rule.target
            if len(kinds) <= most:
                found[kinds, sum((orders[i] for i in wanted), ())] += chance
    return found


@GRAMMAR
def test_probabilities_of_lengths_are_those_of_all_derivations(grammar):
    most = {"svo-sov": 6, "gender": 8}[grammar]
    expected = np.zeros(most + 1)
    for (kinds, _), chance in all_of(GRAMMARS[grammar], "A", most).items():
        expected[len(kinds)] += chance
    inside = Sampler(GRAMMARS[grammar], most).inside["A"]
    np.testing.assert_allclose(inside, expected, atol=1e-12)


@GRAMMAR
def test_rules_are_distributions(grammar):
    for rules in GRAMMARS[grammar].rules.values():
        assert sum(rule.probability for rule in rules) == pytest.approx(1)


def test_shares_of_lengths_are_those_of_many_draws():
    """Of 20,000 derivations drawn without a limit: 36 % and 1.7 %, 11 % and 0.2 %."""
    for grammar, shares in (("svo-sov", (0.36, 0.017)), ("gender", (0.11, 0.002))):
        inside = Sampler(GRAMMARS[grammar], 128).inside["A"]
        found = inside[8:65].sum(), inside[65:].sum()
        np.testing.assert_allclose(found, shares, atol=0.005)


def test_derivations_are_as_likely_as_they_are_among_those_of_their_length():
    """An inversion and two ways to split, against all derivations of that length."""
    toy = Grammar(
        "X",
        {"X": (Rule(0.5, ("X", "Y"), (1, 0)), Rule(0.5, ("y",))), "Y": (
            Rule(0.25, ("Y", "Y")), Rule(0.75, ("x",)),
        )},
        {"x": (("a", "b"),), "y": (("c", "d"),)},
    )  # fmt: skip
    every = {k: p for k, p in all_of(toy, "X", 4).items() if len(k[0]) == 4}
    sampler, rng = Sampler(toy, 4), random.Random(0)
    drawn = Counter()
    for _ in range(4000):
        kinds, order = sampler.draw(4, rng)
        drawn[tuple(sampler.kinds[kind] for kind in kinds), tuple(order)] += 1
    assert set(drawn) == set(every)
    total = sum(every.values())
    for which, chance in every.items():
        assert abs(drawn[which] / 4000 - chance / total) < 0.04
    with pytest.raises(ValueError, match="no sentence of 5 words"):
        sampler.draw(5, rng)


@GRAMMAR
def test_sentences_are_translated_word_for_word(grammar, draw):
    task = Translation(grammar=grammar, most=12, count=4)
    for example in draw(task, [5, 8, 12, 9], 12):
        source, target = (side.split() for side in task.words(example).split("|||"))
        assert len(source) == len(target) == (int(example.steps) - 2) // 2
        if grammar == "gender":
            nouns = {"m": {"der", "ein"}, "f": {"die", "eine"}, "n": {"das", "ein"}}
            own = {"or": "oder", "and": "und"}
            for i, (a, b) in enumerate(zip(source, target, strict=True)):
                if a in ("the", "a"):
                    assert b in nouns[source[i + 1][0]]
                    assert b.startswith("e") == (a == "a")
                else:
                    assert b == own.get(a, a.replace("e", "g", 1))
        else:
            assert sorted(word.replace("i", "o", 1) for word in source) == sorted(target)
            assert target[-1][0] == "v"  # the verb of the whole sentence comes last


def test_held_out_derivations_are_others_and_reach_further():
    task = Translation(most=10, count=2)
    assert task.held_out() == dataclasses.replace(task, seed=1)
    assert task.held_out(larger=True).largest == 128
    assert task.held_out().data().kinds.tolist() != task.data().kinds.tolist()
    with pytest.raises(ValueError, match="take most=11 for longer sentences"):
        task.sample(jax.random.key(0), 11, max_size=11)
    assert isinstance(task.sample(jax.random.key(0), 10, max_size=10), Example)
