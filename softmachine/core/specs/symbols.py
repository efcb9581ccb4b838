"""Symbols: one letter of an alphabet per step; a machine outputs logits over the alphabet."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from softmachine.core.choices import check_fields
from softmachine.core.example import Example
from softmachine.core.pytrees import PyTree
from softmachine.core.rendering import Rows, render_rows
from softmachine.core.specs.spec import Fields, Metrics, Ratio, Spec, channel_field, channels


@dataclasses.dataclass(frozen=True)
class Symbols(Spec):
    """Strings over ``alphabet``, one letter per step.

    Inputs are one-hot, shape (steps, letters); outputs are logits of the same shape. Targets
    are indices into the alphabet, int32, shape (steps,); the mask has the same shape.

    Metrics of one sequence: ``bits``, the cross-entropy in base 2; ``wrong_symbols``, the
    number of scored symbols whose most likely letter is wrong; ``perfect``, 1 if there is no
    wrong symbol, else 0; ``accuracy``, the fraction of correct symbols, whose mean is over all
    scored symbols of all sequences.
    """

    alphabet: str
    """The letters, each once; a letter's index is its position here."""

    error: ClassVar[str] = "wrong_symbols"
    shares: ClassVar[tuple[str, ...]] = ("perfect", "accuracy")
    editor: ClassVar[Literal["bits", "cells"]] = "bits"
    unit: ClassVar[str] = "symbols"

    def __post_init__(self) -> None:
        """Check that the alphabet has letters, each once."""
        check_fields(self)
        if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise ValueError(
                f"an alphabet has one or more distinct letters, not {self.alphabet!r}"
            )

    @property
    def width(self) -> int:
        """The number of letters in the alphabet."""
        return len(self.alphabet)

    def one_hot(self, places: Int[Array, " steps"]) -> Float[Array, "steps letters"]:
        """Return the one-hot vectors of letters given by their indices, float32."""
        return jax.nn.one_hot(places, self.width, dtype=jnp.float32)

    def loss(
        self, outputs: Float[Array, "steps letters"], example: Example
    ) -> Float[Array, ""]:
        """Return the cross-entropy of logits and targets, summed over scored steps, in nats."""
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, example.targets)
        return jnp.sum(losses * example.mask)

    def metrics(self, outputs: Float[Array, "steps letters"], example: Example) -> Metrics:
        """Return ``bits``, ``wrong_symbols``, ``accuracy`` and ``perfect`` of one sequence."""
        wrong = jnp.sum(jnp.where(self.wrong(outputs, example), example.mask, 0))
        scored = jnp.sum(example.mask)
        return {
            "bits": self.loss(outputs, example) / math.log(2),
            "wrong_symbols": wrong,
            "accuracy": Ratio(scored - wrong, scored),
            "perfect": (wrong == 0).astype(outputs.dtype),
        }

    def decide(self, outputs: PyTree) -> Int[Array, "..."]:
        """Return the index of the most likely letter at each step, int32."""
        return jnp.argmax(outputs, axis=-1).astype(jnp.int32)

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return the letter of each step."""
        return self.output_texts(inputs)

    def output_texts(self, outputs: PyTree) -> list[str]:
        """Return the most likely letter of each step."""
        return [self.alphabet[place] for place in np.asarray(outputs).argmax(axis=-1)]

    def probabilities(
        self, outputs: Float[Array, "steps letters"], example: Example
    ) -> Float[np.ndarray, "steps letters"]:
        """Return the probability of each letter (softmax); 0 where not scored."""
        likely = np.asarray(jax.nn.softmax(jnp.asarray(outputs)))
        return likely * np.asarray(example.mask)[:, None]

    def worst_error(self, example: Example) -> Float[Array, ""]:
        """Return the number of scored symbols."""
        return jnp.sum(example.mask)

    def parse(self, value: Any, most: int) -> Float[np.ndarray, "steps letters"]:
        """Return one-hot vectors from a string, or from one-hot lists.

        Raises ValueError for letters outside the alphabet, lists that are not one-hot, and
        more than ``most`` symbols.
        """
        if isinstance(value, str):
            if not 0 < len(value) <= most:
                raise ValueError(f"inputs must have 1 to {most:,} symbols, not {len(value):,}")
            strange = sorted(set(value) - set(self.alphabet))
            if strange:
                raise ValueError(
                    f"inputs must be a string of {' '.join(self.alphabet)}; it has "
                    f"{' '.join(map(repr, strange[:5]))}"
                )
            places = [self.alphabet.index(letter) for letter in value]
            return np.eye(self.width, dtype=np.float32)[places]
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"inputs must be a string of {' '.join(self.alphabet)}")
        rows = channels(value, self.width, most)
        if not (np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all()):
            raise ValueError("inputs must have a single 1 in each step: one symbol")
        return rows

    def unscored(
        self, steps: int
    ) -> tuple[Int[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
        """Return targets and mask of ``steps`` steps that are not scored: zeros."""
        return np.zeros(steps, np.int32), np.zeros(steps, np.float32)

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the inputs as one field, with a channel per letter."""
        return [
            (
                channel_field(
                    "inputs",
                    "bits",
                    "input channel",
                    "The input letter of each step, one-hot.",
                    labels,
                ),
                inputs,
            )
        ]

    def output_fields(
        self, outputs: Float[Array, "steps letters"], example: Example, labels: Sequence[str]
    ) -> Fields:
        """Return the fields targets, mask, outputs (probabilities) and wrong."""
        letters = np.eye(self.width, dtype=bool)
        wanted = letters[np.asarray(example.targets)]
        mask = np.broadcast_to(np.asarray(example.mask)[:, None] > 0, wanted.shape)
        said = letters[np.asarray(self.decide(outputs))]
        likely = np.asarray(jax.nn.softmax(jnp.asarray(outputs)))
        axis = "output channel"
        return [
            (
                channel_field("targets", "bits", axis, "The target letters.", labels),
                wanted & mask,
            ),
            (channel_field("mask", "bits", axis, "Where targets are scored.", labels), mask),
            (
                channel_field(
                    "outputs", "probability", axis, "The probability of each letter.", labels
                ),
                likely,
            ),
            (
                channel_field(
                    "wrong", "bits", axis, "Where the most likely letter is wrong.", labels
                ),
                (said != wanted) & mask,
            ),
        ]

    def rows(
        self, name: str, places: Int[np.ndarray, " steps"], shown: Any, wrong: Any = None
    ) -> Rows:
        """Return symbols, given by their indices, as a row of letters to render.

        ``shown`` and ``wrong`` are booleans, shape (steps,): symbols to show, and to show as
        ``x``.
        """
        wrong = None if wrong is None else np.asarray(wrong)[:, None]
        return Rows(name, places[:, None], shown, wrong, letters=self.alphabet)

    def render(
        self,
        inputs: Sequence[Rows],
        example: Example,
        outputs: Float[Array, "steps letters"] | None,
    ) -> str:
        """Return an example as text: input rows, the target, and the output letters.

        Arguments:
            inputs: the rows of the inputs.
            example: the example.
            outputs: the machine's logits, or None to show no outputs.

        Wrong letters are shown as ``x``, steps that are not scored as dots.
        """
        steps = int(example.steps)
        scored = np.asarray(self.scored(example))[:steps]
        target = np.asarray(example.targets)[:steps]
        blocks = [*inputs, self.rows("target", target, scored)]
        if outputs is not None:
            decided = np.asarray(self.decide(jnp.asarray(outputs)))[:steps]
            blocks.append(self.rows("output", decided, scored, decided != target))
        return render_rows(blocks)
