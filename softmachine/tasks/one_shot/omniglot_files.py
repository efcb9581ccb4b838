"""The files that Omniglot comes in: the originals, and arrays that were made of them."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt8

from softmachine.core.errors import ImagesError
from softmachine.tasks.one_shot.images import area_average, chunks, stacked
from softmachine.tasks.one_shot.pictures import (
    LARGEST_FILE,
    File,
    decode,
    files_in,
    files_in_zip,
    open_zip,
)

SIDE = 105
PACKED = -(-(SIDE**2) // 8)
"""Bytes of a drawing with a bit for each pixel."""
BACKGROUND, ALL = 964, 1623
"""Characters 1 to 964 are the background set, 965 to 1623 the evaluation set."""
ARRAYS = ("omniglot.npz", "omniglot-small.npz")
"""Names of files with arrays that a folder may hold."""
ORIGINAL = re.compile(r"([^/]+)/character(\d\d)/(\d{4})_(\d\d)\.png")
"""The path of a drawing in the original layout: alphabet, character, its number, drawer."""
EXPECTED = (
    "images_background.zip and images_evaluation.zip, their unpacked folders "
    "(ALPHABET/characterNN/NNNN_DD.png), or omniglot.npz"
)
"""What there should be."""
FETCHED = Path("data", "omniglot")
"""Where ``softmachine data omniglot`` puts the originals, if it is not told."""


class Characters(NamedTuple):
    """Drawings of Omniglot by character, in the order of the characters' official numbers."""

    bits: UInt8[np.ndarray, "characters most PACKED"]
    """105 by 105, a bit for each pixel, the first one highest; 1 is ink."""
    counts: Int32[np.ndarray, " characters"]
    numbers: Int32[np.ndarray, " characters"]
    """The official ones, from 1 to 1623."""
    alphabets: tuple[str, ...]
    """The name of each character's alphabet."""
    in_alphabet: Int32[np.ndarray, " characters"]
    """The number within the alphabet, from 1."""


def fetching(place: Path) -> str:
    """Return the command that fetches the original files to a place."""
    folder = place.parent if place.suffix else place
    out = "" if folder == FETCHED else f" --out {shlex.quote(str(folder))}"
    return f"softmachine data omniglot{out}"


