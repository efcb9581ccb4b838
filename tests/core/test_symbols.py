"""Symbols against closed forms, and metrics whose means are of what is counted."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.example import Example
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.cells import Cells
from softmachine.core.specs.spec import Last, Ratio, Stream, Whole, each, mean
from softmachine.core.specs.symbols import Symbols

ABC = Symbols("abc")
EXAMPLE = Example(
    inputs=jnp.eye(3)[jnp.array([0, 1, 2, 2])],
    targets=jnp.array([0, 2, 1, 0]),
    mask=jnp.array([0.0, 1.0, 1.0, 1.0]),
    steps=jnp.array(4),
)


def test_guessing_costs_the_logarithm_of_the_alphabet():
    metrics = ABC.metrics(jnp.zeros((4, 3)), EXAMPLE)
    np.testing.assert_allclose(metrics["bits"], 3 * math.log2(3), rtol=1e-6)
    assert float(ABC.worst_error(EXAMPLE)) == 3


def test_the_loss_is_the_cross_entropy_written_out():
    logits = np.asarray(jax.random.normal(jax.random.key(0), (4, 3)))
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -sum(math.log(likely[t, EXAMPLE.targets[t]]) for t in (1, 2, 3))
    np.testing.assert_allclose(ABC.loss(jnp.asarray(logits), EXAMPLE), expected, rtol=1e-5)


def test_wrong_symbols_are_counted_where_they_score():
    said = jnp.array([2, 2, 1, 2])  # the first does not count, the last is wrong
    metrics = ABC.metrics(9 * jax.nn.one_hot(said, 3), EXAMPLE)
    assert float(metrics["wrong_symbols"]) == 1
    assert float(metrics["perfect"]) == 0
    assert (float(metrics["accuracy"].total), float(metrics["accuracy"].count)) == (2, 3)


def test_a_mean_counts_positions_and_is_no_mean_of_means():
    accuracy = Ratio(jnp.array([1.0, 0.0]), jnp.array([1.0, 3.0]))
    assert float(mean(accuracy)) == 0.25
    assert each(accuracy).tolist() == [1, 0]
    assert float(mean(jnp.array([1.0, 0.0]))) == 0.5


def test_an_input_is_a_string_or_one_hot_rows():
    rows = [[0, 1, 0], [1, 0, 0]]
    np.testing.assert_array_equal(ABC.parse("ba", 5), rows)
    np.testing.assert_array_equal(ABC.parse(rows, 5), rows)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("abd", "a string of a b c; it has 'd'"),
        ("", "1 to 5 symbols, not 0"),
        ("aaaaaa", "1 to 5 symbols, not 6"),
        (7, "must be a string of a b c"),
        ([[1, 1, 0]], "a single 1 in each step"),
        ([[0.5, 0.5, 0]], "a single 1 in each step"),
        ([[1, 0]], "3 channels in each step, not 2"),
    ],
)
def test_what_is_no_input_is_refused_in_a_sentence(value, message):
    with pytest.raises(ValueError, match=message):
        ABC.parse(value, 5)


def test_a_trace_shows_letters_as_channels():
    said = jnp.array([2, 2, 1, 2])
    shown = {
        field.name: array
        for field, array in ABC.output_fields(
            9 * jax.nn.one_hot(said, 3), EXAMPLE, ["a", "b", "c"]
        )
    }
    assert shown["wrong"].any(axis=1).tolist() == [False, False, False, True]
    assert not shown["targets"][0].any()  # nothing is due there
    np.testing.assert_allclose(shown["outputs"].sum(axis=1), 1, rtol=1e-6)


def test_an_alphabet_has_distinct_letters():
    with pytest.raises(ValueError, match="distinct letters, not 'aa'"):
        Symbols("aa")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bits(0), r"^Bits\.channels must be at least 1, not 0$"),
        (lambda: Cells(floor=0.0), r"^Cells\.floor must be positive, not 0\.0$"),
        (lambda: Stream(Bits), r"^Stream\.spec must be a Spec, not <class"),
        (lambda: Whole(None), r"^Whole\.spec must be a Spec, not None$"),
        (lambda: Last(3), r"^Last\.spec must be a Spec, not 3$"),
    ],
)
def test_a_declaration_of_another_kind_is_refused(make, message):
    with pytest.raises((ValueError, TypeError)) as refused:
        make()
    if isinstance(refused.value, ValueError):  # the tests' own check of types may be first
        refused.match(message)
