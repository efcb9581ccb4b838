"""Copy with reuse: copy one pattern after another, more than a memory can hold at once."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from softmachine.core.choices import Count, check_fields
from softmachine.core.rendering import Rows
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.spec import Stream
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, Example, SequenceTask


class _Places(NamedTuple):
    """Where each step is: in which pattern's block, and which step of the block it is."""

    block: Int[Array, " steps"]
    place: Int[Array, " steps"]
    length: Int[Array, " steps"]
    """How many vectors the block's pattern has; its block is ``2 * length + 2`` steps long."""
    valid: Bool[Array, " steps"]


@task("copy-reuse")
@dataclasses.dataclass(frozen=True, kw_only=True)
class CopyReuse(SequenceTask):
    """Copy ``size`` patterns of random vectors, one after another.

    A pattern is its vectors of ``width`` bits, then a marker on a channel of its own, then
    zeros, at which the vectors are the targets, and at last a marker of the machine's own. Each
    pattern has a length of its own, uniform in ``lengths``. A memory with room for one pattern
    will do if what has been copied is freed. Source: Graves et al. 2016 (doi
    10.1038/nature20101), extended data figure 1, there 10 patterns of 5 vectors; layout and
    sizes: the public code of Csordas & Schmidhuber 2019 (arXiv 1904.10278), which scores the
    steps before a copy, too.

    >>> task = CopyReuse(width=2, lengths=(1, 3))
    >>> example = task.sample(jax.random.key(2), 2, max_size=2)
    >>> print(task.render(example))
    input   010.....0...
            001.....0...
    marker  ...#.....#..
    target  ....0100..00
            ....0010..00
    end     ....0001..01

    Shorter examples are padded; padding is not scored:

    >>> example = task.sample(jax.random.key(2), 1, max_size=2)
    >>> example.inputs.shape, int(example.steps), example.mask[:9, 0].tolist()
    ((16, 3), 8, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    """

    width: Count = 8
    """The number of bits of a vector."""
    lengths: tuple[Count, Count] = (2, 14)
    """The smallest and the largest number of vectors of a pattern."""

    def __post_init__(self) -> None:
        """Check the width and the lengths."""
        check_fields(self)
        shortest, longest = self.lengths
        if shortest > longest:
            raise ValueError(
                f"copy with reuse lengths must be (shortest, longest), not {shortest, longest}"
            )

    @property
    def inputs(self) -> Stream[Bits]:
        """The bits, and a channel for the marker after a pattern."""
        return Stream(Bits(self.width + 1))

    @property
    def outputs(self) -> Stream[Bits]:
        """The bits, and a channel for the marker after a copy."""
        return Stream(Bits(self.width + 1))

    def steps(self, size: Any) -> Any:
        """Return the steps of ``size`` patterns of the largest length."""
        return size * (2 * self.lengths[1] + 2)

    def items(self, size: int) -> int:
        """Return the vectors of one pattern: the others can be forgotten."""
        del size
        return self.lengths[1]

    @property
    def input_labels(self) -> list[str]:
        """The bits, and a channel for the marker."""
        return [*super().input_labels[:-1], "marker"]

    @property
    def output_labels(self) -> list[str]:
        """The bits, and a channel for the marker."""
        return [*super().output_labels[:-1], "marker"]

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw ``size`` patterns and their lengths."""
        self.check_size(size, max_size)
        bits_key, length_key = jax.random.split(key)
        shortest, longest = self.lengths
        shape = (max_size, longest, self.width)
        bits = jax.random.bernoulli(bits_key, 0.5, shape).astype(jnp.float32)
        drawn = jax.random.randint(length_key, (max_size,), shortest, longest + 1)
        lengths = jnp.where(jnp.arange(max_size) < size, drawn, 0)
        at = _places(lengths, self.steps(max_size), size)

        def vectors(first, shown):
            place = jnp.clip(at.place - first, 0, longest - 1)
            return jnp.where(shown[:, None], bits[at.block, place], 0)

        copy = at.length + 1
        marker = at.valid & (at.place == at.length)
        end = at.valid & (at.place == 2 * at.length + 1)
        copied = at.valid & (at.place >= copy)
        pattern = vectors(0, at.valid & (at.place < at.length))
        answer = vectors(copy, copied & ~end)
        mask = copied.astype(jnp.float32)[:, None]
        return Example(
            inputs=jnp.column_stack([pattern, marker.astype(jnp.float32)]),
            targets=jnp.column_stack([answer, end.astype(jnp.float32)]),
            mask=jnp.broadcast_to(mask, (len(mask), self.output_size)),
            steps=jnp.sum(jnp.where(lengths > 0, 2 * lengths + 2, 0)).astype(jnp.int32),
        )

    def answer(self, inputs: Float[np.ndarray, "steps inputs"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example, of any lengths."""
        targets = np.zeros((len(inputs), self.output_size), np.float32)
        mask = np.zeros_like(targets)
        first = 0
        while first < len(inputs):
            length = int(np.argmax(inputs[first:, -1] > 0))
            block = inputs[first : first + 2 * length + 2]
            expected = np.zeros((2 * length + 2, self.input_size), np.float32)
            expected[:length, :-1] = block[:length, :-1] > 0
            expected[length, -1] = 1
            if length < 1 or not np.array_equal(block, expected):
                return None
            copy = slice(first + length + 1, first + 2 * length + 1)
            targets[copy, :-1], targets[copy.stop, -1] = expected[:length, :-1], 1
            mask[copy.start : copy.stop + 1] = 1
            first = copy.stop + 1
        return (targets, mask) if len(inputs) else None

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return rows of bits over time; wrong output bits are marked ``x``."""
        steps = int(example.steps)
        inputs = np.asarray(example.inputs)[:steps]
        marker = inputs[:, -1] > 0
        copied = np.asarray(example.mask)[:steps].max(axis=1) > 0
        rows = [
            Rows("input", inputs[:, :-1], ~marker & ~copied),
            Rows("marker", inputs[:, -1:], marker, marker="#"),
        ]
        return self.outputs.spec.render(
            rows, example, outputs, [("target", self.width), ("end", 1)]
        )


def _places(
    lengths: Int[Array, " patterns"], steps: int, size: Int[Array, ""] | int
) -> _Places:
    """Return where each of ``steps`` steps is among patterns of these lengths."""
    ends = jnp.cumsum(2 * lengths + 2)
    time = jnp.arange(steps)
    passed = jnp.sum(time[:, None] >= ends, axis=1)
    block = jnp.minimum(passed, len(lengths) - 1)
    begun = jnp.where(block > 0, ends[block - 1], 0)
    return _Places(block, time - begun, lengths[block], passed < size)
