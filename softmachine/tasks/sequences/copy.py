"""The copy task: read a sequence of random bit vectors, then output it again."""

from __future__ import annotations

import dataclasses
from typing import Any

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


@task("copy")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Copy(SequenceTask):
    """Copy ``size`` random vectors of ``width`` bits.

    Inputs are the vectors, then a delimiter on a channel of its own, then zeros for ``size``
    steps, at which the same vectors are the targets. Source: Graves et al. 2014 (arXiv
    1410.5401), section 4.1.

    >>> example = Copy(width=3).sample(jax.random.key(0), 2, max_size=2)
    >>> print(Copy(width=3).render(example))
    input   01...
            00...
            11...
    delim   ..#..
    target  ...01
            ...00
            ...11

    Shorter examples are padded; padding is not scored:

    >>> example = Copy(width=3).sample(jax.random.key(0), 1, max_size=2)
    >>> example.inputs.shape, int(example.steps), example.mask[:, 0].tolist()
    ((5, 4), 3, [0.0, 0.0, 1.0, 0.0, 0.0])
    """

    width: Count = 8
    """The number of bits of a vector."""

    def __post_init__(self) -> None:
        """Check the width."""
        check_fields(self)

    @property
    def inputs(self) -> Stream[Bits]:
        """The bits, and a channel for the delimiter."""
        return Stream(Bits(self.width + 1))

    @property
    def outputs(self) -> Stream[Bits]:
        """The bits of the copy."""
        return Stream(Bits(self.width))

    def steps(self, size: Any) -> Any:
        """Return ``2 * size + 1``: the sequence, the delimiter, the copy."""
        return 2 * size + 1

    def items(self, size: int) -> int:
        """Return ``size``: one memory row per vector."""
        return size

    @property
    def input_labels(self) -> list[str]:
        """The bits, and a channel for the delimiter."""
        return [*super().input_labels[:-1], "delimiter"]

    def answer(self, inputs: Float[np.ndarray, "steps inputs"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example."""
        size = len(inputs) // 2
        expected = np.zeros((self.steps(size), self.input_size), np.float32)
        expected[:size, :-1] = inputs[:size, :-1] > 0
        expected[size, -1] = 1
        if size < 1 or not np.array_equal(inputs, expected):
            return None
        return place_targets(expected[:size, :-1], size + 1, len(inputs))

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw ``size`` vectors."""
        self.check_size(size, max_size)
        bits = jax.random.bernoulli(key, 0.5, (max_size, self.width)).astype(jnp.float32)
        time = jnp.arange(self.steps(max_size))[:, None]
        padded = jnp.pad(bits, ((0, max_size + 1), (0, 0)))
        delimiter = (time == size).astype(jnp.float32)
        mask = ((time > size) & (time < self.steps(size))).astype(jnp.float32)
        # Shapes do not depend on the size: targets are the padded inputs, size + 1 steps later.
        return Example(
            inputs=jnp.concatenate([jnp.where(time < size, padded, 0), delimiter], axis=1),
            targets=jnp.roll(padded, size + 1, axis=0) * mask,
            mask=jnp.broadcast_to(mask, (len(time), self.width)),
            steps=jnp.asarray(self.steps(size)),
        )

    def published_tests(self) -> list[PaperTest]:
        """Return the tests of section 4.1, by sequence length."""
        outcome = "a few local errors and one vector said twice (section 4.1); no number given"
        findings = {120: f"NTM: {outcome}"}
        tests = [
            PaperTest(
                name=f"length {size}",
                task=self,
                size=size,
                published=figures(),
                finding=findings.get(size, ""),
            )
            for size in (10, 20, 30, 50, 120)
        ]
        return as_published(self, tests)

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return rows of bits over time; wrong output bits are marked ``x``."""
        steps = int(example.steps)
        inputs = np.asarray(example.inputs)[:steps]
        rows = [
            Rows("input", inputs[:, :-1], np.arange(steps) < steps // 2),
            Rows("delim", inputs[:, -1:], inputs[:, -1] > 0, marker="#"),
        ]
        return self.outputs.spec.render(rows, example, outputs)
