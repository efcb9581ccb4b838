"""Drawn glyphs: the same for ever, as different as hands are, rendered as ink covers pixels."""

import numpy as np
import pytest

from softmachine.tasks.one_shot import glyphs
from softmachine.tasks.one_shot.glyphs import Glyph, Glyphs


def nearest_neighbour(drawings, classes, episodes):
    """Return by instance how often the nearest image before, by pixels, is of its class."""
    rng = np.random.default_rng(0)
    drawings = drawings / np.maximum(drawings.max(axis=(2, 3), keepdims=True), 1)
    count = drawings.shape[1]
    right = np.zeros(count)
    for _ in range(episodes):
        chosen = rng.choice(len(drawings), classes, replace=False)
        order = rng.permutation(classes * count)
        shown = np.repeat(np.arange(classes), count)[order]
        images = drawings[chosen].reshape(classes * count, -1)[order]
        squares = np.sum(images**2, axis=1)
        distances = squares[:, None] + squares - 2 * images @ images.T
        seen = np.zeros(classes, int)
        for step, which in enumerate(shown):
            guess = shown[np.argmin(distances[step, :step])] if step else 0
            right[seen[which]] += guess == which
            seen[which] += 1
    return right / (episodes * classes)


def test_a_drawing_depends_on_seed_part_class_and_number_alone():
    few = Glyphs(train_classes=3, test_classes=3, drawings=2)
    many = Glyphs(train_classes=5, test_classes=4, drawings=6)
    for part in ("train", "test"):
        images = few.load(part, 12)
        np.testing.assert_array_equal(many.load(part, 12).drawings[:3, :2], images.drawings)
        assert images.counts.tolist() == [2, 2, 2]
        assert images.groups.tolist() == [-1, -1, -1]
    again = few.images("test", 12).drawings
    assert again is not images.drawings
    np.testing.assert_array_equal(again, images.drawings)
    others = [
        few.load("train", 12),
        Glyphs(seed=1, test_classes=3, drawings=2).load("test", 12),
    ]
    assert all(np.any(other.drawings != images.drawings) for other in others)


def test_glyphs_are_those_of_any_other_day():
    """Machines that ship were trained on them."""
    drawings = Glyphs(test_classes=5, drawings=4).load("test", 20).drawings
    ink = drawings.sum(axis=(2, 3), dtype=int)
    np.testing.assert_allclose(ink, INK, atol=3)


INK = [
    [7899, 8057, 6826, 7723],
    [8468, 8547, 10007, 7005],
    [10461, 8384, 10363, 6758],
    [11238, 10323, 7765, 8089],
    [7608, 5895, 7599, 8901],
]


def test_without_variation_drawings_are_all_alike():
    drawings = Glyphs(test_classes=4, drawings=3, variation=0.0).load("test", 20).drawings
    np.testing.assert_array_equal(drawings, drawings[:, :1].repeat(3, axis=1))
    varied = Glyphs(test_classes=4, drawings=3).load("test", 20).drawings
    assert np.all(np.any(varied != drawings, axis=(2, 3)))


def test_strokes_go_through_their_control_points():
    controls = np.random.default_rng(0).uniform(-0.4, 0.4, (glyphs.CONTROLS, 2))
    for smooth in (False, True):
        curve = glyphs._basis(4 * (glyphs.CONTROLS - 1) + 1, smooth) @ controls
        np.testing.assert_allclose(curve[::4], controls, atol=1e-12)
    middles = glyphs._basis(2 * glyphs.CONTROLS - 1, False) @ controls
    np.testing.assert_allclose(middles[1::2], (controls[1:] + controls[:-1]) / 2, atol=1e-12)


def line(begin, end):
    along = np.linspace(0, 1, glyphs.CONTROLS)[:, None]
    return np.array(begin) * (1 - along) + np.array(end) * along


@pytest.mark.parametrize("side", [10, 20, 41, 105])
def test_the_ink_of_a_line_is_its_length_times_the_pen(side):
    """At every resolution, for a stroke that does not touch the border."""
    controls = line((-0.3, -0.2), (0.3, 0.25))[None]
    pen = 0.05
    image = glyphs.render(Glyph(controls, (False,)), controls[None], np.array([pen]), side)[0]
    ink = image.sum() / 255 / side**2
    assert ink == pytest.approx(0.75 * pen, rel=0.04)
    middles = (np.arange(side) + 0.5) / side - 0.5
    down, right = (image.sum(axis) @ middles / image.sum() for axis in (1, 0))
    assert (right, down) == pytest.approx((0.0, 0.025), abs=2e-3)


def test_less_pixels_are_averages_of_more():
    coarse = Glyphs(test_classes=10, drawings=2).load("test", 20).drawings
    fine = Glyphs(test_classes=10, drawings=2).load("test", 80).drawings
    averaged = fine.reshape(10, 2, 20, 4, 20, 4).mean(axis=(3, 5))
    assert np.abs(averaged - coarse).mean() < 2.5


def test_they_are_about_as_hard_to_tell_apart_as_real_characters():
    """Omniglot: 44 % at the second instance, 75 % at the tenth; few episodes are near that."""
    drawings = Glyphs(test_classes=100, drawings=10).load("test", 20).drawings
    right = nearest_neighbour(drawings, 5, 100)
    assert right[1] == pytest.approx(0.44, abs=0.07)
    assert right[9] == pytest.approx(0.75, abs=0.07)


def test_numbers_out_of_range_are_refused():
    for wrong in ({"variation": -1.0}, {"drawings": 0}, {"test_classes": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=rf"Glyphs\.{next(iter(wrong))} must be"):
            Glyphs(**wrong)
