"""Words: several letters at once in every step; a logit for each letter and place."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from softmachine.core.example import Example
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.spec import Fields, Metrics, Ratio, Spec, channel_field, channels


@dataclasses.dataclass(frozen=True)
class Words(Spec):
    """Words of ``length`` letters over ``alphabet``, one word per step.

    Inputs are one-hot letters one after the other, shape (steps, length * letters); outputs are
    logits of the same shape, a softmax for each letter of the word. Targets are indices into
    the alphabet, int32, shape (steps, length); the mask has shape (steps,).

    Metrics as those of `softmachine.core.specs.symbols.Symbols`, of whole words: a word is
    right if all its letters are.
    """

    alphabet: str = "abcde"
    length: int = 5

    error: ClassVar[str] = "wrong_words"
    shares: ClassVar[tuple[str, ...]] = ("perfect", "accuracy")
    editor: ClassVar[Literal["bits", "cells"]] = "bits"
    unit: ClassVar[str] = "words"

    @property
    def width(self) -> int:
        """The letters of all places."""
        return self.length * len(self.alphabet)

    @property
    def count(self) -> int:
        """How many words there are."""
        return len(self.alphabet) ** self.length

    def spell(self, numbers: Int[Array, "*shape"]) -> Int[Array, "*shape length"]:
        """Return the letters of words given by their numbers, the last letter counting ones.

        >>> Words().spell(jnp.array(2830)).tolist()  # ecdba
        [4, 2, 3, 1, 0]
        """
        letters = len(self.alphabet)
        places = letters ** jnp.arange(self.length - 1, -1, -1)
        return (numbers[..., None] // places % letters).astype(jnp.int32)

    def one_hot(self, places: Int[Array, "*shape length"]) -> Float[Array, "*shape width"]:
        """Return words given by their letters as float32, one-hot letter by letter."""
        letters = jax.nn.one_hot(places, len(self.alphabet), dtype=jnp.float32)
        return letters.reshape(*places.shape[:-1], self.width)

    def loss(self, outputs: Float[Array, "steps width"], example: Example) -> Float[Array, ""]:
        """Return the cross-entropy of all letters, summed over scored steps, in nats."""
        losses = optax.softmax_cross_entropy_with_integer_labels(
            self._letters(outputs), example.targets
        )
        return jnp.sum(jnp.sum(losses, axis=-1) * example.mask)

    def scored(self, example: Example) -> Bool[Array, "steps length"]:
        """Return where letters are scored: all of a word, or none."""
        return jnp.broadcast_to(example.mask[:, None], example.targets.shape) > 0

    def metrics(self, outputs: Float[Array, "steps width"], example: Example) -> Metrics:
        """Return ``bits``, ``wrong_words``, ``accuracy`` and ``perfect`` of one sequence."""
        words = jnp.any(self.wrong(outputs, example), axis=-1)
        wrong = jnp.sum(jnp.where(words, example.mask, 0))
        scored = jnp.sum(example.mask)
        return {
            "bits": self.loss(outputs, example) / math.log(2),
            "wrong_words": wrong,
            "accuracy": Ratio(scored - wrong, scored),
            "perfect": (wrong == 0).astype(outputs.dtype),
        }

    def decide(self, outputs: PyTree) -> Int[Array, "steps length"]:
        """Return the index of the most likely letter at each place, int32."""
        return jnp.argmax(self._letters(outputs), axis=-1).astype(jnp.int32)

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return the word of each step."""
        return self.output_texts(inputs)

    def output_texts(self, outputs: PyTree) -> list[str]:
        """Return the most likely word of each step."""
        places = np.asarray(self.decide(jnp.asarray(outputs)))
        return ["".join(self.alphabet[place] for place in word) for word in places]

    def probabilities(
        self, outputs: Float[Array, "steps width"], example: Example
    ) -> Float[np.ndarray, "steps width"]:
        """Return the probability of each letter (softmax); 0 where not scored."""
        likely = np.asarray(jax.nn.softmax(self._letters(jnp.asarray(outputs))))
        return likely.reshape(len(likely), -1) * np.asarray(example.mask)[:, None]

    def worst_error(self, example: Example) -> Float[Array, ""]:
        """Return the number of scored words."""
        return jnp.sum(example.mask)

    def parse(self, value: Any, most: int) -> Float[np.ndarray, "steps width"]:
        """Return an array from one list of numbers per step; ValueError for anything else."""
        return channels(value, self.width, most)

    def unscored(
        self, steps: int
    ) -> tuple[Int[np.ndarray, "steps length"], Float[np.ndarray, " steps"]]:
        """Return targets and mask of ``steps`` steps that are not scored: zeros."""
        return np.zeros((steps, self.length), np.int32), np.zeros(steps, np.float32)

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the words as one field, with a channel per letter and place."""
        field = channel_field(
            "inputs", "bits", "input channel", "The word of each step.", labels
        )
        return [(field, inputs)]

    def output_fields(
        self, outputs: Float[Array, "steps width"], example: Example, labels: Sequence[str]
    ) -> Fields:
        """Return the fields targets, mask, outputs (probabilities) and wrong."""
        wanted = np.asarray(self.one_hot(jnp.asarray(example.targets))) > 0
        wrong = np.asarray(self.wrong(jnp.asarray(outputs), example))
        mask = np.broadcast_to(np.asarray(example.mask)[:, None] > 0, wanted.shape)
        likely = np.asarray(jax.nn.softmax(self._letters(jnp.asarray(outputs))))
        axis = "output channel"
        return [
            (
                channel_field("targets", "bits", axis, "The target words.", labels),
                wanted & mask,
            ),
            (channel_field("mask", "bits", axis, "Where targets are scored.", labels), mask),
            (
                channel_field(
                    "outputs", "probability", axis, "The probability of each letter.", labels
                ),
                likely.reshape(len(likely), -1),
            ),
            (
                channel_field(
                    "wrong", "bits", axis, "Where the most likely letter is wrong.", labels
                ),
                np.repeat(wrong, len(self.alphabet), axis=1),
            ),
        ]

    def _letters(self, outputs: Any) -> Float[Array, "*shape length letters"]:
        return outputs.reshape(*outputs.shape[:-1], self.length, len(self.alphabet))
