"""Calls and categories: losses against NumPy, decisions, margins, texts, a person's inputs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.example import Example
from softmachine.core.specs.calls import Calls, Categories

SPEC = Calls(("NOP", "ADD", "PTR"), (("IN", "OUT"), ("LEFT", "RIGHT", "STAY")), (0, 0, 2))
TARGETS = np.array([[0, 2, 1, 0], [1, 1, -1, -1], [1, 0, -1, -1], [0, 2, 0, 2]])


def outputs():
    return np.random.default_rng(0).normal(size=(4, SPEC.width))


def example(mask=(1, 1, 1, 0)):
    mask = jnp.asarray(mask, jnp.float32)
    return Example(jnp.zeros((4, 1)), jnp.asarray(TARGETS, jnp.int32), mask, jnp.asarray(4))


def log_softmax(x):
    return x - np.log(np.exp(x).sum())


def step_loss(row, target):
    """Return the loss of one step, written down anew."""
    end, programs, first, second = np.split(row, [1, 4, 6])
    likely = 1 / (1 + np.exp(-end[0]))
    loss = -np.log(likely if target[0] else 1 - likely) - log_softmax(programs)[target[1]]
    if target[1] == 2:
        loss -= log_softmax(first)[target[2]] + log_softmax(second)[target[3]]
    return loss


def test_the_loss_counts_arguments_where_they_are_taken():
    expected = sum(map(step_loss, outputs()[:3], TARGETS[:3]))
    assert SPEC.loss(jnp.asarray(outputs()), example()) == pytest.approx(expected, rel=1e-5)


def test_what_is_not_scored_costs_nothing():
    assert SPEC.loss(jnp.asarray(outputs()), example((0, 0, 0, 0))) == 0


def logits_for(targets, sure=3.0):
    return jnp.asarray(np.where(SPEC.one_hot(targets), sure, -sure))


def test_right_decisions_are_right_whatever_untaken_arguments_say():
    logits = logits_for(TARGETS).at[1, 4:].set(7.0)
    assert SPEC.decide(logits).tolist() == TARGETS.tolist()
    metrics = SPEC.metrics(logits, example((1, 1, 1, 1)))
    assert metrics["wrong_steps"] == 0
    assert metrics["perfect"] == 1


@pytest.mark.parametrize("channel", [0, 3, 4, 6])
def test_one_wrong_choice_makes_one_wrong_step(channel):
    logits = logits_for(TARGETS)
    wrong = logits.at[0, channel].set(-9.0 if TARGETS[0, 0] or logits[0, channel] > 0 else 9.0)
    metrics = SPEC.metrics(wrong, example((1, 1, 1, 1)))
    assert metrics["wrong_steps"] == 1
    assert metrics["perfect"] == 0
    assert SPEC.metrics(wrong, example((0, 1, 1, 1)))["wrong_steps"] == 0


def test_margins_are_those_of_the_closest_decision():
    row = np.array([[-0.5, 1.0, 4.0, 2.0, 0.0, 0.1, 0.0, 0.0, 0.0]])
    assert SPEC.margins(jnp.asarray(row))[0] == pytest.approx(0.5)  # ADD takes no arguments
    row[0, 0] = -5
    assert SPEC.margins(jnp.asarray(row))[0] == pytest.approx(2.0)
    row[0, 3] = 9  # PTR: the two values of its first place are 0.1 apart, of its second 0
    assert SPEC.margins(jnp.asarray(row))[0] == 0
    row[0, 7] = 0.05
    assert SPEC.margins(jnp.asarray(row))[0] == pytest.approx(0.05)


def test_a_machine_without_a_choice_of_arguments_is_sure_of_them():
    spec = Calls(("NOP", "ACT"), (("ONLY",),), (0, 1))
    assert spec.margins(jnp.array([3.0, 0.0, 2.0, 0.0])) == 2


def test_texts():
    assert SPEC.output_texts(logits_for(TARGETS)) == [
        "PTR OUT LEFT",
        "=> ADD",
        "stop",
        "PTR IN STAY",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((("A", "A"), (), (0, 0)), "two or more distinct names"),
        ((("A",), (), (0,)), "two or more distinct names"),
        ((("A", "B"), (), (0,)), "a number for each of 2 programs, not 1"),
        ((("A", "B"), (), (0, 1)), "numbers of argument places, 0 to 0"),
        ((("A", "B"), (("x",),), (1, 0)), "0 for the first program"),
    ],
)
def test_wrong_declarations(arguments, message):
    with pytest.raises(ValueError, match=message):
        Calls(*arguments)


CATEGORIES = Categories(("carry", "way"), (("0", "1", "-"), ("LEFT", "RIGHT")))


def test_categories_take_texts_channels_and_nothing():
    rows = CATEGORIES.parse([["1", "LEFT"], [None, "RIGHT"]], 5)
    assert rows.tolist() == [[0, 1, 0, 1, 0], [0, 0, 0, 0, 1]]
    assert CATEGORIES.parse(rows.tolist(), 5).tolist() == rows.tolist()
    assert CATEGORIES.input_texts(rows) == ["carry=1 way=LEFT", "way=RIGHT"]
    assert CATEGORIES.labels[0] == "carry=0"
    assert len(CATEGORIES.labels) == CATEGORIES.width


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([["2", "LEFT"]], "carry is one of 0, 1, -; not '2'"),
        ([["1"]], "a value, or null, for each of carry, way: 2, not 1"),
        ([["1", "LEFT"]] * 6, "must not be longer than 5"),
        ([[0, 1]], "5 channels in each step, not 2"),
        ("1", "list of rows"),
    ],
)
def test_wrong_inputs(value, message):
    with pytest.raises(ValueError, match=message):
        CATEGORIES.parse(value, 5)


def test_categories_need_values():
    with pytest.raises(ValueError, match="distinct values"):
        Categories(("a",), (("x", "x"),))
    with pytest.raises(ValueError, match="1 names are given to 2"):
        Categories(("a",), (("x",), ("y",)))
