"""The spec of a kind of inputs or outputs: its loss, metrics, decisions, parsing and display.

Code that trains, scores, draws or reads a person's input asks the spec, and never checks which
class a task is. A new kind is one file beside this one. `Stream`, `Whole` and `Last` say when
values of a spec arrive.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from softmachine.core.choices import check_value
from softmachine.core.example import Example
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Ratio:
    """A metric as totals and counts, for what varies in number: symbols, positions.

    Its mean over a batch is the sum of all totals divided by the sum of all counts, which is
    not the mean of the examples' own ratios.
    """

    total: PyTree
    """The numerator: an array with one number per example."""
    count: PyTree
    """The denominator: an array of the same shape."""


Metric = Float[Array | np.ndarray, "*batch"] | Ratio
"""One metric of a batch; in an array every example counts once."""
Metrics = dict[str, Metric]
"""Metrics by name."""
Fields = list[tuple[Field, np.ndarray]]
"""Fields of a trace: declarations, each with its array."""


def each(metric: Metric) -> Any:
    """Return the value of a metric for each example; 0 where the count is 0."""
    if isinstance(metric, Ratio):
        return metric.total / jnp.where(metric.count > 0, metric.count, 1)
    return metric


def counts(metric: Metric) -> bool:
    """Return whether a metric of a batch counts anything: a `Ratio` may be of nothing.

    >>> counts(Ratio(jnp.zeros(2), jnp.array([0.0, 1.0])))
    True
    >>> counts(Ratio(jnp.zeros(2), jnp.zeros(2)))
    False
    """
    return not isinstance(metric, Ratio) or bool(np.any(np.asarray(metric.count) > 0))


def mean(metric: Metric) -> Float[Array, ""]:
    """Return the mean of a metric over a batch; of a `Ratio`, all totals over all counts.

    >>> correct, scored = jnp.array([1.0, 9.0]), jnp.array([1.0, 19.0])
    >>> float(mean(Ratio(correct, scored)))
    0.5
    """
    if isinstance(metric, Ratio):
        return each(Ratio(jnp.sum(metric.total), jnp.sum(metric.count)))
    return jnp.mean(metric)


def standard_error(metric: Metric) -> Float[Array, ""]:
    """Return the standard error of `mean` over a batch of independent examples.

    Of a `Ratio` by linearisation (Cochran, Sampling Techniques, 1977, Eq. 2.39): the totals'
    deviations from the ratio times the counts, over all counts.

    >>> variance = 5 / 3  # of these four
    >>> bool(jnp.isclose(standard_error(jnp.arange(4.0)), (variance / 4) ** 0.5))
    True
    """
    if isinstance(metric, Ratio):
        deviations = metric.total - mean(metric) * metric.count
        scale = len(metric.count) / jnp.maximum(jnp.sum(metric.count), 1)
    else:
        values = jnp.asarray(metric)
        deviations, scale = values - jnp.mean(values), 1.0
    examples = len(deviations)
    variance = jnp.sum(jnp.square(deviations)) / max(examples - 1, 1)
    return scale * jnp.sqrt(variance / examples)


class Spec(abc.ABC):
    """One kind of inputs or outputs, such as bits. Subclasses are frozen dataclasses.

    `loss` and `metrics` score one example, from the outputs of all its steps.
    """

    error: ClassVar[str]
    """The name of the error metric: one of `metrics`, 0 for an example without a mistake.

    `metrics` always holds ``bits`` too, the cross-entropy of the example in base 2."""
    shares: ClassVar[tuple[str, ...]] = ("perfect",)
    """Names of the metrics that are fractions between 0 and 1, shown in percent."""
    counted: ClassVar[str] = "sequences"
    """What examples are called, in the plural, where results count them."""
    editor: ClassVar[Literal["bits", "cells"]]
    """How inputs are edited on the viewer's page: a grid of bits, or a row of integers."""
    unit: ClassVar[str]
    """What the parts of a value are called, in the plural, when it is handed over whole."""
    decisions: ClassVar[bool] = True
    """Whether outputs come down to one of several answers, which is right or wrong."""
    after_every_step: ClassVar[bool] = False
    """Whether outputs after all steps count even where the last is meant: for machines that
    stop by themselves, each with a probability of having stopped there."""
    takes_batches: ClassVar[bool] = False
    """Whether `loss` and `metrics` take a batch as the last axis of every array, too."""

    @property
    def width(self) -> int:
        """The number of channels of one step; ValueError for a kind without steps."""
        raise ValueError(
            f"{type(self).__name__} have no width: they are given whole, not per step"
        )

    @abc.abstractmethod
    def loss(self, outputs: PyTree, example: Example) -> Float[Array, "*batch"]:
        """Return the loss that training minimises, in nats per example."""

    @abc.abstractmethod
    def metrics(self, outputs: PyTree, example: Example) -> Metrics:
        """Return the metrics that are reported and that stopping rules use."""

    @abc.abstractmethod
    def decide(self, outputs: PyTree) -> PyTree:
        """Return hard decisions: for each position the most likely value."""

    def answer(self, outputs: PyTree, example: Example) -> PyTree:
        """Return the decisions that count, one for each target: by default all of them."""
        del example
        return self.decide(outputs)

    def scored(self, example: Example) -> Bool[Array, "..."]:
        """Return where targets are scored, in the shape of the targets."""
        return jnp.broadcast_to(example.mask, example.targets.shape) > 0

    def wrong(self, outputs: PyTree, example: Example) -> Bool[Array, "..."]:
        """Return where scored targets are missed, in the shape of the targets."""
        answer = jnp.asarray(self.answer(outputs, example), example.targets.dtype)
        return (answer != example.targets) & self.scored(example)

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return the inputs as short texts, one per step.

        Raises ValueError for a kind without steps.
        """
        del inputs
        raise ValueError(f"{type(self).__name__} have no value per step to tell")

    def output_texts(self, outputs: PyTree) -> list[str]:
        """Return what the outputs decide as short texts, one per step.

        Raises ValueError for a kind without steps.
        """
        del outputs
        raise ValueError(f"{type(self).__name__} have no value per step to tell")

    def columns(self, means: dict[str, float]) -> dict[str, float]:
        """Return mean metrics by the names, and in the order, that results have them."""
        return means

    def probabilities(
        self, outputs: PyTree, example: Example
    ) -> Float[np.ndarray, "steps width"]:
        """Return output probabilities for figures, 0 where nothing is scored.

        Raises ValueError for a kind without steps.
        """
        del outputs, example
        raise ValueError(f"{type(self).__name__} have no value per step to draw")

    @abc.abstractmethod
    def worst_error(self, example: Example) -> Float[Array, ""]:
        """Return the value of the error metric when every scored position is wrong."""

    @abc.abstractmethod
    def parse(self, value: Any, most: int) -> np.ndarray:
        """Return a person's own inputs, given as a JSON value, as an array.

        At most ``most`` steps, or cells. Raises ValueError, which says what would be right,
        for inputs of another kind.
        """

    def unscored(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return targets and mask of ``steps`` steps that are not scored: zeros."""
        blank = np.zeros((steps, self.width), np.float32)
        return blank, blank

    @abc.abstractmethod
    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the fields of a trace for the inputs; ``labels`` name channels or cells."""

    @abc.abstractmethod
    def output_fields(self, outputs: PyTree, example: Example, labels: Sequence[str]) -> Fields:
        """Return the fields of a trace for targets, mask, outputs and mistakes."""


S = TypeVar("S", bound=Spec, covariant=True)


@dataclasses.dataclass(frozen=True)
class Stream(Generic[S]):
    """Values that arrive one per step."""

    spec: S
    """The kind of one step's value."""
    per_step: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check that it is a kind."""
        check_value(Spec, self.spec, f"{type(self).__name__}.spec")

    @property
    def last(self) -> bool:
        """Whether a machine's output after its last step is all that counts."""
        return False

    @property
    def unit(self) -> str:
        """What the length of an example is counted in, in the plural."""
        return "steps"


