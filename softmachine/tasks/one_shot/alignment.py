"""Drawings brought to the same place, size and slant by the moments of their ink."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from softmachine.tasks.one_shot.images import chunks

FULL = 56
"""Pixels each way that drawings should have before they are aligned."""
SPREAD = 1 / 4.5
"""A standard deviation of the ink after alignment, each way, as a share of the side."""
BLUR = 0.04
"""The width of the blur after alignment, as a share of the side."""


def align(
    drawings: UInt8[np.ndarray, "*n full full"], side: int
) -> UInt8[np.ndarray, "*n side side"]:
    """Return drawings in the middle, of the same spread each way, upright, a little blurred.

    Of the ink's distribution over places the means become the middle, the standard deviations
    the same share of the side; then its slant, by which rows lie further to one side the
    further down they are, is taken out. Each drawing's brightest place becomes 255; where there
    was no ink at all, there is none.
    """
    flat = drawings.reshape(-1, *drawings.shape[-2:])
    result = np.zeros((len(flat), side, side), np.uint8)
    for part in chunks(len(flat), 1000):
        inked = np.flatnonzero(flat[part].any((1, 2)))
        if len(inked):
            result[part][inked] = _aligned(flat[part][inked].astype(np.float32), side)
    return result.reshape(*drawings.shape[:-2], side, side)


def _aligned(
    drawings: Float[np.ndarray, "n full full"], side: int
) -> UInt8[np.ndarray, "n side side"]:
    places = np.arange(drawings.shape[-1], dtype=np.float32)
    ink = drawings / drawings.sum((1, 2), keepdims=True)
    rows, columns = ink.sum(2), ink.sum(1)
    down, right = rows @ places, columns @ places
    y, x = places - down[:, None], places - right[:, None]
    least = drawings.shape[-1] / FULL  # a straight stroke has no spread in one direction
    high = np.sqrt(np.sum(rows * y**2, 1)) + least
    wide = np.sqrt(np.sum(columns * x**2, 1)) + least
    slant = np.einsum("nij,ni,nj->n", ink, y, x) / high**2
    grid = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (SPREAD * side)
    from_y = np.repeat((high[:, None] * grid)[:, :, None], side, axis=2)
    from_x = (wide[:, None] * grid)[:, None, :] + slant[:, None, None] * from_y
    sampled = bilinear(drawings, from_y + down[:, None, None], from_x + right[:, None, None])
    between = np.arange(side)[:, None] - np.arange(side)
    kernel = np.exp(-0.5 * (between / (BLUR * side)) ** 2).astype(np.float32)
    blurred = kernel @ sampled @ kernel
    peaks = blurred.max((1, 2), keepdims=True)
    return np.rint(255 * blurred / np.maximum(peaks, 1e-9)).astype(np.uint8)


def bilinear(
    images: Float[np.ndarray, "n full full"],
    y: Float[np.ndarray, "n rows columns"],
    x: Float[np.ndarray, "n rows columns"],
) -> Float[np.ndarray, "n rows columns"]:
    """Return each image's values at places between its pixels; outside there is no ink."""
    count, side, _ = images.shape
    above, left = np.floor(y).astype(int), np.floor(x).astype(int)
    total = np.zeros(y.shape, np.float32)
    for i in (0, 1):
        for j in (0, 1):
            row, column = above + i, left + j
            weight = (1 - np.abs(y - row)) * (1 - np.abs(x - column))
            inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
            row, column = row.clip(0, side - 1), column.clip(0, side - 1)
            total += weight * inside * images[np.arange(count)[:, None, None], row, column]
    return total
