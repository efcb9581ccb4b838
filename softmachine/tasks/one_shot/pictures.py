"""Files of images, in folders and zips that nobody has looked at yet; PNG and JPEG.

Readers of zips, images and arrays raise all there is on files that are damaged, so that
whatever they raise is taken for damage here.
"""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from softmachine.core.errors import ImagesError

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_SIDE = 10_000
"""The most pixels that an image may have each way; larger ones are not decoded."""
LARGEST_FILE = 200 * 2**20
"""The most bytes of a file."""
MOST_FILES = 1_000_000
DEEPEST = 5
"""How many folders may lie in each other."""
OF_THE_SYSTEM = {"__MACOSX", "Thumbs.db", "desktop.ini"}
"""What computers put beside the files of people, under names that are not hidden."""


class File(NamedTuple):
    """A file in a folder or in a zip."""

    where: str
    """How to call it in messages."""
    parts: tuple[str, ...]
    """Its folders, and its name, from the folder or the zip on."""
    read: Callable[[], bytes]
    """Returns its bytes; raises ImagesError."""


def hidden(name: str) -> bool:
    """Return whether a file or a folder is none that a person has put there."""
    return name.startswith(".") or name in OF_THE_SYSTEM


def files_in(folder: Path) -> list[File]:
    """Return the files in a folder and in its folders, in the order of their names.

    Hidden ones are left out. Raises ImagesError if a folder cannot be read.
    """
    found = []
    for parts in _walk(folder, ()):
        path = folder.joinpath(*parts)
        found.append(File(str(path), parts, lambda path=path: _read(path)))
        if len(found) > MOST_FILES:
            raise ImagesError(f"{folder} has more than {MOST_FILES:,} files")
    return found


def _walk(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    try:
        inside = sorted(folder.joinpath(*parts).iterdir())
    except OSError as error:
        raise ImagesError(f"{folder.joinpath(*parts)} cannot be read: {_why(error)}") from None
    for path in inside:
        if hidden(path.name):
            continue
        if not path.is_dir():
            yield *parts, path.name
        elif len(parts) < DEEPEST:
            yield from _walk(folder, (*parts, path.name))


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ImagesError(f"{path} is no file")
        if path.stat().st_size > LARGEST_FILE:
            raise ImagesError(f"{path} has more than {LARGEST_FILE:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ImagesError(f"{path} cannot be read: {_why(error)}") from None


@contextlib.contextmanager
def files_in_zip(path: Path) -> Iterator[list[File]]:
    """Yield the files in a zip, in the order of their names; they can be read until the end.

    Hidden ones are left out. Raises ImagesError if it is no zip that can be read.
    """
    with open_zip(path) as archive:
        found = []
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            parts = tuple(info.filename.split("/"))
            if parts[-1] and not any(map(hidden, parts)):  # a folder's name ends with /
                found.append(File(f"{path}: {info.filename}", parts, _reader(archive, info)))
        yield found


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Yield a zip to be read; raise ImagesError if it is none."""
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:
        raise ImagesError(f"{path} cannot be read as a zip: {_why(error)}") from None
    with archive:
        yield archive


def _reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        where = f"{archive.filename}: {info.filename}"
        if info.file_size > LARGEST_FILE:
            raise ImagesError(f"{where} has more than {LARGEST_FILE:,} bytes")
        try:
            return archive.read(info)
        except Exception as error:
            raise ImagesError(f"{where} cannot be read: {_why(error)}") from None

    return read


def decode(file: File, size: tuple[int, int] | None = None) -> Image:
    """Return an image in grey, upright, light places bright; transparent ones are white.

    Arguments:
        file: a PNG or JPEG file.
        size: the width and height that it has to have, if they are known.

    Raises ImagesError if it is another file, a damaged one, or too large to be decoded.
    """
    from PIL import Image, ImageOps

    data = file.read()
    with warnings.catch_warnings():
        # Of large images, which are refused below, and of harmless faults in a file's notes.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        except Image.DecompressionBombError:
            raise ImagesError(f"{file.where} is too large an image") from None
        except Exception:
            raise ImagesError(f"{file.where} is no PNG or JPEG image") from None
        if size is not None and image.size != size:
            raise ImagesError(f"{file.where} has {_by(image.size)} pixels, not {_by(size)}")
        if max(image.size) > LARGEST_SIDE:
            raise ImagesError(
                f"{file.where} is too large an image: {_by(image.size)} pixels, at most "
                f"{LARGEST_SIDE:,} each way"
            )
        try:
            return _grey(ImageOps.exif_transpose(image))
        except Exception as error:
            raise ImagesError(f"{file.where} is damaged: {_why(error)}") from None


def _grey(image: Image) -> Image:
    """Return an image with one channel of 8 bits: its luminance."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # 16 bits, which a conversion would cut off
        bright = np.clip(np.asarray(image, np.float32) / 257, 0, 255)
        return Image.fromarray(np.rint(bright).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("L")


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]:,} x {size[1]:,}"


def _why(error: BaseException) -> str:
    strerror = getattr(error, "strerror", None)
    return strerror or str(error) or type(error).__name__
