"""A person's own images: a folder with a folder for each class."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8

from softmachine.core.choices import Count, Natural, Share, check_fields
from softmachine.core.errors import ImagesError
from softmachine.tasks.one_shot.images import Images, ImageSource, Part, grouped, stacked
from softmachine.tasks.one_shot.pictures import File, decode, files_in, hidden

LEAST_DRAWINGS = 2
"""A class with fewer images has nothing that could be recognised."""
LEAST_CLASSES = 2
SHOWN = 3
"""Names in a message, at most."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder(ImageSource):
    """Your own images: each class is a folder of PNG or JPEG files, of two at least.

    Class folders may lie in folders of their own, such as alphabets: ``Greek/alpha/1.png``.
    Images may be of any size. Colours become their luminance. Paper is what is at most places
    along an image's border: ink is how much darker than that a place is, or brighter if the
    paper of most images is dark. Images are padded with paper to a square, then averaged.

    Some classes are for tests, chosen by chance; with ``test_share`` 1 all of them are, with
    0 none. Hidden files are left out.
    """

    path: str
    """The folder that holds the folders of classes."""
    test_share: Share = 0.2
    """How many of the classes are for tests, as a share."""
    least_tests: Count = 5
    """How many classes are for tests at least, unless the share is 0: an episode of tests
    needs as many as it shows."""
    seed: Natural = 0
    """Another seed has other classes for tests."""
    ink: Literal["auto", "dark", "bright"] = "auto"
    """Whether ink is darker or brighter than paper; by default as the paper of most images
    says, that is dark on bright paper."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    @property
    def needs(self) -> str:
        """The folder."""
        return (
            f"Its examples were made of a person's own images, looked for in `{self.path}`; "
            'it can be tried on others: `--task \'source={"kind_of":"glyphs"}\'`.'
        )

    def images(self, part: Part, side: int) -> Images:
        """Read the classes of a part, their images ``side`` by ``side``."""
        classes = _classes(self.path, side)
        chosen = self._chosen(part, len(classes))
        paper = np.median([image.paper for one in classes for image in one.images])
        dark = self.ink == "dark" or (self.ink == "auto" and bool(paper >= 128))
        drawings, counts = stacked(
            [[_ink(image, dark) for image in classes[i].images] for i in chosen], self.path
        )
        groups, group_names = grouped([classes[i].group for i in chosen])
        return Images(
            drawings, counts, tuple(classes[i].name for i in chosen), groups, group_names
        )

    def _chosen(self, part: Part, classes: int) -> Sequence[int]:
        """Return which of the classes are a part's, in their order."""
        tests = 0
        if self.test_share:
            tests = min(max(round(self.test_share * classes), self.least_tests), classes)
        order = np.random.default_rng(self.seed).permutation(classes)
        chosen = sorted((order[:tests] if part == "test" else order[tests:]).tolist())
        if not chosen:
            raise ImagesError(
                f"{self.path} has {classes} classes, and none of them is for "
                f"{'tests' if part == 'test' else 'training'} with test_share "
                f"{self.test_share:g} and least_tests {self.least_tests}"
            )
        return chosen


class _Image(NamedTuple):
    bright: UInt8[np.ndarray, "side side"]
    """How bright each place is, paper around it."""
    paper: float
    where: str


class _Class(NamedTuple):
    name: str
    group: str | None
    images: Sequence[_Image]


def _classes(path: str, side: int) -> Sequence[_Class]:
    """Return the classes in a folder, in the order of their names."""
    folder = Path(path).expanduser()
    if not folder.exists():
        raise ImagesError(f"{folder} does not exist; it should have a folder for each class")
    if not folder.is_dir():
        raise ImagesError(f"{folder} is no folder; it should have a folder for each class")
    classes: dict[tuple[str, ...], list[File]] = {}
    for file in files_in(folder):
        classes.setdefault(file.parts[:-1], []).append(file)
    beside = [file for file in classes.pop((), []) if _named_like_an_image(file)]
    if beside:
        raise ImagesError(
            f"{beside[0].where} is in no folder of a class: each class needs one, in {folder}"
        )
    if not classes:
        raise ImagesError(
            f"{folder} has no images; it should have a folder of PNG or JPEG files for each "
            "class"
        )
    full = {parts[0] for parts in classes}
    few = [path.name for path in folder.iterdir() if _empty(path, full)]
    few += ["/".join(name) for name, files in classes.items() if len(files) < LEAST_DRAWINGS]
    if few:
        names = ", ".join(sorted(few)[:SHOWN])
        more = f" and {len(few) - SHOWN} more" if len(few) > SHOWN else ""
        raise ImagesError(
            f"{folder}: each class needs two images at least, not so {names}{more}"
        )
    if len(classes) < LEAST_CLASSES:
        raise ImagesError(f"{folder} has one class alone, {'/'.join(next(iter(classes)))}")
    return [
        _Class(
            "/".join(parts),
            "/".join(parts[:-1]) or None,
            [_read(file, side) for file in files],
        )
        for parts, files in sorted(classes.items())
    ]


def _empty(path: Path, full: set[str]) -> bool:
    return path.is_dir() and not hidden(path.name) and path.name not in full


def _named_like_an_image(file: File) -> bool:
    return file.parts[-1].lower().endswith((".png", ".jpg", ".jpeg"))


def _read(file: File, side: int) -> _Image:
    """Return an image padded to a square with its own paper, and averaged."""
    from PIL import Image

    image = decode(file)
    pixels = np.asarray(image)
    border = [pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]]
    paper = float(np.median(np.concatenate(border)))
    longest = max(image.size)
    square = Image.new("L", (longest, longest), round(paper))
    square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
    averaged = np.asarray(square.resize((side, side), Image.Resampling.BOX))
    return _Image(averaged, paper, file.where)


def _ink(image: _Image, dark: bool) -> UInt8[np.ndarray, "side side"]:
    """Return how much ink is where; raise ImagesError if there is none at all."""
    bright = image.bright.astype(np.float32)
    room = image.paper if dark else 255 - image.paper
    ink = (image.paper - bright if dark else bright - image.paper) / max(room, 1)
    inked = np.rint(255 * np.clip(ink, 0, 1)).astype(np.uint8)
    if not inked.any():
        raise ImagesError(
            f"{image.where} shows nothing {'darker' if dark else 'brighter'} than its border"
            f"{_other_way(image, dark)}"
        )
    return inked


def _other_way(image: _Image, dark: bool) -> str:
    """Return a hint, if an image is not empty but on another paper than it was taken for."""
    plain = image.bright.min() == image.bright.max()
    other = "bright" if dark else "dark"
    return "" if plain else f"; is its ink {other}, unlike that of most images here?"
