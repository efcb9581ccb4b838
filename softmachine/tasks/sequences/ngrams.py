"""The dynamic N-grams task: predict bits whose distribution is new in every sequence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, check_fields
from softmachine.core.rendering import Rows
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.spec import Metrics, Stream
from softmachine.tasks.published import PaperTest, as_published, figures
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, Example, SequenceTask


@task("ngrams")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NGrams(SequenceTask):
    """Predict each of ``size`` bits from those before it.

    For each sequence a table is drawn: the probability of a 1 after each of the 2^``context``
    possible values of the last ``context`` bits, every entry from Beta(1/2, 1/2). The first
    ``context`` bits are fair. The input at a step is the bit before the one to predict (0 at
    the first step). The cost of the optimal predictor is `optimal_bits`. Source: Graves
    et al. 2014 (arXiv 1410.5401), section 4.4.

    >>> task = NGrams(context=2)
    >>> example = task.sample(jax.random.key(0), 12, max_size=12)
    >>> print(task.render(example))
    input   .11001001001
    target  110010010010

    >>> bits = optimal_bits(jnp.array([1, 0, 1, 0, 1]), jnp.ones(5), context=1)
    >>> [round(float(x), 3) for x in bits]
    [1.0, 1.0, 1.0, 0.415, 0.415]
    """

    context: Annotated[int, Bounds(least=1, most=16)] = 5
    """The number of preceding bits that determine the probability of the next bit."""

    def __post_init__(self) -> None:
        """Check the context."""
        check_fields(self)

    @property
    def inputs(self) -> Stream[Bits]:
        """The bit before the one to predict."""
        return Stream(Bits(1))

    @property
    def outputs(self) -> Stream[Bits]:
        """The logit of the next bit."""
        return Stream(Bits(1))

    @property
    def error(self) -> str:
        """``excess_bits``: bits per sequence above those of the optimal predictor."""
        return "excess_bits"

    def steps(self, size: int) -> int:
        """Return ``size``: one step per bit."""
        return size

    def items(self, size: int) -> int:
        """Return the largest number of contexts that occur, whose counts have to be kept."""
        return min(2**self.context, size)

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw a table, and ``size`` bits from it."""
        self.check_size(size, max_size)
        table_key, bits_key = jax.random.split(key)
        bits = draw_bits(bits_key, self.draw_table(table_key), max_size)
        mask = (jnp.arange(max_size) < size).astype(jnp.float32)[:, None]
        targets = bits[:, None].astype(jnp.float32) * mask
        return Example(
            inputs=jnp.pad(targets, ((1, 0), (0, 0)))[:-1] * mask,
            targets=targets,
            mask=mask,
            steps=jnp.asarray(size),
        )

    def worst_errors(self, sizes: Sequence[int]) -> None:
        """Return None: the cross-entropy of a prediction has no upper bound."""
        del sizes

    def answer(self, inputs: Float[np.ndarray, "steps 1"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example.

        The bit after the last input is unknown, and not scored.
        """
        if not np.isin(inputs, (0, 1)).all() or inputs[0].any():
            return None
        targets, mask = np.zeros_like(inputs), np.ones_like(inputs)
        targets[:-1], mask[-1] = inputs[1:], 0
        return targets, mask

    def draw_table(self, key: PRNGKeyArray) -> Float[Array, " contexts"]:
        """Draw the probability of a 1 after each context, from Beta(1/2, 1/2)."""
        # Beta(1/2, 1/2) is the arcsine distribution: sin^2 of a uniform angle.
        uniform = jax.random.uniform(key, (2**self.context,), jnp.float32)
        return jnp.square(jnp.sin(jnp.pi / 2 * uniform))

    def metrics(self, outputs: Float[Array, "steps 1"], example: Example) -> Metrics:
        """Return ``bits``, the cross-entropy of a sequence in base 2, and ``excess_bits``.

        The second is the difference from the optimal predictor on the same sequence.
        """
        bits = self.output.loss(outputs, example) / math.log(2)
        target = example.targets[:, 0].astype(jnp.int32)
        best = optimal_bits(target, example.mask[:, 0], context=self.context)
        return {"bits": bits, "excess_bits": bits - jnp.sum(best)}

    def published_tests(self) -> list[PaperTest]:
        """Return the test of section 4.4."""
        test = PaperTest(
            name="200 bits",
            task=self,
            size=200,
            published=figures("section 4.4, end of the learning curves", 133.5, 134.0, 136.0),
            finding="the optimal predictor costs about 133 bits",
        )
        return as_published(self, [test])

    def render(self, example: Example, outputs: Float[Array, "steps 1"] | None = None) -> str:
        """Return rows of bits over time; wrong predictions are marked ``x``."""
        steps = int(example.steps)
        inputs = Rows("input", np.asarray(example.inputs)[:steps], np.arange(steps) > 0)
        return self.outputs.spec.render([inputs], example, outputs)


def draw_bits(
    key: PRNGKeyArray, table: Float[Array, " contexts"], steps: int
) -> Int[Array, " steps"]:
    """Draw ``steps`` bits from a table of probabilities of a 1.

    Entry c is for the context whose bits are the binary digits of c, the latest bit last.
    """
    context = len(table).bit_length() - 1

    def draw(last, now):
        time, threshold = now
        probability = jnp.where(time < context, 0.5, table[last])
        bit = (threshold < probability).astype(jnp.int32)
        return (2 * last + bit) % len(table), bit

    thresholds = jax.random.uniform(key, (steps,), jnp.float32)
    _, bits = jax.lax.scan(draw, jnp.int32(0), (jnp.arange(steps), thresholds))
    return bits


def optimal_bits(
    bits: Int[Array, " steps"], mask: Float[Array, " steps"], *, context: int
) -> Float[Array, " steps"]:
    """Return the cost, in bits, of each bit to the optimal predictor; 0 where masked.

    It predicts a 1 after N1 ones and N0 zeros in the same context with probability
    (N1 + 1/2) / (N1 + N0 + 1); the first ``context`` bits cost 1 each. Source: Graves et
    al. 2014, Eq. 10.
    """
    # How often a 0 and a 1 followed each context, plus the 1/2 of the formula.
    counts = jnp.full((2**context, 2), 0.5, jnp.float32)

    def step(carry, now):
        last, counts = carry
        time, bit = now
        known = time >= context
        row = counts[last]
        probability = jnp.where(known, row[bit] / jnp.sum(row), 0.5)
        counts = counts.at[last, bit].add(jnp.where(known, 1.0, 0.0))
        return ((2 * last + bit) % len(counts), counts), -jnp.log2(probability)

    bits = bits.astype(jnp.int32)
    _, costs = jax.lax.scan(step, (jnp.int32(0), counts), (jnp.arange(len(bits)), bits))
    return costs * mask
