"""The N-grams task: its statistics, and its optimal predictor against plain Python."""

import collections
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.tasks.sequences.ngrams import NGrams, draw_bits, optimal_bits


def slow_optimal_bits(bits, context):
    """Return the cost of each bit, by the paper's Eq. 10 and a dictionary of counts."""
    seen = collections.defaultdict(lambda: [0, 0])
    costs = []
    for time, bit in enumerate(bits):
        if time < context:
            costs.append(1.0)
            continue
        counts = seen[tuple(bits[time - context : time])]
        one = (counts[1] + 0.5) / (counts[0] + counts[1] + 1)
        costs.append(-math.log2(one if bit else 1 - one))
        counts[bit] += 1
    return costs


@pytest.mark.parametrize("context", [1, 5])
@pytest.mark.parametrize("seed", range(3))
def test_every_input_is_the_bit_before(draw, context, seed):
    sizes = [*range(1, 13)] * 3
    for size, example in zip(
        sizes, draw(NGrams(context=context), sizes, 14, seed), strict=True
    ):
        assert example.inputs[0] == 0
        np.testing.assert_array_equal(example.targets[: size - 1], example.inputs[1:size])
        assert set(np.unique(example.targets)) <= {0.0, 1.0}
        np.testing.assert_array_equal(example.mask[:, 0], [1] * size + [0] * (14 - size))
        assert not example.targets[size:].any()
        assert not example.inputs[size:].any()
        assert example.steps == size


def test_tables_are_beta_distributed():
    """The first four moments of Beta(1/2, 1/2), independent over the contexts."""
    keys = jax.random.split(jax.random.key(0), 5000)
    tables = np.asarray(jax.jit(jax.vmap(NGrams().draw_table))(keys), np.float64)
    assert tables.shape == (5000, 32)
    for power, moment in enumerate([1 / 2, 3 / 8, 5 / 16, 35 / 128], start=1):
        values = tables**power
        assert abs(values.mean() - moment) < 4 * values.std() / math.sqrt(values.size)
    correlations = np.corrcoef(tables.T) - np.eye(32)
    assert np.abs(correlations).max() < 5.5 / math.sqrt(5000)


def test_bits_follow_their_table():
    table = jnp.asarray([0.1, 0.9, 0.5, 0.3, 0.0, 0.6, 0.75, 0.2])
    bits = np.asarray(jax.jit(draw_bits, static_argnums=2)(jax.random.key(1), table, 40_000))
    contexts = 4 * bits[:-3] + 2 * bits[1:-2] + bits[2:-1]
    for context, probability in enumerate(np.asarray(table)):
        after = bits[3:][contexts == context]
        assert len(after) > 500
        spread = math.sqrt(probability * (1 - probability) / len(after))
        assert abs(after.mean() - probability) <= 4 * spread


def test_the_first_bits_are_fair():
    draw = jax.jit(jax.vmap(lambda key: draw_bits(key, jnp.zeros(8), 6)))
    bits = np.asarray(draw(jax.random.split(jax.random.key(2), 2000)))
    assert np.all(np.abs(bits[:, :3].mean(axis=0) - 0.5) < 4 * 0.5 / math.sqrt(2000))
    assert not bits[:, 3:].any()  # the table has no ones


@pytest.mark.parametrize("context", [1, 2, 5])
@pytest.mark.parametrize("steps", [1, 4, 60])
def test_the_optimal_predictor_counts(context, steps):
    generator = np.random.default_rng(steps + context)
    for rate in (0.5, 0.9):
        bits = (generator.random(steps) < rate).astype(int)
        costs = optimal_bits(jnp.asarray(bits), jnp.ones(steps), context=context)
        np.testing.assert_allclose(
            costs, slow_optimal_bits(bits.tolist(), context), rtol=1e-5, atol=1e-6
        )


def test_padding_costs_nothing(draw):
    task = NGrams(context=2)
    [example] = draw(task, [7], 12)
    bits = jnp.asarray(example.targets[:, 0], jnp.int32)
    costs = optimal_bits(bits, jnp.asarray(example.mask[:, 0]), context=2)
    np.testing.assert_allclose(costs[:7], slow_optimal_bits(bits[:7].tolist(), 2), rtol=1e-5)
    assert not costs[7:].any()


@pytest.fixture(scope="module")
def optima():
    """The summed optimal cost of 20,000 sequences, and the same with the table known."""

    def cost(key):
        table_key, bits_key = jax.random.split(key)
        table = NGrams().draw_table(table_key)
        bits = draw_bits(bits_key, table, 200)
        contexts = sum(bits[4 - place : 199 - place] << place for place in range(5))
        likelihood = jnp.where(bits[5:] == 1, table[contexts], 1 - table[contexts])
        known = 5 - jnp.sum(jnp.log2(likelihood))
        return jnp.sum(optimal_bits(bits, jnp.ones(200), context=5)), known

    keys = jax.random.split(jax.random.key(3), 20_000)
    return [np.asarray(costs) for costs in jax.jit(jax.vmap(cost))(keys)]


def test_the_optimal_cost_is_the_published_one(optima):
    """133 bits in the paper's Fig. 13; 132.98 with s.d. 36, from a simulation apart."""
    best, known = optima
    assert abs(best.mean() - 132.98) < 0.5
    assert abs(best.std() - 36) < 1
    assert abs(known.mean() - 103.27) < 0.5


def test_metrics_compare_with_the_optimum(draw):
    task = NGrams()
    score = jax.jit(task.metrics)
    for example in draw(task, [200, 90], 200):
        example = jax.tree.map(jnp.asarray, example)
        steps = int(example.steps)
        guess = score(jnp.zeros((200, 1)), example)
        optimum = sum(slow_optimal_bits(example.targets[:steps, 0].astype(int).tolist(), 5))
        np.testing.assert_allclose(guess["bits"], steps, rtol=1e-5)
        np.testing.assert_allclose(guess["excess_bits"], steps - optimum, rtol=1e-3)

        bits = example.targets[:, 0].astype(int)
        right = 2 ** -optimal_bits(bits, example.mask[:, 0], context=5)
        one = jnp.where(bits == 1, right, 1 - right)
        logits = jnp.where(example.mask[:, 0] > 0, jnp.log(one) - jnp.log1p(-one), 3.0)
        best = score(logits[:, None], example)
        np.testing.assert_allclose(best["excess_bits"], 0, atol=1e-2)


@pytest.mark.parametrize("context", [0, 17])
def test_impossible_contexts_are_refused(context):
    with pytest.raises(ValueError, match=r"context must be at (least 1|most 16), not"):
        NGrams(context=context)
