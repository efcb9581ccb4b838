"""How hard images are to tell apart without learning: nearest neighbour, by instance.

    python benchmarks/one_shot_pixels.py [--omniglot PATH] [--runs PATH] [--autoencoder]

In each episode 5 classes are shown, 10 drawings each, in any order, and each image is named
like the nearest one before it. Nearest by pixels, 20 x 20; and by pixels once every drawing
was moved to its middle, scaled to the same spread each way, and its slant taken out. Both on
plain drawings, and on drawings turned and moved by chance as in Santoro et al. 2016. With
``--runs`` the same is asked of Lake's 20 runs. With ``--autoencoder`` nearest is by features,
too, as in that paper: the code, 32 numbers, of an autoencoder with two layers of 200 units on
each side and leaky rectifiers, trained on turned and moved drawings of the training classes.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import optax

from softmachine.tasks import Glyphs, Omniglot
from softmachine.tasks.one_shot.alignment import FULL, align, bilinear
from softmachine.tasks.one_shot.omniglot_runs import load_runs
from softmachine.tasks.one_shot.warping import move_by_chance

SIDE = 20
CODE = 32
"""Numbers of an autoencoder's code."""
ORIGINAL = 105
"""Pixels each way of drawings to be turned and moved: at 20 that would blur them."""
INSTANCES = (2, 3, 4, 5, 10)


def aligned(drawings):
    """Return drawings (..., FULL, FULL) upright, of the same spread, in the middle, at SIDE."""
    return align(np.rint(drawings).astype(np.uint8), SIDE).astype(np.float32)


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


def encode(layers, images):
    """Return the codes of scaled images (n, pixels), or the images of codes."""
    for number, (weights, bias) in enumerate(layers):
        images = images @ weights + bias
        if number < len(layers) - 1:
            images = jax.nn.leaky_relu(images)
    return images


def autoencoder(source, updates, batch=128, seed=0):
    """Return the encoder's layers, and what share of the variance the decoder leaves."""
    images = jnp.asarray(source.load("train", 2 * SIDE).drawings)
    sizes = [SIDE**2, 200, 200, CODE, 200, 200, SIDE**2]
    keys = jax.random.split(jax.random.key(seed), len(sizes))
    initial = jax.nn.initializers.he_normal()
    layers = [
        (initial(key, (before, after)), jnp.zeros(after))
        for key, before, after in zip(keys, sizes, sizes[1:], strict=False)
    ]
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-3, updates))

    def drawn(key, count, images):
        keys = jax.random.split(key, 4)
        places = [jax.random.randint(keys[i], (count,), 0, images.shape[i]) for i in (0, 1)]
        quarters = jax.random.randint(keys[2], (count,), 0, 4)
        how = {"turn": np.pi / 16, "shift": 10 / 105, "distort": 0.0, "side": SIDE}
        moved = move_by_chance(keys[3], images, *places, quarters, **how).reshape(count, -1)
        return moved / jnp.maximum(moved.max(axis=1, keepdims=True), 1)

    def loss(layers, given):
        return jnp.mean((encode(layers[3:], encode(layers[:3], given)) - given) ** 2)

    @jax.jit
    def train(layers, images):
        def update(carry, number):
            layers, state = carry
            given = drawn(jax.random.fold_in(keys[-1], number), batch, images)
            changes, state = optimizer.update(jax.grad(loss)(layers, given), state)
            return (optax.apply_updates(layers, changes), state), None

        start = (layers, optimizer.init(layers))
        return jax.lax.scan(update, start, jnp.arange(updates))[0][0]

    layers = train(layers, images)
    given = drawn(jax.random.fold_in(keys[-1], updates), 2_000, images)
    return layers[:3], float(loss(layers, given) / jnp.mean(jnp.var(given, axis=0)))


def codes(layers, drawings):
    """Return the codes of drawings (classes, most, SIDE, SIDE)."""
    flat = drawings.reshape(*drawings.shape[:2], -1)
    return np.asarray(encode(layers, jnp.asarray(flat / flat.max(-1, keepdims=True))))


def by_instance(drawings, episodes, classes=5, each=10, seed=0, *, scaled=True):
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
        if scaled:
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
    parser.add_argument("--autoencoder", action="store_true")
    parser.add_argument("--updates", type=int, default=20_000)
    options = parser.parse_args()
    sources = {
        "glyphs": Glyphs(),
        "glyphs, seed 1, 400 classes": Glyphs(seed=1, test_classes=400),
    }
    if options.omniglot:
        sources["Omniglot, santoro"] = Omniglot(path=options.omniglot)
    print(f"{'percent right by instance':50}", *(f"{i:5}" for i in INSTANCES))
    for name, source in sources.items():
        plain = source.load("test", ORIGINAL).drawings
        moved = augmented(plain)
        rows = {
            "pixels": averaged(plain, SIDE),
            "pixels, augmented": averaged(moved, SIDE),
            "aligned": aligned(averaged(plain, FULL)),
            "aligned, augmented": aligned(averaged(moved, FULL)),
        }
        if options.autoencoder:
            layers, left = autoencoder(source, options.updates)
            print(f"{name}: the autoencoder leaves {left:.1%} of the variance")
            for how in ("pixels", "pixels, augmented"):
                rows[how.replace("pixels", "features")] = codes(layers, rows[how])
        for how, drawings in rows.items():
            right = by_instance(drawings, options.episodes, scaled=drawings.ndim == 4)
            print(f"{f'{name}: {how}':50}", *(f"{right[i - 1]:5.1f}" for i in INSTANCES))
    if options.runs:
        plain = errors(load_runs(options.runs, 105), lambda images: images.astype(int))
        print(f"Lake's runs, percent wrong: {plain:.2f} by pixels, ", end="")
        print(f"{errors(load_runs(options.runs, FULL), aligned):.2f} aligned")


if __name__ == "__main__":
    main()
