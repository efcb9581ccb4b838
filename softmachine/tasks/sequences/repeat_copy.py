"""The repeat copy task: output a sequence a given number of times, then an end marker."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, Count, check_fields
from softmachine.core.rendering import Rows
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.spec import Stream
from softmachine.tasks.published import PaperTest, as_published, figures
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, Example, SequenceTask, place_targets


@task("repeat-copy")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RepeatCopy(SequenceTask):
    """Copy ``size`` random vectors of ``width`` bits R times, then raise an end marker.

    Inputs are the vectors, a delimiter on a channel of its own, then R on another channel,
    normalised to mean 0 and variance 1 over ``normalized_over``. The end marker has an output
    channel of its own. R is uniform in ``repeats`` for every example. Source:
    Graves et al. 2014 (arXiv 1410.5401), section 4.2; widths from its parameter counts.

    >>> task = RepeatCopy(width=2, repeats=(2, 3))
    >>> example = task.sample(jax.random.key(0), 2, max_size=2)
    >>> print(task.render(example))
    input   01.......
            11.......
    delim   ..#......
    R = 2   ...#.....
    target  ....01010
            ....11110
    end     ....00001

    The number of repeats can be fixed, as in the paper's test of generalisation:

    >>> fixed = RepeatCopy(repeats=(20, 20))
    >>> int(fixed.sample(jax.random.key(0), 10, max_size=10).steps)
    213
    """

    width: Count = 6
    """The number of bits of a vector."""
    repeats: tuple[Count, Count] = (1, 10)
    """The smallest and the largest R."""
    normalized_over: tuple[int, int] = (1, 10)
    """The range of R (uniform) whose mean and standard deviation normalise the input."""
    noise: Annotated[float, Bounds(least=0, below=0.5)] = 0.0
    """The half-width of uniform noise that is added to R in the input during training.

    It teaches a counter whose state moves by equal amounts for one repeat and for a change of R
    by 1. Held-out examples have no noise."""

    def __post_init__(self) -> None:
        """Check the width and the ranges."""
        check_fields(self)
        fewest, most = self.repeats
        if fewest > most:
            raise ValueError(f"repeat copy repeats must be (fewest, most), not {fewest, most}")
        low, high = self.normalized_over
        if not low < high:
            raise ValueError(
                f"repeat copy normalized_over must be a range of at least two numbers, not "
                f"{low, high}"
            )

    def held_out(self, *, larger: bool = False) -> RepeatCopy:
        """Return the task without noise, for validation and tests."""
        del larger
        return dataclasses.replace(self, noise=0.0)

    @property
    def inputs(self) -> Stream[Bits]:
        """The bits, and channels for the delimiter and the number of repeats."""
        return Stream(Bits(self.width + 2))

    @property
    def outputs(self) -> Stream[Bits]:
        """The bits, and a channel for the end marker."""
        return Stream(Bits(self.width + 1))

    def steps(self, size: int) -> int:
        """Return the largest number of steps.

        The sequence, the delimiter, R, the repeats, the end marker.
        """
        return size + 2 + size * self.repeats[1] + 1

    def items(self, size: int) -> int:
        """Return ``size``: one memory row per vector."""
        return size

    @property
    def input_labels(self) -> list[str]:
        """The bits, and channels for the delimiter and the number of repeats."""
        return [*super().input_labels[:-2], "delimiter", "repeats"]

    @property
    def output_labels(self) -> list[str]:
        """The bits, and a channel for the end marker."""
        return [*super().output_labels[:-1], "end"]

    def answer(self, inputs: Float[np.ndarray, "steps inputs"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example."""
        size = int(np.argmax(inputs[:, self.width]))
        repeats, rest = divmod(len(inputs) - size - 3, max(size, 1))
        if size < 1 or repeats < 1 or rest:
            return None
        expected = np.zeros(inputs.shape, np.float32)
        expected[:size, : self.width] = inputs[:size, : self.width] > 0
        expected[size, self.width] = 1
        expected[size + 1, -1] = inputs[size + 1, -1]
        lowest, highest = (self.normalize(repeats + x) for x in (-self.noise, self.noise))
        in_range = lowest - 1e-3 <= inputs[size + 1, -1] <= highest + 1e-3
        if not in_range or not np.allclose(inputs, expected, atol=1e-3):
            return None
        copies = np.tile(expected[:size, : self.width], (repeats, 1))
        copies = np.pad(copies, ((0, 1), (0, 1)))
        copies[-1, -1] = 1
        return place_targets(copies, size + 2, len(inputs))

    def normalize(self, repeats: Any) -> Any:
        """Return a number of repeats as it is put into the input, normalised."""
        low, high = self.normalized_over
        return (repeats - (low + high) / 2) / (((high - low + 1) ** 2 - 1) / 12) ** 0.5

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw ``size`` vectors, and the number of repeats R."""
        self.check_size(size, max_size)
        bits_key, repeats_key = jax.random.split(key)
        bits = jax.random.bernoulli(bits_key, 0.5, (max_size, self.width)).astype(jnp.float32)
        fewest, most = self.repeats
        repeats = jax.random.randint(repeats_key, (), fewest, most + 1)
        time = jnp.arange(self.steps(max_size))[:, None]
        sequence = jnp.pad(bits, ((0, len(time) - max_size), (0, 0)))
        sequence = jnp.where(time < size, sequence, 0)
        delimiter = (time == size).astype(jnp.float32)
        noisy = repeats.astype(jnp.float32)
        noisy = noisy + self._draw_noise(key) if self.noise else noisy
        normalized = jnp.where(time == size + 1, self.normalize(noisy).astype(jnp.float32), 0)
        begin, end = size + 2, size + 2 + size * repeats
        copies = jnp.where((time >= begin) & (time < end), bits[(time[:, 0] - begin) % size], 0)
        marker = (time == end).astype(jnp.float32)
        mask = ((time >= begin) & (time <= end)).astype(jnp.float32)
        return Example(
            inputs=jnp.concatenate([sequence, delimiter, normalized], axis=1),
            targets=jnp.concatenate([copies, marker], axis=1),
            mask=jnp.broadcast_to(mask, (len(time), self.output_size)),
            steps=jnp.asarray(end + 1),
        )

    def _draw_noise(self, key: PRNGKeyArray) -> Float[Array, ""]:
        # A branch of its own, so that noise does not change the vectors and R that are drawn.
        key = jax.random.fold_in(key, 2)
        return jax.random.uniform(key, (), minval=-self.noise, maxval=self.noise)

    def published_tests(self) -> list[PaperTest]:
        """Return the tests of section 4.2, by length and number of repeats."""
        findings = {
            (20, 10): "NTM: longer sequences are copied well (section 4.2); no number given",
            (10, 20): "NTM: goes on copying, but marks the end wrongly after the 11th repeat "
            "(section 4.2); no number given",
        }
        tests = [
            PaperTest(
                name=f"length {size}, {repeats} repeats",
                task=dataclasses.replace(self.held_out(), repeats=(repeats, repeats)),
                size=size,
                published=figures(),
                finding=findings.get((size, repeats), ""),
            )
            for size, repeats in ((10, 10), (20, 10), (10, 20))
        ]
        return as_published(self, tests)

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return rows of bits over time; wrong output bits are marked ``x``."""
        steps = int(example.steps)
        inputs = np.asarray(example.inputs)[:steps]
        size = int(np.argmax(inputs[:, self.width]))
        time = np.arange(steps)
        repeats = (steps - size - 3) // size
        rows = [
            Rows("input", inputs[:, : self.width], time < size),
            Rows("delim", inputs[:, -2:-1], time == size, marker="#"),
            Rows(f"R = {repeats}", inputs[:, -1:], time == size + 1, marker="#"),
        ]
        return self.outputs.spec.render(
            rows, example, outputs, [("target", self.width), ("end", 1)]
        )
