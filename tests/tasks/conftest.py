"""Examples as NumPy arrays, drawn by one compiled program per task."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.tasks.task import Example


@functools.cache
def sampler(task, max_size):
    return jax.jit(jax.vmap(functools.partial(task.sample, max_size=max_size)))


@pytest.fixture(scope="session")
def draw():
    """Return ``(task, sizes, max_size, seed) -> examples``, of different sizes at once."""

    def draw(task, sizes, max_size, seed=0):
        # Few numbers of examples are compiled: the last size is drawn some times too often.
        count = max(32, 1 << (len(sizes) - 1).bit_length())
        padded = [*sizes, *[sizes[-1]] * (count - len(sizes))]
        keys = jax.random.split(jax.random.key(seed), count)
        examples = sampler(task, max_size)(keys, jnp.asarray(padded))
        columns = [np.asarray(column)[: len(sizes)] for column in examples]
        return [Example(*row) for row in zip(*columns, strict=True)]

    return draw
