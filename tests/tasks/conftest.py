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
        keys = jax.random.split(jax.random.key(seed), len(sizes))
        examples = sampler(task, max_size)(keys, jnp.asarray(sizes))
        columns = [np.asarray(column) for column in examples]
        return [Example(*row) for row in zip(*columns, strict=True)]

    return draw
