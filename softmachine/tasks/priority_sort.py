"""The priority sort task: say vectors again, in the order of their priorities."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.tasks.outputs import Bits
from softmachine.tasks.rendering import Rows, render_bits
from softmachine.tasks.task import Example, Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrioritySort(Task):
    """See ``size`` vectors with priorities; say the highest, in falling order.

    Vectors have ``width`` random bits; priorities, uniform in [-1, 1], have a channel of
    their own. After a delimiter, on another channel, the ``highest`` vectors are due (all,
    if there are fewer). Source: Graves et al. 2014 (arXiv 1410.5401), section 4.5; the
    delimiter is ours.

    >>> task = PrioritySort(width=2, highest=2)
    >>> example = task.sample(jax.random.key(1), 3, max_size=3)
    >>> print(task.render(example))
    input   001...
            110...
    rank    213...
    delim   ...#..
    target  ....00
            ....11

    The paper's targets are the 16 highest of 20 vectors, 128 bits:

    >>> int(PrioritySort().sample(jax.random.key(0), 20, max_size=20).mask.sum())
    128
    """

    width: int = 8
    highest: int = 16
    """How many vectors to say at most."""
    output = Bits()

    def __post_init__(self) -> None:
        """Check the sizes."""
        for name in ("width", "highest"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"priority sort {name} must be at least 1, not {getattr(self, name)}"
                )

    @property
    def input_size(self) -> int:
        """The bits, the priority, the delimiter."""
        return self.width + 2

    @property
    def output_size(self) -> int:
        """The bits."""
        return self.width

    def steps(self, size: int) -> int:
        """Return size + 1 + the number of vectors to say."""
        return size + 1 + min(size, self.highest)

    def items(self, size: int) -> int:
        """Return ``size``: one row per vector."""
        return size

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw ``size`` vectors and their priorities."""
        self.check_size(size, max_size)
        bits_key, priority_key = jax.random.split(key)
        bits = jax.random.bernoulli(bits_key, 0.5, (max_size, self.width)).astype(jnp.float32)
        priorities = jax.random.uniform(priority_key, (max_size,), jnp.float32, -1, 1)
        present = jnp.arange(max_size) < size
        order = jnp.argsort(jnp.where(present, -priorities, jnp.inf))
        time = jnp.arange(self.steps(max_size))
        shown = jnp.column_stack([bits, priorities]) * present[:, None]
        shown = jnp.pad(shown, ((0, len(time) - max_size), (0, 0)))
        due = time - size - 1
        wanted = jnp.minimum(size, self.highest)
        mask = ((due >= 0) & (due < wanted)).astype(jnp.float32)[:, None]
        return Example(
            inputs=jnp.column_stack([shown, (time == size).astype(jnp.float32)]),
            targets=bits[order[due % max_size]] * mask,
            mask=jnp.broadcast_to(mask, (len(time), self.width)),
            steps=jnp.asarray(size + 1 + wanted),
        )

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return rows of bits over time; ranks by last digit, wrong output bits as ``x``."""
        steps = int(example.steps)
        inputs = np.asarray(example.inputs)[:steps]
        size = int(np.argmax(inputs[:, -1]))
        shown = np.arange(steps) < size
        ranks = np.zeros((steps, 1), int)
        ranks[np.argsort(-inputs[:size, -2], kind="stable"), 0] = np.arange(1, size + 1)
        rows = [
            Rows("input", inputs[:, : self.width], shown),
            Rows("rank", ranks % 10, shown),
            Rows("delim", inputs[:, -1:], np.arange(steps) == size, marker="#"),
        ]
        return render_bits(rows, example, outputs, [("target", self.width)])
