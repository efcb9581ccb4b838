"""Images by class for one-shot learning, and what every source of them has to do."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Int32, UInt8

from softmachine.core.errors import ImagesError
from softmachine.core.registry import Registry

Part = Literal["train", "test"]
"""The two parts that the classes of a source are split into."""
PARTS: tuple[Part, ...] = get_args(Part)
NO_GROUP = -1
LARGEST = 2**31
"""The most bytes that the images of a source may take."""


class Images(NamedTuple):
    """Drawings by class, all of the same size, as arrays that cannot be written to."""

    drawings: UInt8[np.ndarray, "classes most side side"]
    """Ink bright, 0 to 255; places without a drawing are zeros."""
    counts: Int32[np.ndarray, " classes"]
    """How many drawings each class has."""
    names: tuple[str, ...]
    """Of the classes, such as ``Greek/character07``."""
    groups: Int32[np.ndarray, " classes"]
    """Each class's alphabet, an index into ``group_names``; -1 for none."""
    group_names: tuple[str, ...]


class ImageSource(abc.ABC):
    """Where images come from; a frozen keyword-only dataclass.

    Classes for training and for tests are different ones. What is loaded stays in memory, so
    that files which change are read anew by another process alone.
    """

    original_side: ClassVar[int | None] = None
    """Pixels each way before images are made smaller, where that is the same for all."""

    @property
    def needs(self) -> str:
        """What a person has to have or to fetch first, in a sentence; empty for nothing."""
        return ""

    def load(self, part: Part, side: int) -> Images:
        """Return the classes of a part, their drawings ``side`` by ``side``.

        Raises ImagesError if there are no such images, or if they cannot be read.
        """
        if part not in PARTS or side < 1:
            raise ValueError(f"images are of a part in {PARTS} and a side from 1 on")
        return _loaded(self, part, side)

    @abc.abstractmethod
    def images(self, part: Part, side: int) -> Images:
        """Do what `load` says, each time anew."""


IMAGES: Registry[type[ImageSource]] = Registry(
    "source of images",
    "softmachine.images",
    {
        "glyphs": "glyphs:Glyphs",
        "omniglot": "omniglot:Omniglot",
        "folder": "folder:Folder",
    },
    package="softmachine.tasks.one_shot",
)
"""Sources of images by the names that files have."""


@lru_cache(maxsize=16)
def _loaded(source: ImageSource, part: Part, side: int) -> Images:
    images = source.images(part, side)
    for array in (images.drawings, images.counts, images.groups):
        array.flags.writeable = False  # all who ask for it have the same one
    return images


def grouped(
    names: Sequence[str | None],
) -> tuple[Int32[np.ndarray, " classes"], tuple[str, ...]]:
    """Return for each class the place of its group among all groups, and these.

    >>> grouped(["Greek", None, "Latin", "Greek"])
    (array([ 0, -1,  1,  0], dtype=int32), ('Greek', 'Latin'))
    """
    groups = tuple(dict.fromkeys(name for name in names if name is not None))
    places = [NO_GROUP if name is None else groups.index(name) for name in names]
    return np.array(places, np.int32), groups


def stacked(
    classes: Sequence[Sequence[UInt8[np.ndarray, "..."]]], where: str
) -> tuple[UInt8[np.ndarray, "classes most ..."], Int32[np.ndarray, " classes"]]:
    """Return arrays of the same shape, some for each class, as one, and how many each has.

    Raises ImagesError, which says ``where`` they are from, if they take too much memory.
    """
    counts = np.array([len(arrays) for arrays in classes], np.int32)
    shape = (len(classes), int(counts.max()), *classes[0][0].shape)
    check_room(shape, where)
    together = np.zeros(shape, np.uint8)
    for row, arrays in zip(together, classes, strict=True):
        row[: len(arrays)] = arrays
    return together, counts


def check_room(shape: tuple[int, ...], where: str) -> None:
    """Raise ImagesError if images of this shape would take too much memory."""
    classes, most = shape[:2]
    if int(np.prod(shape, dtype=np.float64)) > LARGEST:
        raise ImagesError(
            f"{where}: {classes:,} classes of up to {most:,} images of "
            f"{' x '.join(map(str, shape[2:]))} do not fit into {LARGEST >> 30} GB; take "
            "fewer, or a smaller side"
        )


def chunks(count: int, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` that cover ``count`` places."""
    for begin in range(0, count, size):
        yield slice(begin, min(begin + size, count))


def area_average(bits: UInt8[np.ndarray, "*n rows columns"], side: int) -> np.ndarray:
    """Return the share of ink in each of ``side`` by ``side`` equal squares, times 255.

    Exact: each square counts a pixel by the part of it that it covers; what is halfway
    between two integers is rounded to the even one.

    Arguments:
        bits: square images of 0 and 1, 1 is ink.
        side: how many squares each way; may be more than pixels.

    Returns uint8 of shape ``(*n, side, side)``; 255 is all ink.
    """
    pixels = bits.shape[-1]
    # In units of 1/side of a pixel, so that all sums are of integers, and exact.
    edges = np.arange(side + 1) * pixels
    starts = np.arange(pixels) * side
    covered = np.minimum(edges[1:, None], starts + side) - np.maximum(edges[:-1, None], starts)
    covered = np.maximum(covered, 0).astype(np.float64)
    flat = bits.reshape(-1, pixels, pixels)
    averaged = np.empty((len(flat), side, side), np.uint8)
    for part in chunks(len(flat), 1000):
        total = covered @ flat[part].astype(np.float64) @ covered.T
        averaged[part] = np.rint(total * 255 / pixels**2)
    return averaged.reshape(*bits.shape[:-2], side, side)
