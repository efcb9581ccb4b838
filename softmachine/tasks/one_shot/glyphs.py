"""Drawn glyphs: letters of unknown alphabets, as many as wanted, each drawn by many hands."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from softmachine.core.choices import Bounds, Count, Natural, check_fields
from softmachine.tasks.one_shot.images import (
    NO_GROUP,
    PARTS,
    Images,
    ImageSource,
    Part,
    check_room,
)

CONTROLS = 5
"""Control points of a stroke."""
STROKES = (0.15, 0.35, 0.3, 0.2)
"""How many of the glyphs have one stroke, two, three, four."""
KINDS: tuple[tuple[Literal["line", "corner", "arc", "spline"], float], ...] = (
    ("line", 0.45),
    ("corner", 0.2),
    ("arc", 0.2),
    ("spline", 0.15),
)
"""What strokes are, and how often; a glyph of one stroke is never a line."""
JOINED = 0.75
"""How often a stroke begins on one that was drawn before."""
EXTENT = (0.5, 0.85)
"""The longer side of a glyph, as a share of the image's side."""
PEN = 0.042
"""The width of the pen, as a share of the image's side; on paper of 105 pixels it is 4.4."""


EVEN = ((0, 0), (0, 0))


class Hand(NamedTuple):
    """Standard deviations of what differs between two drawings of a glyph.

    Lengths are shares of the image's side, angles are in radians, scales are logarithms.
    """

    turn: float = 0.09
    slant: float = 0.15
    size: float = 0.15
    stretch: float = 0.1
    shift: float = 0.068
    stroke: float = 0.024
    """Of a whole stroke from its place."""
    point: float = 0.02
    """Of a control point from its place in the stroke."""
    pen: float = 0.08


@dataclasses.dataclass(frozen=True, kw_only=True)
class Glyphs(ImageSource):
    """Glyphs made of one to four strokes, drawn as if by hand; nothing has to be downloaded.

    A glyph is a class. It is drawn by chance: each stroke is a line, a line with corners, an
    arc or a spline, and begins on a stroke before it or elsewhere. Each drawing of it differs
    as handwriting does: the whole is turned, slanted, stretched and moved a little, and so
    are its strokes and their control points; the pen is thinner or wider.

    A drawing depends on the seed, the part, the number of its class and its own number alone,
    so that more classes or more drawings are those from before and others. Classes for tests
    are other glyphs than those for training, as long as nobody draws the same by chance.

    They are about as hard to tell apart as Omniglot's characters. The nearest image before, of
    5 classes with 10 drawings each, has the same class this often, in percent by instance:

    ======================================= ==== ==== ==== ==== ====
    instance                                   2    3    4    5   10
    ======================================= ==== ==== ==== ==== ====
    by pixels, 20 by 20: glyphs             42.8 52.8 59.3 62.8 74.1
    Omniglot (split ``santoro``)            43.8 52.9 59.1 63.1 74.6
    the same, turned and moved: glyphs      36.3 44.2 48.4 52.6 64.6
    Omniglot                                33.7 39.3 44.2 47.8 58.3
    place, spread and slant removed: glyphs 93.2 97.7 98.0 98.5 99.3
    Omniglot                                89.8 95.2 96.7 97.5 98.5
    ======================================= ==== ==== ==== ==== ====

    (``benchmarks/one_shot_pixels.py``; 2,000 episodes, classes for tests.) So pixels are misled
    by what a hand varies, and little is left once that is gone. The default's 24,000 drawings
    take about a second on one core.

    >>> images = Glyphs(test_classes=3, drawings=2).load("test", 20)
    >>> images.drawings.shape, images.counts.tolist(), images.names
    ((3, 2, 20, 20), [2, 2, 2], ('glyph1', 'glyph2', 'glyph3'))
    """

    seed: Natural = 0
    """Other seeds have other glyphs."""
    train_classes: Count = 1000
    test_classes: Count = 200
    drawings: Count = 20
    """Drawings of each class."""
    variation: Annotated[float, Bounds(least=0, most=10)] = 1.0
    """How much drawings of a class differ; 0 makes them all alike."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def images(self, part: Part, side: int) -> Images:
        """Draw the classes of a part, their drawings ``side`` by ``side``."""
        classes = self.train_classes if part == "train" else self.test_classes
        check_room((classes, self.drawings, side, side), "drawn glyphs")
        drawings = np.empty((classes, self.drawings, side, side), np.uint8)
        for number in range(classes):
            rng = np.random.default_rng((self.seed, PARTS.index(part), number))
            glyph = invent(rng)
            controls, pens = by_hand(glyph, self.drawings, self.variation, rng)
            drawings[number] = render(glyph, controls, pens, side)
        return Images(
            drawings,
            np.full(classes, self.drawings, np.int32),
            tuple(f"glyph{number + 1}" for number in range(classes)),
            np.full(classes, NO_GROUP, np.int32),
            (),
        )


class Glyph(NamedTuple):
    """What a class of drawings has in common."""

    controls: Float[np.ndarray, "strokes CONTROLS 2"]
    """Control points: right and down, in shares of the image's side, its middle at 0."""
    smooth: tuple[bool, ...]
    """Whether a curve leads through a stroke's control points, or straight lines."""


