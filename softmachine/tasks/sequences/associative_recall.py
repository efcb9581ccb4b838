"""The associative recall task: given one item of a list, output its neighbour."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Count, check_fields
from softmachine.core.rendering import Rows
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.spec import Stream
from softmachine.tasks.published import PaperTest, as_published, figures
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, Example, SequenceTask, place_targets


@task("associative-recall")
@dataclasses.dataclass(frozen=True, kw_only=True)
class AssociativeRecall(SequenceTask):
    """Read ``size`` items, then one of them again; output the item that followed it.

    An item is ``item_length`` random vectors of ``width`` bits, with a delimiter before
    it on a channel of its own. The query, any item but the last, stands between two query
    delimiters, on another channel. Source: Graves et al. 2014 (arXiv 1410.5401), section
    4.3.

    >>> task = AssociativeRecall(width=2, item_length=2)
    >>> example = task.sample(jax.random.key(0), 3, max_size=3)
    >>> print(task.render(example))
    input   .01.10.01.01...
            .11.01.10.11...
    item    #..#..#........
    query   .........#..#..
    target  .............10
            .............01

    The paper's items have 18 bits:

    >>> int(AssociativeRecall().sample(jax.random.key(0), 3, max_size=6).mask.sum())
    18
    """

    width: Count = 6
    """The number of bits of a vector."""
    item_length: Count = 3
    """The number of vectors of an item."""
    recalled: Literal["next", "previous"] = "next"
    """The item after the query, which is never the last one; or the one before it, and of the
    first item the last, as the blog "Neural Turing Machines" (2017) has the task."""
    smallest = 2

    def __post_init__(self) -> None:
        """Check width and length."""
        check_fields(self)

    @property
    def inputs(self) -> Stream[Bits]:
        """The bits, and channels for the item delimiter and the query delimiter."""
        return Stream(Bits(self.width + 2))

    @property
    def outputs(self) -> Stream[Bits]:
        """The bits of the item to recall."""
        return Stream(Bits(self.width))

    def steps(self, size: Any) -> Any:
        """Return the number of steps for the items, the delimited query, and the answer."""
        return (self.item_length + 1) * size + 2 * self.item_length + 2

    def items(self, size: int) -> int:
        """Return ``item_length * size``: one memory row per vector."""
        return self.item_length * size

    @property
    def input_labels(self) -> list[str]:
        """The bits, and channels for the item delimiter and the query delimiter."""
        return [*super().input_labels[:-2], "item", "query"]

    def answer(self, inputs: Float[np.ndarray, "steps inputs"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example.

        If several items equal the query, the first of them is meant.
        """
        block = self.item_length + 1
        count = len(inputs) // block - 2
        if count < 2 or len(inputs) != self.steps(count):
            return None
        time, asked = np.arange(len(inputs)), block * count
        bits = inputs[: asked + block, :-2].reshape(count + 1, block, self.width) > 0
        expected = np.zeros(inputs.shape, np.float32)
        bits[:, 0] = 0
        expected[: asked + block, :-2] = bits.reshape(-1, self.width)
        expected[:, -2] = (time < asked) & (time % block == 0)
        expected[[asked, asked + block], -1] = 1
        askable = bits[:-1] if self.recalled == "previous" else bits[:-2]
        meant = np.flatnonzero((askable == bits[-1]).all(axis=(1, 2)))
        if not len(meant) or not np.array_equal(inputs, expected):
            return None
        found = (meant[0] - 1) % count if self.recalled == "previous" else meant[0] + 1
        return place_targets(bits[found, 1:], asked + block + 1, len(inputs))

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw ``size`` items, at least two, and the item to query."""
        self.check_size(size, max_size)
        bits_key, query_key = jax.random.split(key)
        shape = (max_size, self.item_length, self.width)
        bits = jax.random.bernoulli(bits_key, 0.5, shape).astype(jnp.float32)
        backwards = self.recalled == "previous"
        query = jax.random.randint(query_key, (), 0, size if backwards else size - 1)
        found = (query - 1) % size if backwards else query + 1
        block, place = self.item_length + 1, self.item_length
        time = jnp.arange(self.steps(max_size))
        listed = time < block * size
        asked = block * size  # the first query delimiter
        closed = asked + block  # the second
        # A zero vector before each item, at the step of its delimiter.
        with_gap = jnp.pad(bits, ((0, 0), (1, 0), (0, 0))).reshape(-1, self.width)
        items = jnp.pad(with_gap, ((0, len(time) - len(with_gap)), (0, 0)))
        question = bits[query][(time - asked - 1) % place]
        answer = bits[found][(time - closed - 1) % place]
        in_question = (time > asked) & (time < closed)
        mask = ((time > closed) & (time <= closed + place)).astype(jnp.float32)[:, None]
        inputs = jnp.where(listed[:, None], items, 0)
        inputs += jnp.where(in_question[:, None], question, 0)
        item_delimiter = (listed & (time % block == 0)).astype(jnp.float32)
        query_delimiter = ((time == asked) | (time == closed)).astype(jnp.float32)
        return Example(
            inputs=jnp.column_stack([inputs, item_delimiter, query_delimiter]),
            targets=answer * mask,
            mask=jnp.broadcast_to(mask, (len(time), self.width)),
            steps=jnp.asarray(self.steps(size)),
        )

    def published_tests(self) -> list[PaperTest]:
        """Return the tests of section 4.3, by number of items; none of the previous item."""
        if self.recalled == "previous":
            return []
        published = {
            6: (0.0, 0.0, 2.0),
            10: (1.8, 0.0, 36.5),
            15: (4.8, 1.5, 40.0),
            20: (7.0, 8.0, 38.5),
        }
        findings = {
            15: "NTM with a feed-forward controller: below 1 bit (section 4.3, in words)"
        }
        tests = [
            PaperTest(
                name=f"{size} items",
                task=self,
                size=size,
                published=figures("section 4.3, curve of generalisation", *bits),
                finding=findings.get(size, ""),
            )
            for size, bits in published.items()
        ]
        return as_published(self, tests)

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return rows of bits over time; wrong output bits are marked ``x``."""
        steps = int(example.steps)
        inputs = np.asarray(example.inputs)[:steps]
        item, query = inputs[:, -2] > 0, inputs[:, -1] > 0
        answered = np.asarray(example.mask)[:steps].max(axis=1) > 0
        rows = [
            Rows("input", inputs[:, : self.width], ~item & ~query & ~answered),
            Rows("item", inputs[:, -2:-1], item, marker="#"),
            Rows("query", inputs[:, -1:], query, marker="#"),
        ]
        return self.outputs.spec.render(rows, example, outputs)
