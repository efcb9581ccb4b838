"""What a kind of inputs or outputs has to say for itself, and when its values come.

Whoever trains, scores, draws or asks a person for an input asks the spec, and never which
class a task is: a new kind is one file beside this one.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.core.example import Example
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sum:
    """A metric of which examples may have more or less to count: positions, instances.

    Its mean over examples is the sum of all totals over the sum of all counts, never a mean of
    means.
    """

    total: PyTree
    """An array, one number for each example."""
    count: PyTree
    """The same."""


Metric = Float[Array | np.ndarray, "*batch"] | Sum
"""An array is a sum, too, that counts every example once."""
Metrics = dict[str, Metric]
Fields = list[tuple[Field, np.ndarray]]
"""Parts of a trace: declarations, each with its array."""


def each(metric: Metric) -> Any:
    """Return a metric of each example, an array; 0 where there is nothing to count."""
    if isinstance(metric, Sum):
        return metric.total / jnp.where(metric.count > 0, metric.count, 1)
    return metric


def mean(metric: Metric) -> Float[Array, ""]:
    """Return a metric's mean over a batch: of what is counted, where that is not examples.

    >>> right, scored = jnp.array([1.0, 9.0]), jnp.array([1.0, 19.0])
    >>> float(mean(Sum(right, scored)))
    0.5
    """
    if isinstance(metric, Sum):
        return each(Sum(jnp.sum(metric.total), jnp.sum(metric.count)))
    return jnp.mean(metric)


class Spec(abc.ABC):
    """One kind of inputs or outputs. Subclasses are frozen dataclasses.

    `loss`, `metrics` and `worst` are of one example: outputs of all its steps, and the example.
    """

    error: ClassVar[str]
    """The metric that is zero when an example is answered without a mistake; one of
    `metrics`, as is ``bits``, the cross-entropy of the example in base 2."""
    shares: ClassVar[tuple[str, ...]] = ("perfect",)
    """Metrics between 0 and 1, which people are shown in percent."""
    editor: ClassVar[Literal["bits", "cells"]]
    """How the viewer's page has inputs edited: a grid of bits, or a line of integers."""
    unit: ClassVar[str]
    """What a value that comes whole has many of, for people."""

    @property
    def width(self) -> int:
        """How many numbers one step's value has; ValueError for a kind without steps."""
        raise ValueError(f"{type(self).__name__} have no width: they come whole")

    @abc.abstractmethod
    def loss(self, outputs: PyTree, example: Example) -> Float[Array, "*batch"]:
        """Return what training minimises, in nats."""

    @abc.abstractmethod
    def metrics(self, outputs: PyTree, example: Example) -> Metrics:
        """Return what people and stopping rules look at.

        Cells take a batch, too, if it is the last axis of every array.
        """

    @abc.abstractmethod
    def decide(self, outputs: PyTree) -> PyTree:
        """Return outputs as hard decisions."""

    def shades(self, outputs: PyTree, example: Example) -> Float[np.ndarray, "steps width"]:
        """Return outputs between 0 and 1 for pictures, 0 where nothing is scored."""
        del outputs, example
        raise ValueError(f"{type(self).__name__} have no picture over time")

    @abc.abstractmethod
    def worst(self, example: Example) -> Float[Array, ""]:
        """Return the error of an example in which everything is wrong."""

    @abc.abstractmethod
    def read(self, value: Any, most: int) -> np.ndarray:
        """Return inputs that a person typed or sent, as JSON has them, as an array.

        At most ``most`` steps, or cells. Raises ValueError, which says what would be right.
        """

    def unknown(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return targets and mask of so many steps of which nobody knows the answer."""
        blank = np.zeros((steps, self.width), np.float32)
        return blank, blank

    @abc.abstractmethod
    def seen(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return what a trace shows of an example's inputs; ``labels`` are the task's."""

    @abc.abstractmethod
    def said(self, outputs: PyTree, example: Example, labels: Sequence[str]) -> Fields:
        """Return what a trace shows of targets and outputs."""


S = TypeVar("S", bound=Spec, covariant=True)


@dataclasses.dataclass(frozen=True)
class Stream(Generic[S]):
    """A value per step."""

    spec: S
    per_step: ClassVar[bool] = True

    @property
    def unit(self) -> str:
        """What an example has many of, for people."""
        return "steps"


@dataclasses.dataclass(frozen=True)
class Whole(Generic[S]):
    """A value that is handed over before the first step."""

    spec: S
    per_step: ClassVar[bool] = False

    @property
    def unit(self) -> str:
        """What an example has many of, for people."""
        return self.spec.unit


@dataclasses.dataclass(frozen=True)
class Last(Whole[S]):
    """A value that is what the last step leaves."""


def numbers(value: Any, dimensions: int, most: int) -> np.ndarray:
    """Return an array of numbers from lists of them; ValueError for anything else."""
    what = "a list of integers" if dimensions == 1 else "a list of rows of numbers"
    if isinstance(value, (list, tuple)) and len(value) > most:
        raise ValueError(f"inputs must not be longer than {most:,}")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"inputs must be {what}, rows of the same length") from error
    if array.ndim != dimensions or array.dtype.kind not in "iuf" or not array.size:
        raise ValueError(f"inputs must be {what}")
    return array.astype(np.int64) if array.dtype.kind == "u" else array


def channels(value: Any, width: int, most: int) -> Float[np.ndarray, "steps width"]:
    """Return rows of finite numbers, one for each step; ValueError for anything else."""
    rows = np.asarray(numbers(value, 2, most), np.float32)
    if rows.shape[1] != width:
        raise ValueError(
            f"inputs of this task have {width} channels in each step, not {rows.shape[1]}"
        )
    if not np.isfinite(rows).all():
        raise ValueError("inputs must be finite numbers")
    return rows


def tape(name: str, kind: Any, axis: str, description: str, labels: Sequence[str]) -> Field:
    """Declare a part of a trace that has channels, ``axis``, in every step."""
    return Field(name, kind, ("step", axis), "tapes", description, {axis: labels})
