"""What all sources of images have in common: exact averages, parts, memory, names in files."""

from fractions import Fraction

import numpy as np
import pytest

from softmachine.core.errors import ImagesError, SoftmachineError
from softmachine.experiments.serialization import _converter
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.one_shot.images import (
    IMAGES,
    ImageSource,
    area_average,
    check_room,
    stacked,
)


def brute_force(bits, side):
    """Average as the definition has it, in fractions: overlap after overlap."""
    size = Fraction(len(bits), side)
    averaged = np.zeros((side, side), int)
    for row in range(side):
        for column in range(side):
            total = Fraction(0)
            for y, x in zip(*np.nonzero(bits), strict=True):
                high = min((row + 1) * size, y + 1) - max(row * size, y)
                wide = min((column + 1) * size, x + 1) - max(column * size, x)
                total += max(high, Fraction(0)) * max(wide, Fraction(0))
            averaged[row, column] = round(255 * total / size**2)  # half to even
    return averaged


@pytest.mark.parametrize(("pixels", "side"), [(9, 9), (9, 3), (10, 4), (7, 3), (3, 5), (8, 4)])
def test_area_average_is_exact(pixels, side):
    bits = np.random.default_rng(pixels).integers(0, 2, (3, pixels, pixels), dtype=np.uint8)
    expected = [brute_force(image, side) for image in bits]
    np.testing.assert_array_equal(area_average(bits, side), expected)


def test_what_is_halfway_is_rounded_to_even():
    """6 of 36 pixels are 42.5 of 255, and 18 are 127.5."""
    bits = np.zeros((2, 12, 12), np.uint8)
    bits[0, 0, :6] = bits[1, :3, :6] = 1
    averaged = area_average(bits, 2)
    assert averaged[:, 0, 0].tolist() == [42, 128]
    assert averaged.sum() == 42 + 128


def test_classes_of_different_sizes_are_filled_with_zeros():
    one, two = np.ones((2, 2), np.uint8), np.full((2, 2), 2, np.uint8)
    together, counts = stacked([[one], [one, two]], "here")
    assert counts.tolist() == [1, 2]
    assert together[:, :, 0, 0].tolist() == [[1, 0], [1, 2]]
    with pytest.raises(ImagesError, match=r"drawn: 1,000 classes .* do not fit into 2 GB"):
        check_room((1000, 1000, 105, 105), "drawn")


def test_what_is_loaded_is_kept_and_nobody_can_spoil_it():
    source = Glyphs(test_classes=2, drawings=2)
    images = source.load("test", 8)
    assert images is Glyphs(test_classes=2, drawings=2).load("test", 8)
    for array in (images.drawings, images.counts, images.groups):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(ValueError, match="side from 1 on"):
        source.load("test", 0)


def test_sources_are_known_to_files_by_name():
    converter = _converter()
    source = Glyphs(seed=3, drawings=7)
    json = converter.unstructure(source, ImageSource)
    assert json["kind_of"] == "glyphs"
    assert converter.structure(json, ImageSource) == source
    with pytest.raises(
        SoftmachineError, match=r"unknown source of images 'glyph'; did you mean"
    ):
        IMAGES.find("glyph")
