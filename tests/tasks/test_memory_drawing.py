"""The parts that memory tasks share, against the same in plain Python."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings

from softmachine.tasks.memories.drawing import (
    cells_before_null,
    draw_permutation,
    draw_values,
    label_cells,
    put,
    within,
)


def test_values_are_all_of_the_range_and_no_others():
    values = draw_values(jax.random.key(0), 200, 3, 6)
    assert values.dtype == np.int32
    assert set(values.tolist()) == {3, 4, 5, 6}


@jax.jit
def orders(key, counts):
    draw_one = jax.vmap(draw_permutation, in_axes=(0, 0, None))
    return draw_one(jax.random.split(key, 16), counts, 8)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31 - 1), st.lists(st.integers(0, 8), min_size=16, max_size=16))
def test_an_order_permutes_what_it_counts_and_leaves_the_rest(seed, counts):
    drawn = np.asarray(orders(jax.random.key(seed), jnp.asarray(counts)))
    for order, count in zip(drawn.tolist(), counts, strict=True):
        assert sorted(order[:count]) == [*range(count)]
        assert order[count:] == [*range(count, 8)]


jitted_put = jax.jit(put)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 9), st.integers(0, 5))
def test_put_writes_a_slice(first, count):
    memory, values = np.arange(9), np.arange(100, 105)
    expected = [*memory.tolist(), *[0] * 5]
    expected[first : first + count] = values[:count]
    written = jitted_put(jnp.asarray(memory), first, jnp.asarray(values), count)
    assert written.tolist() == expected[:9]


@settings(deadline=None, max_examples=30)
@given(st.integers(-3, 9), st.integers(0, 12))
def test_within_marks_a_range(first, count):
    marked = np.flatnonzero(within(9, first, count))
    assert marked.tolist() == [c for c in range(first, first + count) if 0 <= c < 9]


def test_labels_outside_the_memory_are_left_out_and_later_ones_count():
    spans = (-1, ["x", "a", "b"]), (1, "cd"), (3, "ef")
    assert label_cells(4, *spans) == ["a", "c", "d", "e"]
    assert label_cells(5, (3, "a")) == ["", "", "", "a", ""]


def test_cells_before_null_stop_at_the_end_of_the_memory():
    assert [cells_before_null([0, 2, 3, 0, 5], first) for first in range(6)] == [
        0,
        2,
        1,
        0,
        1,
        0,
    ]
