"""Symbols: one letter of an alphabet at a time; a machine's outputs are their logits."""

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

from softmachine.core.example import Example
from softmachine.core.pytrees import PyTree
from softmachine.core.rendering import Rows
from softmachine.core.specs.spec import Fields, Metrics, Spec, Sum, channels, tape


@dataclasses.dataclass(frozen=True)
class Symbols(Spec):
    """A letter of ``alphabet`` in each step.

    As inputs they are one-hot, shape (steps, letters). As outputs a machine gives logits of
    the same shape; targets are letters' places in the alphabet, integers of shape (steps,),
    and so is the mask.

    Metrics: ``bits``, the cross-entropy in base 2, and ``wrong_symbols``, each a sum over one
    sequence; ``accuracy``, the share of right symbols among all that are scored, of all
    sequences together; ``perfect``, 1 for a sequence without a mistake.
    """

    alphabet: str

    error: ClassVar[str] = "wrong_symbols"
    shares: ClassVar[tuple[str, ...]] = ("perfect", "accuracy")
    editor: ClassVar[Literal["bits", "cells"]] = "bits"
    unit: ClassVar[str] = "symbols"

    def __post_init__(self) -> None:
        """Check the alphabet."""
        if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise ValueError(f"an alphabet has different letters, not {self.alphabet!r}")

    @property
    def width(self) -> int:
        """How many letters there are."""
        return len(self.alphabet)

    def one_hot(self, places: Int[Array, " steps"]) -> Float[Array, "steps letters"]:
        """Return letters, given by their places, as a machine takes them."""
        return jax.nn.one_hot(places, self.width, dtype=jnp.float32)

    def loss(
        self, outputs: Float[Array, "steps letters"], example: Example
    ) -> Float[Array, ""]:
        """Return the cross-entropy of the scored symbols, in nats per sequence."""
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, example.targets)
        return jnp.sum(losses * example.mask)

    def metrics(self, outputs: Float[Array, "steps letters"], example: Example) -> Metrics:
        """Return the metrics of one sequence."""
        wrong = jnp.sum((self.decide(outputs) != example.targets) * example.mask)
        scored = jnp.sum(example.mask)
        return {
            "bits": self.loss(outputs, example) / math.log(2),
            "wrong_symbols": wrong,
            "accuracy": Sum(scored - wrong, scored),
            "perfect": (wrong == 0).astype(outputs.dtype),
        }

    def decide(self, outputs: PyTree) -> Int[Array, "..."]:
        """Return the place of the most likely letter of each step."""
        return jnp.argmax(outputs, axis=-1).astype(jnp.int32)

    def shades(
        self, outputs: Float[Array, "steps letters"], example: Example
    ) -> Float[np.ndarray, "steps letters"]:
        """Return how likely each letter is."""
        likely = np.asarray(jax.nn.softmax(jnp.asarray(outputs)))
        return likely * np.asarray(example.mask)[:, None]

    def worst(self, example: Example) -> Float[Array, ""]:
        """Return how many symbols are scored."""
        return jnp.sum(example.mask)

    def read(self, value: Any, most: int) -> Float[np.ndarray, "steps letters"]:
        """Return a string, or rows with a single 1 in each, as one-hot rows."""
        if isinstance(value, str):
            if not 0 < len(value) <= most:
                raise ValueError(f"inputs must have 1 to {most:,} symbols, not {len(value):,}")
            strange = sorted(set(value) - set(self.alphabet))
            if strange:
                raise ValueError(
                    f"inputs of this task are strings of {' '.join(self.alphabet)}, without "
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

    def unknown(
        self, steps: int
    ) -> tuple[Int[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
        """Return targets and mask of so many steps of which nobody knows the answer."""
        return np.zeros(steps, np.int32), np.zeros(steps, np.float32)

    def seen(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the inputs, a channel for each letter."""
        return [
            (tape("inputs", "bits", "input channel", "What the machine saw.", labels), inputs)
        ]

    def said(
        self, outputs: Float[Array, "steps letters"], example: Example, labels: Sequence[str]
    ) -> Fields:
        """Return targets, where they count, how likely each letter was, and where it failed."""
        letters = np.eye(self.width, dtype=bool)
        wanted = letters[np.asarray(example.targets)]
        mask = np.broadcast_to(np.asarray(example.mask)[:, None] > 0, wanted.shape)
        said = letters[np.asarray(self.decide(outputs))]
        likely = np.asarray(jax.nn.softmax(jnp.asarray(outputs)))
        axis = "output channel"
        return [
            (tape("targets", "bits", axis, "What it should have said.", labels), wanted & mask),
            (tape("mask", "bits", axis, "Where that counts.", labels), mask),
            (tape("outputs", "probability", axis, "What it said.", labels), likely),
            (
                tape("wrong", "bits", axis, "Where it was wrong.", labels),
                (said != wanted) & mask,
            ),
        ]

    def rows(
        self, name: str, places: Int[np.ndarray, " steps"], shown: Any, wrong: Any = None
    ) -> Rows:
        """Return symbols as a line of letters; ``wrong`` are shown as ``x``."""
        wrong = None if wrong is None else np.asarray(wrong)[:, None]
        return Rows(name, places[:, None], shown, wrong, letters=self.alphabet)
