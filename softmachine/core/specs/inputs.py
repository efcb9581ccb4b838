"""Kinds of inputs that are never outputs: real numbers, images, several kinds side by side."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NoReturn

import numpy as np

from softmachine.core.fields import Field
from softmachine.core.specs.spec import Fields, Spec, channel_field, channels


class InputSpec(Spec):
    """A kind of inputs: it has a width, and no loss."""

    error: ClassVar[str] = ""
    editor: ClassVar[Literal["bits", "cells"]] = "bits"
    unit: ClassVar[str] = "steps"

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """The number of channels of one step."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        """Raise ValueError: these are never outputs."""
        raise ValueError(f"{type(self).__name__} are inputs: a machine cannot output them")

    loss = metrics = decide = worst_error = output_fields = _refuse

    def parse(self, value: Any, most: int) -> np.ndarray:
        """Return an array from one list of numbers per step; ValueError for anything else."""
        return channels(value, self.width, most)


@dataclasses.dataclass(frozen=True)
class Reals(InputSpec):
    """``count`` real numbers per step, of about unit size."""

    count: int

    @property
    def width(self) -> int:
        """The number of numbers."""
        return self.count

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return the numbers of each step."""
        return [" ".join(f"{x:.2f}" for x in row) for row in inputs]

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the numbers as one field."""
        field = channel_field("inputs", "vector", "input channel", "The numbers given.", labels)
        return [(field, inputs)]


@dataclasses.dataclass(frozen=True)
class Image(InputSpec):
    """A square grey image per step, ``side`` pixels each way: ink 1, paper 0, row after row."""

    side: int

    @property
    def width(self) -> int:
        """The number of pixels."""
        return self.side**2

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return how much of each image is ink."""
        return [f"image, {100 * np.mean(row):.0f} % ink" for row in inputs]

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the images as one field, a matrix for each step."""
        del labels
        axes = ("step", "image row", "image column")
        field = Field("images", "matrix", axes, "tapes", "The image shown.")
        return [(field, inputs.reshape(len(inputs), self.side, self.side))]


@dataclasses.dataclass(frozen=True)
class Product(InputSpec):
    """Several kinds of inputs in every step, their channels one after the other."""

    parts: tuple[Spec, ...]

    @property
    def width(self) -> int:
        """The channels of all parts."""
        return sum(part.width for part in self.parts)

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return the texts of all parts."""
        parts = zip(self.parts, self.split(inputs), strict=True)
        texts = [part.input_texts(own) for part, own in parts]
        return ["; ".join(each) for each in zip(*texts, strict=True)]

    def split(self, inputs: Any) -> list[Any]:
        """Return each part's channels of an array whose last axis has those of all parts."""
        ends = np.cumsum([part.width for part in self.parts])
        return [
            inputs[..., end - p.width : end] for p, end in zip(self.parts, ends, strict=True)
        ]

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the fields of all parts."""
        ends = np.cumsum([part.width for part in self.parts])
        return [
            field
            for part, own, end in zip(self.parts, self.split(inputs), ends, strict=True)
            for field in part.input_fields(own, labels[end - part.width : end])
        ]
