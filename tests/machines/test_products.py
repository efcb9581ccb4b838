"""Products with a memory are the NumPy one-liners they claim to be, gradients included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from softmachine.machines.parts.products import combine_rows, match_rows, spread

COLUMNS, ROWS = 4, 7
ONE_LINERS = {
    combine_rows: (lambda w, m: w @ m.T, ("heads rows", "columns rows")),
    match_rows: (lambda k, m: k @ m, ("heads columns", "columns rows")),
    spread: (lambda v, w: v.T @ w, ("heads columns", "heads rows")),
}


def random_arrays(shapes, heads):
    rng = np.random.default_rng(heads)
    sizes = {"heads": heads, "columns": COLUMNS, "rows": ROWS}
    return [rng.normal(size=[sizes[axis] for axis in shape.split()]) for shape in shapes]


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("product", ONE_LINERS, ids=["combine_rows", "match_rows", "spread"])
def test_products(product, heads):
    one_liner, shapes = ONE_LINERS[product]
    left, right = random_arrays(shapes, heads)
    with jax.enable_x64(True):
        left, right = jnp.asarray(left), jnp.asarray(right)
        np.testing.assert_allclose(product(left, right), one_liner(left, right), rtol=1e-13)
        check_grads(jax.jit(product), (left, right), order=1, modes=["rev"])
        ours = jax.vjp(product, left, right)[1](jnp.cos(one_liner(left, right)))
        theirs = jax.vjp(one_liner, left, right)[1](jnp.cos(one_liner(left, right)))
        for gradient, expected in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("product", ONE_LINERS, ids=["combine_rows", "match_rows", "spread"])
def test_products_over_a_batch(product):
    one_liner, shapes = ONE_LINERS[product]
    left, right = (jnp.stack([x, 2 * x]) for x in random_arrays(shapes, 2))
    expected = jax.vmap(one_liner)(left, right)
    np.testing.assert_allclose(jax.vmap(product)(left, right), expected, rtol=1e-5, atol=1e-6)