def read_characters(path: str) -> Characters:
    """Return the drawings in a file of arrays, in a zip, or in a folder with any of these.

    They are read once for training and for tests. Raises ImagesError if there are none.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise ImagesError(
            f"{place} does not exist: '{fetching(place)}' fetches Omniglot; or name another "
            f"path, with {EXPECTED}"
        )
    return _read(place, place.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read(place: Path, written: int) -> Characters:
    del written  # what was written since has to be read again
    if place.is_dir():
        return _from_folder(place)
    with open_zip(place) as archive:
        arrays = any(name.endswith(".npy") for name in archive.namelist())
    if arrays:
        return _from_arrays(place)
    with files_in_zip(place) as files:
        return _from_files(files, place)


def _from_folder(folder: Path) -> Characters:
    files = files_in(folder)
    zips = sorted(folder.glob("images_*.zip"))
    arrays = [folder / name for name in ARRAYS if (folder / name).is_file()]
    originals = zips or any(map(_drawing, files))
    if arrays and (arrays[0].name == ARRAYS[0] or not originals):
        return _from_arrays(arrays[0])
    with contextlib.ExitStack() as opened:
        for path in zips:
            files += opened.enter_context(files_in_zip(path))
        return _from_files(files, folder)


class _Drawing(NamedTuple):
    alphabet: str
    in_alphabet: int
    number: int
    drawer: int


def _drawing(file: File) -> _Drawing | None:
    """Return which drawing a file of the original layout is, or None if it is another file."""
    found = ORIGINAL.fullmatch("/".join(file.parts[-3:]))
    return _Drawing(found[1], *map(int, found.groups()[1:])) if found else None


def _from_files(files: Iterable[File], place: Path) -> Characters:
    """Return the drawings among files; those that are there twice count once."""
    drawings: dict[int, dict[int, File]] = {}
    names: dict[int, tuple[str, int]] = {}
    for file in files:
        if (drawing := _drawing(file)) is None:
            continue
        name = drawing.alphabet, drawing.in_alphabet
        if names.setdefault(drawing.number, name) != name:
            other = "/character{:02d}".format(*names[drawing.number][1:])
            raise ImagesError(
                f"{file.where}: character {drawing.number} is "
                f"{names[drawing.number][0]}{other} as well"
            )
        drawings.setdefault(drawing.number, {}).setdefault(drawing.drawer, file)
    if not drawings:
        raise ImagesError(f"{place} has no drawings of Omniglot; it should have {EXPECTED}")
    numbers = sorted(drawings)
    bits, counts = stacked(
        [
            [read_bits(file) for _, file in sorted(drawings[number].items())]
            for number in numbers
        ],
        str(place),
    )
    return Characters(
        bits,
        counts,
        np.array(numbers, np.int32),
        tuple(names[number][0] for number in numbers),
        np.array([names[number][1] for number in numbers], np.int32),
    )


def read_bits(file: File) -> UInt8[np.ndarray, " PACKED"]:
    """Return an original drawing, black on white, as packed bits."""
    return np.packbits(np.asarray(decode(file, (SIDE, SIDE))) < 128)


def _from_arrays(path: Path) -> Characters:
    """Return the drawings in ``omniglot.npz`` or ``omniglot-small.npz``."""
    with arrays_of(path) as arrays:
        bits = arrays["bits"]
        characters = len(bits)
        alphabets, names = arrays["alphabet"], arrays["alphabet_names"]
        in_alphabet = arrays["character_number"]
        numbers = arrays.get("omniglot_number", np.arange(characters) + 1)
    shapes = {array.shape for array in (alphabets, in_alphabet, numbers)}
    integers = all(array.dtype.kind in "iu" for array in (alphabets, in_alphabet, numbers))
    if (
        not packed_bits(bits, 3)
        or shapes != {(characters,)}
        or not integers
        or not characters
        or names.dtype.kind != "U"
        or names.ndim != 1
        or not 0 <= alphabets.min() <= alphabets.max() < len(names)
        or np.any(np.diff(numbers.astype(int)) <= 0)
    ):
        raise ImagesError(f"{path} has arrays that are not those of Omniglot")
    return Characters(
        bits,
        np.full(characters, bits.shape[1], np.int32),
        numbers.astype(np.int32),
        tuple(str(names[alphabet]) for alphabet in alphabets),
        in_alphabet.astype(np.int32),
    )


def packed_bits(array: np.ndarray, axes: int) -> bool:
    """Return whether an array holds drawings as packed bits."""
    return array.dtype == np.uint8 and array.ndim == axes and array.shape[-1] == PACKED


@contextlib.contextmanager
def arrays_of(path: Path) -> Iterator[dict[str, np.ndarray]]:
    """Yield the arrays of a file of NumPy's.

    Raises ImagesError if it cannot be read, or lacks an array that is asked for.
    """
    with open_zip(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > LARGEST_FILE:
            raise ImagesError(f"{path} has more than {LARGEST_FILE:,} bytes")
    try:
        with np.load(path, allow_pickle=False) as opened:
            arrays = {name: np.asarray(opened[name]) for name in opened.files}
    except Exception as error:  # damage of any kind
        raise ImagesError(f"{path} cannot be read: {error}") from None
    try:
        yield arrays
    except KeyError as error:
        raise ImagesError(f"{path} has no array {error}") from None


def reduced(
    bits: UInt8[np.ndarray, "*n PACKED"], side: int
) -> UInt8[np.ndarray, "*n side side"]:
    """Return drawings of packed bits, averaged to ``side`` by ``side``; all ink is 255."""
    flat = bits.reshape(-1, PACKED)
    images = np.empty((len(flat), side, side), np.uint8)
    for part in chunks(len(flat), 1000):
        pixels = np.unpackbits(flat[part], axis=-1)[:, : SIDE**2]
        images[part] = area_average(pixels.reshape(-1, SIDE, SIDE), side)
    return images.reshape(*bits.shape[:-1], side, side)


def first_file(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of some files that a folder has, or None."""
    return next((folder / name for name in names if (folder / name).is_file()), None)
