"""Tiny data sets in the layout of the originals."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

SIDE = 105


def png(image):
    """Return an array as a PNG file: of booleans with one bit for each pixel, as Omniglot's."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def drawing(*seed):
    """Return a drawing, True where there is ink, as no other numbers give."""
    return np.random.default_rng(seed).random((SIDE, SIDE)) < 0.1


CHARACTERS = [
    (108, "Balinese", 1),
    (109, "Balinese", 2),
    (394, "Greek", 1),
    (397, "Greek", 4),
    (683, "Latin", 1),
    (686, "Latin", 4),
]
"""Official number, alphabet, number in it."""
DRAWERS = (1, 2, 3)


def originals(characters=CHARACTERS, drawers=DRAWERS):
    """Return files in the layout of the originals, by name."""
    return {
        f"{alphabet}/character{place:02d}/{number:04d}_{drawer:02d}.png": png(
            ~drawing(number, drawer)
        )
        for number, alphabet, place in characters
        for drawer in drawers
    }


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def write_folder(path, files):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


@pytest.fixture(scope="session")
def data_sets():
    """The helpers of this file."""
    import types

    return types.SimpleNamespace(
        png=png, drawing=drawing, originals=originals, write_zip=write_zip,
        write_folder=write_folder, characters=CHARACTERS, drawers=DRAWERS,
    )  # fmt: skip
