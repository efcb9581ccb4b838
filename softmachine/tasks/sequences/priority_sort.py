"""The priority sort task: output vectors in the order of their priorities."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Count, Natural, check_fields
from softmachine.core.rendering import Rows
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.spec import Stream
from softmachine.tasks.published import PaperTest, as_published, figures
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, Example, SequenceTask, place_targets


@task("priority-sort")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PrioritySort(SequenceTask):
    """Read vectors with priorities; output the ``size`` highest, in decreasing order.

    Inputs are more than ``size`` vectors of ``width`` random bits, each with a priority,
    uniform in [-1, 1], on a channel of its own. After a delimiter, on another channel, the
    ``size`` vectors of highest priority are the targets. The number of further vectors is
    uniform in ``surplus`` for every example. Source: Graves et al. 2014 (arXiv 1410.5401),
    section 4.5; the delimiter is ours.

    >>> task = PrioritySort(width=2, surplus=(1, 1))
    >>> example = task.sample(jax.random.key(1), 2, max_size=2)
    >>> print(task.render(example))
    input   001...
            110...
    rank    213...
    delim   ...#..
    target  ....00
            ....11

    The paper's targets are the 16 highest of 20 vectors, 128 bits:

    >>> int(PrioritySort().sample(jax.random.key(0), 16, max_size=16).mask.sum())
    128
    """

    width: Count = 8
    """The number of bits of a vector."""
    surplus: tuple[Natural, Natural] = (4, 4)
    """The fewest and the most vectors that are inputs but not targets."""

    def __post_init__(self) -> None:
        """Check the width and the range of the surplus."""
        check_fields(self)
        fewest, most = self.surplus
        if fewest > most:
            raise ValueError(
                f"priority sort surplus must be (fewest, most), not {fewest, most}"
            )

    @property
    def inputs(self) -> Stream[Bits]:
        """The bits, and channels for the priority and the delimiter."""
        return Stream(Bits(self.width + 2))

    @property
    def outputs(self) -> Stream[Bits]:
        """The bits of the sorted vectors."""
        return Stream(Bits(self.width))

    def steps(self, size: int) -> int:
        """Return the largest number of steps: all vectors, the delimiter, the targets."""
        return self.items(size) + 1 + size

    def items(self, size: int) -> int:
        """Return the largest number of input vectors: one memory row each."""
        return size + self.surplus[1]

    @property
    def input_labels(self) -> list[str]:
        """The bits, and channels for the priority and the delimiter."""
        return [*super().input_labels[:-2], "priority", "delimiter"]

    def answer(self, inputs: Float[np.ndarray, "steps inputs"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example."""
        count = int(np.argmax(inputs[:, -1]))
        size = len(inputs) - count - 1
        if not 1 <= size <= count:
            return None
        expected = np.zeros(inputs.shape, np.float32)
        expected[:count, : self.width] = inputs[:count, : self.width] > 0
        expected[:count, -2] = inputs[:count, -2]
        expected[count, -1] = 1
        if not np.array_equal(inputs, expected):
            return None
        order = np.argsort(-inputs[:count, -2], kind="stable")[:size]
        return place_targets(expected[order, : self.width], count + 1, len(inputs))

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw the vectors, their priorities, and their number."""
        self.check_size(size, max_size)
        most = self.items(max_size)
        bits_key, priority_key, surplus_key = jax.random.split(key, 3)
        fewest_more, most_more = self.surplus
        count = size + jax.random.randint(surplus_key, (), fewest_more, most_more + 1)
        bits = jax.random.bernoulli(bits_key, 0.5, (most, self.width)).astype(jnp.float32)
        priorities = jax.random.uniform(priority_key, (most,), jnp.float32, -1, 1)
        present = jnp.arange(most) < count
        order = jnp.argsort(jnp.where(present, -priorities, jnp.inf))  # padding last
        time = jnp.arange(self.steps(max_size))
        shown = jnp.where(present[:, None], jnp.column_stack([bits, priorities]), 0)
        shown = jnp.pad(shown, ((0, len(time) - most), (0, 0)))
        rank = time - count - 1  # of the target at each step
        mask = ((rank >= 0) & (rank < size)).astype(jnp.float32)[:, None]
        return Example(
            inputs=jnp.column_stack([shown, (time == count).astype(jnp.float32)]),
            targets=bits[order[rank % most]] * mask,
            mask=jnp.broadcast_to(mask, (len(time), self.width)),
            steps=jnp.asarray(count + 1 + size),
        )

    def published_tests(self) -> list[PaperTest]:
        """Return the test of section 4.5."""
        test = PaperTest(
            name="16 of 20 vectors",
            task=dataclasses.replace(self, surplus=(4, 4)),
            size=16,
            published=figures(
                "section 4.5, learning curves at a million sequences", 18.0, 20.0, 58.0
            ),
        )
        return as_published(self, [test])

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return rows of bits over time; wrong output bits are marked ``x``.

        Priorities are shown as ranks, of which only the last digit.
        """
        steps = int(example.steps)
        inputs = np.asarray(example.inputs)[:steps]
        count = int(np.argmax(inputs[:, -1]))
        shown = np.arange(steps) < count
        ranks = np.zeros((steps, 1), int)
        ranks[np.argsort(-inputs[:count, -2], kind="stable"), 0] = np.arange(1, count + 1)
        rows = [
            Rows("input", inputs[:, : self.width], shown),
            Rows("rank", ranks % 10, shown),
            Rows("delim", inputs[:, -1:], np.arange(steps) == count, marker="#"),
        ]
        return self.outputs.spec.render(rows, example, outputs)
