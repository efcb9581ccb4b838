"""How hard images are to tell apart without learning: nearest neighbour, by instance.

    python benchmarks/one_shot_pixels.py [--omniglot PATH] [--runs PATH]

In each episode 5 classes are shown, 10 drawings each, in any order, and each image is named
like the nearest one before it. Nearest by pixels, 20 x 20; and by pixels once every drawing
was moved to its middle, scaled to the same spread each way, and its slant taken out. Both on
plain drawings, and on drawings turned and moved by chance as in Santoro et al. 2016. With
``--runs`` the same is asked of Lake's 20 runs.
"""

import argparse

import numpy as np

from softmachine.tasks import Glyphs, Omniglot
from softmachine.tasks.one_shot.omniglot_runs import load_runs

SIDE = 20
FULL = 105
"""Pixels each way of drawings to be turned and moved: at 20 that would blur them."""
FINE = 56
"""Pixels each way of drawings to be aligned."""
SPREAD = 20 / 4.5
"""Pixels of a standard deviation after alignment."""
BLUR = 0.8
INSTANCES = (2, 3, 4, 5, 10)


def aligned(drawings):
    """Return drawings (n, fine, fine) upright, of the same spread, in the middle, at SIDE."""
    flat = drawings.reshape(-1, *drawings.shape[-2:]).astype(np.float32)
    places = np.arange(flat.shape[-1], dtype=np.float32)
    ink = flat / flat.sum((1, 2), keepdims=True)
    rows, columns = ink.sum(2), ink.sum(1)
    down, right = rows @ places, columns @ places
    y, x = places - down[:, None], places - right[:, None]
    high = np.sqrt(np.sum(rows * y**2, 1)) + 1
    wide = np.sqrt(np.sum(columns * x**2, 1)) + 1
    slant = np.einsum("nij,ni,nj->n", ink, y, x) / high**2
    grid = (np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2) / SPREAD
    to_y = (high[:, None] * grid)[:, :, None] + np.zeros((SIDE, SIDE), np.float32)
    to_x = (wide[:, None] * grid)[:, None, :] + slant[:, None, None] * to_y
    sampled = bilinear(flat, to_y + down[:, None, None], to_x + right[:, None, None])
    kernel = np.exp(-0.5 * ((np.arange(SIDE)[:, None] - np.arange(SIDE)) / BLUR) ** 2)
    return (kernel @ sampled @ kernel).reshape(*drawings.shape[:-2], SIDE, SIDE)


def averaged(drawings, side):
    """Return drawings averaged over side by side squares."""
    full = drawings.shape[-1]
    edges, starts = np.arange(side + 1) * full, np.arange(full) * side
    covered = np.minimum(edges[1:, None], starts + side) - np.maximum(edges[:-1, None], starts)
    shares = (np.maximum(covered, 0) / full).astype(np.float32)
    return np.stack([shares @ each.astype(np.float32) @ shares.T for each in drawings])


def augmented(drawings, seed=0):
    """Return drawings turned by up to pi/16 and moved by up to 10 of 105 pixels, by chance."""
    rng = np.random.default_rng(seed)
    flat = drawings.reshape(-1, *drawings.shape[-2:])
    side = flat.shape[-1]
    angles = rng.uniform(-np.pi / 16, np.pi / 16, len(flat))
    shifts = rng.uniform(-10, 10, (len(flat), 2)) * side / 105
    middle = (side - 1) / 2
    places = np.arange(side) - middle
    moved = np.empty_like(flat)
    for image, angle, shift, place in zip(flat, angles, shifts, moved, strict=True):
        y, x = places[:, None] - shift[0], places - shift[1]
        y, x = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
        place[:] = bilinear(image[None], y[None] + middle, x[None] + middle)[0]
    return moved.reshape(drawings.shape)


def bilinear(images, y, x):
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


def by_instance(drawings, episodes, classes=5, each=10, seed=0):
    """Return the percentage named right, by instance."""
    rng = np.random.default_rng(seed)
    right = np.zeros(each)
    for _ in range(episodes):
        chosen = rng.choice(len(drawings), classes, replace=False)
        images, shown = [], []
        for label, number in enumerate(chosen):
            images += [*drawings[number, rng.choice(drawings.shape[1], each, replace=False)]]
            shown += [label] * each
        order = rng.permutation(len(shown))
        flat = np.array(images, np.float64)[order].reshape(len(order), -1)
        flat /= flat.max(1, keepdims=True)
        shown = np.array(shown)[order]
        squares = np.sum(flat**2, 1)
        distances = squares[:, None] + squares - 2 * flat @ flat.T
        seen = np.zeros(classes, int)
        for step, label in enumerate(shown):
            guess = shown[np.argmin(distances[step, :step])] if step else 0
            right[seen[label]] += guess == label
            seen[label] += 1
    return 100 * right / (episodes * classes)


def errors(runs, change):
    """Return the percentage of queries whose nearest drawing is of another character."""
    wrong = 0
    for support, query, answers in zip(*runs, strict=True):
        support, query = change(support), change(query)
        distances = np.sum((query[:, None] - support) ** 2, axis=(2, 3))
        wrong += np.sum(np.argmin(distances, 1) != answers)
    return 100 * wrong / runs.answers.size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--omniglot")
    parser.add_argument("--runs")
    parser.add_argument("--episodes", type=int, default=2_000)
    options = parser.parse_args()
    sources = {
        "glyphs": Glyphs(),
        "glyphs, seed 1, 400 classes": Glyphs(seed=1, test_classes=400),
    }
    if options.omniglot:
        sources["Omniglot, santoro"] = Omniglot(path=options.omniglot)
    print(f"{'percent right by instance':50}", *(f"{i:5}" for i in INSTANCES))
    for name, source in sources.items():
        plain = source.load("test", FULL).drawings
        moved = augmented(plain)
        rows = {
            "pixels": averaged(plain, SIDE),
            "pixels, augmented": averaged(moved, SIDE),
            "aligned": aligned(averaged(plain, FINE)),
            "aligned, augmented": aligned(averaged(moved, FINE)),
        }
        for how, drawings in rows.items():
            right = by_instance(drawings, options.episodes)
            print(f"{f'{name}: {how}':50}", *(f"{right[i - 1]:5.1f}" for i in INSTANCES))
    if options.runs:
        plain = errors(load_runs(options.runs, 105), lambda images: images.astype(int))
        print(f"Lake's runs, percent wrong: {plain:.2f} by pixels, ", end="")
        print(f"{errors(load_runs(options.runs, FINE), aligned):.2f} aligned")


if __name__ == "__main__":
    main()