def invent(rng: np.random.Generator) -> Glyph:
    """Draw a glyph by chance."""
    count = 1 + int(rng.choice(len(STROKES), p=STROKES))
    strokes: list[Float[np.ndarray, "CONTROLS 2"]] = []
    smooth = []
    for _ in range(count):
        kinds = KINDS if count > 1 else KINDS[1:]
        shares = np.array([share for _, share in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))][0]
        stroke = _stroke(kind, rng)
        if strokes and rng.random() < JOINED:
            before = strokes[int(rng.integers(len(strokes)))]
            meets = before[int(rng.integers(CONTROLS))]
            stroke = stroke - stroke[int(rng.choice([0, CONTROLS // 2]))] + meets
        strokes.append(stroke)
        smooth.append(kind in ("arc", "spline"))
    return Glyph(_in_the_middle(np.stack(strokes), rng), tuple(smooth))


def _stroke(kind: str, rng: np.random.Generator) -> Float[np.ndarray, "CONTROLS 2"]:
    """Draw the control points of a stroke, in a square of side 1 about 0."""
    along = np.linspace(0, 1, CONTROLS)[:, None]
    if kind == "line":
        # Most lines of letters stand upright or lie.
        angle = rng.choice([0, np.pi / 2, np.pi / 4, -np.pi / 4], p=[0.35, 0.35, 0.15, 0.15])
        angle = angle + 0.15 * rng.standard_normal()
        half = rng.uniform(0.2, 0.5) * np.array([np.cos(angle), np.sin(angle)])
        return rng.uniform(-0.25, 0.25, 2) + half * (2 * along - 1)
    if kind == "arc":
        radii = rng.uniform(0.15, 0.45, 2)
        begin = rng.uniform(0, 2 * np.pi)
        sweep = rng.uniform(0.6, 2.0) * np.pi * rng.choice([-1, 1])
        angles = begin + sweep * along
        circle = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        return rng.uniform(-0.2, 0.2, 2) + radii * circle
    points = [rng.uniform(-0.5, 0.5, 2)]
    while len(points) < CONTROLS - 1:
        point = rng.uniform(-0.5, 0.5, 2)
        if np.hypot(*(point - points[-1])) > 0.3:
            points.append(point)
    corners = np.stack(points)
    if kind == "corner":
        # One corner or two: the others lie on the lines between.
        corners = corners[:3] if rng.random() < 0.6 else corners
    places = np.linspace(0, len(corners) - 1, CONTROLS)
    return np.stack(
        [np.interp(places, np.arange(len(corners)), corners[:, i]) for i in range(2)], axis=1
    )


def _in_the_middle(
    controls: Float[np.ndarray, "strokes CONTROLS 2"], rng: np.random.Generator
) -> Float[np.ndarray, "strokes CONTROLS 2"]:
    """Return a glyph's control points, moved to the middle, and as large as it shall be."""
    flat = controls.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    extent = rng.uniform(*EXTENT)
    return (controls - (low + high) / 2) * extent / max((high - low).max(), 0.1)


def by_hand(
    glyph: Glyph, drawings: int, variation: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "drawings strokes CONTROLS 2"], Float[np.ndarray, " drawings"]]:
    """Draw a glyph's control points, and the width of the pen, of each drawing of it."""
    strokes = len(glyph.controls)
    # All of a drawing's numbers lie together: more drawings do not change those before.
    noise = variation * rng.standard_normal((drawings, 9 + 2 * strokes * (1 + CONTROLS)))
    hand = Hand()
    turn, slant, size, stretch, pen = noise[:, :5].T
    matrix = _linear(
        hand.turn * turn, hand.slant * slant, hand.size * size, hand.stretch * stretch
    )
    shift = noise[:, 5:7] * hand.shift
    of_strokes, of_points = np.split(noise[:, 9:], [2 * strokes], axis=1)
    controls = (
        glyph.controls
        + hand.stroke * of_strokes.reshape(drawings, strokes, 1, 2)
        + hand.point * of_points.reshape(drawings, strokes, CONTROLS, 2)
    )
    moved = np.einsum("dij,dskj->dski", matrix, controls) + shift[:, None, None]
    return moved, PEN * np.exp(hand.pen * pen)


def _linear(
    turn: Float[np.ndarray, " n"],
    slant: Float[np.ndarray, " n"],
    size: Float[np.ndarray, " n"],
    stretch: Float[np.ndarray, " n"],
) -> Float[np.ndarray, "n 2 2"]:
    """Return matrices that stretch, then slant, then turn."""
    cosine, sine = np.cos(turn), np.sin(turn)
    wide, high = np.exp(size + stretch), np.exp(size - stretch)
    turned = np.array([[cosine, -sine], [sine, cosine]]).transpose(2, 0, 1)
    zero = np.zeros_like(wide)
    slanted = np.array([[wide, slant * high], [zero, high]]).transpose(2, 0, 1)
    return turned @ slanted


def render(
    glyph: Glyph,
    controls: Float[np.ndarray, "drawings strokes CONTROLS 2"],
    pens: Float[np.ndarray, " drawings"],
    side: int,
) -> UInt8[np.ndarray, "drawings side side"]:
    """Return drawings as images: each pixel is the share of it that ink covers, times 255.

    The pen leaves as much ink as a stroke of its width has, spread along the stroke by a normal
    distribution. What more than covers a pixel, where strokes cross, is lost.
    """
    samples = max(24, 2 * side)
    bases = np.stack([_basis(samples, smooth) for smooth in glyph.smooth])
    points = np.einsum("skc,dscx->dskx", bases, controls)
    steps = np.linalg.norm(np.diff(points, axis=2), axis=3)
    lengths = (np.pad(steps, (*EVEN, (1, 0))) + np.pad(steps, (*EVEN, (0, 1)))) / 2
    drawings = len(points)
    flat = points.reshape(drawings, -1, 2).astype(np.float32)
    ink = (lengths.reshape(drawings, -1) * pens[:, None]).astype(np.float32)
    # So wide that a stroke's middle is covered once, and by a pixel's own width.
    widths = np.sqrt(pens**2 / (2 * np.pi) + side**-2.0 / 12).astype(np.float32)[:, None, None]
    middles = ((np.arange(side) + 0.5) / side - 0.5).astype(np.float32)
    across, down = (
        np.exp(-0.5 * ((middles - flat[:, :, i, None]) / widths) ** 2) for i in range(2)
    )
    down *= (ink / (2 * np.pi * widths[:, :, 0] ** 2))[:, :, None]
    covered = down.transpose(0, 2, 1) @ across
    return np.rint(255 * np.minimum(covered, 1)).astype(np.uint8)


@lru_cache
def _basis(samples: int, smooth: bool) -> Float[np.ndarray, "samples CONTROLS"]:
    """Return the weights of the control points in points along a stroke.

    A smooth one is a Catmull-Rom spline, which goes through its control points, another one
    has straight lines between them.
    """
    places = np.linspace(0, CONTROLS - 1, samples)
    before = np.minimum(places.astype(int), CONTROLS - 2)
    t = (places - before)[:, None]
    if not smooth:
        near = np.eye(CONTROLS)
        return (1 - t) * near[before] + t * near[before + 1]
    # One more point at each end, as far from the last one as that is from the one before.
    near = np.zeros((CONTROLS + 2, CONTROLS))
    near[1:-1] = np.eye(CONTROLS)
    near[0, :2] = near[-1, :-3:-1] = 2, -1
    a, b, c, d = (near[before + i] for i in range(4))
    return (
        2 * b
        + (c - a) * t
        + (2 * a - 5 * b + 4 * c - d) * t**2
        + (3 * b - a - 3 * c + d) * t**3
    ) / 2