@dataclasses.dataclass(frozen=True)
class Whole(Generic[S]):
    """A value that is handed over whole, before the first step."""

    spec: S
    """The kind of the value."""
    per_step: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check that it is a kind."""
        check_value(Spec, self.spec, f"{type(self).__name__}.spec")

    @property
    def last(self) -> bool:
        """Whether a machine's output after its last step is all that counts."""
        return False

    @property
    def unit(self) -> str:
        """What the length of an example is counted in, in the plural."""
        return self.spec.unit


@dataclasses.dataclass(frozen=True)
class Last(Whole[S]):
    """A value that is read after the last step."""

    @property
    def last(self) -> bool:
        """Whether a machine's output after its last step is all that counts."""
        return not self.spec.after_every_step


def numbers(value: Any, dimensions: int, most: int) -> np.ndarray:
    """Return an array from (nested) lists of numbers; ValueError for anything else.

    Arguments:
        value: a list for ``dimensions`` 1, a list of equally long lists for 2.
        dimensions: the number of axes, 1 or 2.
        most: the largest length of the first axis.
    """
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
    """Return an array from one list of ``width`` finite numbers per step.

    Raises ValueError for anything else, and for more than ``most`` steps.
    """
    rows = np.asarray(numbers(value, 2, most), np.float32)
    if rows.shape[1] != width:
        raise ValueError(
            f"inputs of this task have {width} channels in each step, not {rows.shape[1]}"
        )
    if not np.isfinite(rows).all():
        raise ValueError("inputs must be finite numbers")
    return rows


def channel_field(
    name: str, kind: Any, axis: str, description: str, labels: Sequence[str]
) -> Field:
    """Return the declaration of an array with channels, along ``axis``, in every step."""
    return Field(name, kind, ("step", axis), "tapes", description, {axis: labels})
