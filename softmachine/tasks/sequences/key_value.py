"""The key-value task: read pairs, then answer keys with their values, and values with keys."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, check_fields
from softmachine.core.rendering import Rows
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.spec import Stream
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, Example, SequenceTask


@task("key-value")
@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyValue(SequenceTask):
    """Read ``size`` pairs of a key and a value; then the keys again, in another order.

    At each of these keys its value is the target, at the same step. A marker on a channel of
    its own stands after the pairs. Keys are distinct. Source: the public code of Csordas &
    Schmidhuber 2019 (arXiv 1904.10278), with 2 to 16 pairs; there another marker ends all.

    >>> example = KeyValue(width=2).sample(jax.random.key(0), 2, max_size=2)
    >>> print(KeyValue(width=2).render(example))
    key     00.00
            01.01
    value   10...
            11...
    over    ..#..
    target  ...10
            ...11

    With ``two_way``, values are asked for next, in a third order; a marker of another channel
    stands before them. Then values are distinct, too, so that each question has one answer:

    >>> example = KeyValue(two_way=True).sample(jax.random.key(0), 3, max_size=3)
    >>> example.inputs.shape, float(example.mask.sum())
    ((11, 14), 36.0)
    """

    width: Annotated[int, Bounds(least=1, most=12)] = 6
    """The number of bits of a key, and of a value."""
    two_way: bool = False
    """Whether values are asked for after keys."""

    def __post_init__(self) -> None:
        """Check the width."""
        check_fields(self)

    @property
    def inputs(self) -> Stream[Bits]:
        """Bits of the key, bits of the value, and a channel for each kind of marker."""
        return Stream(Bits(2 * self.width + 1 + self.two_way))

    @property
    def outputs(self) -> Stream[Bits]:
        """The bits of the value, or of the key, that is asked for."""
        return Stream(Bits(self.width))

    @property
    def largest(self) -> int:
        """As many pairs as there are keys."""
        return 2**self.width

    def bucket(self, size: int) -> int:
        """Return the size rounded up to a power of two, and no more pairs than there are."""
        return min(super().bucket(size), self.largest)

    def check_size(self, size: Int[Array, ""] | int, max_size: int) -> None:
        """Raise ValueError for a size out of range, or for more pairs than there are keys."""
        super().check_size(size, max_size)
        if max_size > self.largest:
            raise ValueError(
                f"KeyValue size must be at most {self.largest}, as many as there are keys of "
                f"{self.width} bits; not {max_size}"
            )

    def steps(self, size: Any) -> Any:
        """Return the steps for pairs and for questions, and for the markers between them."""
        return (size + 1) * self._phases - 1

    @property
    def _phases(self) -> int:
        return 3 if self.two_way else 2

    def items(self, size: int) -> int:
        """Return ``size``: one memory row per pair."""
        return size

    @property
    def input_labels(self) -> list[str]:
        """The bits of key and value, and the markers."""
        bits = [f"{part} {i + 1}" for part in ("key", "value") for i in range(self.width)]
        return [*bits, *(["over", "values next"] if self.two_way else ["over"])]

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw ``size`` pairs, and the order of each phase's questions."""
        self.check_size(size, max_size)
        key_key, value_key, *order_keys = jax.random.split(key, 4)
        keys = _distinct(key_key, max_size, self.width)
        values = jax.random.bernoulli(value_key, 0.5, (max_size, self.width))
        values = values.astype(jnp.float32)
        if self.two_way:
            values = _distinct(value_key, max_size, self.width)
        phases = self._phases
        time = jnp.arange(self.steps(max_size))
        phase, place = time // (size + 1), time % (size + 1)
        orders = jnp.stack(
            [jnp.arange(max_size), *(_order(one, size, max_size) for one in order_keys)]
        )
        pair = orders[jnp.minimum(phase, 2), jnp.minimum(place, max_size - 1)]
        shown = place < size
        asked = (shown & (phase > 0) & (phase < phases))[:, None]
        back = (phase == 2)[:, None]
        given = (shown & (phase == 0))[:, None]
        # Of a question the one half is an input, the other half the target.
        inputs = [
            jnp.where(given | (asked & ~back), keys[pair], 0),
            jnp.where(given | (asked & back), values[pair], 0),
        ]
        marker = (place == size) & (phase < phases - 1)
        turn = marker & (phase == 1) & self.two_way
        inputs += [m[:, None].astype(jnp.float32) for m in (marker & ~turn, turn)]
        mask = asked.astype(jnp.float32)
        return Example(
            inputs=jnp.concatenate(inputs, axis=1)[:, : self.input_size],
            targets=jnp.where(back, keys[pair], values[pair]) * mask,
            mask=jnp.broadcast_to(mask, (len(time), self.width)),
            steps=jnp.asarray(self.steps(size)),
        )

    def answer(self, inputs: Float[np.ndarray, "steps inputs"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example; any order of questions."""
        phases, width = self._phases, self.width
        size = (len(inputs) + 1) // phases - 1
        if size < 1 or len(inputs) != self.steps(size):
            return None
        blocks = np.pad(inputs, ((0, 1), (0, 0))).reshape(phases, size + 1, -1)
        keys, values = blocks[0, :size, :width] > 0, blocks[0, :size, width : 2 * width] > 0
        expected = np.zeros(blocks.shape, np.float32)
        expected[:-1, size, 2 * width] = 1
        expected[0, :size, :width], expected[0, :size, width : 2 * width] = keys, values
        targets, mask = np.zeros((2, phases, size + 1, width), np.float32)
        for phase in range(1, phases):
            known, wanted = (keys, values) if phase == 1 else (values, keys)
            half = slice(0, width) if phase == 1 else slice(width, 2 * width)
            questions = blocks[phase, :size, half] > 0
            found = (questions[:, None] == known).all(axis=2)
            if not (found.sum(axis=1) == 1).all():
                return None
            expected[phase, :size, half] = questions
            targets[phase, :size], mask[phase, :size] = wanted[found.argmax(axis=1)], 1
        if self.two_way:
            expected[1, size, -2:] = 0, 1
        if not np.array_equal(blocks, expected):
            return None
        return targets.reshape(-1, width)[:-1], mask.reshape(-1, width)[:-1]

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return rows of bits over time; wrong output bits are marked ``x``."""
        steps, width = int(example.steps), self.width
        inputs = np.asarray(example.inputs)[:steps]
        size = (steps + 1) // self._phases - 1
        phase, place = np.divmod(np.arange(steps), size + 1)
        rows = [
            Rows("key", inputs[:, :width], (place < size) & (phase < 2)),
            Rows("value", inputs[:, width : 2 * width], (place < size) & (phase != 1)),
            Rows(
                "over", inputs[:, 2 * width :].max(axis=1)[:, None], place == size, marker="#"
            ),
        ]
        return self.outputs.spec.render(rows, example, outputs)


def _distinct(key: PRNGKeyArray, count: int, width: int) -> Float[Array, "count width"]:
    """Return distinct numbers of ``width`` bits, as bits; count at most ``2 ** width``."""
    numbers = jax.random.permutation(key, 2**width)[:count]
    return (numbers[:, None] >> jnp.arange(width) & 1).astype(jnp.float32)


def _order(
    key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int
) -> Int[Array, " max_size"]:
    """Return a random order of the first ``size`` of ``max_size`` numbers, then the others."""
    places = jnp.arange(max_size)
    return jnp.argsort(jnp.where(places < size, jax.random.uniform(key, (max_size,)), 2.0))
