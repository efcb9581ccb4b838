"""Episodes of one-shot classification."""

import dataclasses
from collections import Counter
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.core.example import Example
from softmachine.machines.mann import MANNConfig
from softmachine.running.generalization import evaluate
from softmachine.tasks.one_shot.alignment import align
from softmachine.tasks.one_shot.drawings import choose, instance_numbers
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.one_shot.omniglot import Omniglot
from softmachine.tasks.one_shot.warping import rotation, warp
from softmachine.tasks.task import draw, sample_batch, sample_one
from softmachine.traces.examples import draw_example

SOURCE = Glyphs(train_classes=12, test_classes=7, drawings=6)
PLAIN = Episodes(
    source=SOURCE, side=8, per_class=4, quarter_turns=False, turn=0.0, shift=0.0, names=5
)


def places(task, example):
    """The class and drawing of each image, found by comparing with all of the source."""
    images = np.asarray(example.inputs)[: int(example.steps), : task.side**2]
    all_of_them = np.asarray(task.data().images, np.float32)
    peaks = all_of_them.max(axis=(2, 3), keepdims=True)
    known = (all_of_them / peaks).reshape(*all_of_them.shape[:2], -1)
    found = [np.argwhere(np.abs(known - x).max(axis=-1) < 1e-6) for x in images]
    assert all(len(x) == 1 for x in found)
    return [tuple(x[0].tolist()) for x in found]


@pytest.mark.parametrize("size", [2, 3])
def test_names_belong_to_classes_and_come_one_step_late(size):
    example = jax.tree.map(
        lambda x: x[0],
        sample_batch(PLAIN, jax.random.key(size)[None], jnp.array([size]), 3),
    )
    steps = int(example.steps)
    assert steps == 4 * size
    shown = places(PLAIN, example)
    named = zip(shown, np.asarray(example.targets)[:steps].tolist(), strict=True)
    names = {}
    for (character, _), name in named:
        assert names.setdefault(character, name) == name
    assert len(set(names.values())) == len(names) <= size
    told = np.asarray(example.inputs)[:, 64:]
    np.testing.assert_array_equal(told[0], 0)
    np.testing.assert_array_equal(told[1:steps].argmax(axis=1), example.targets[: steps - 1])
    np.testing.assert_array_equal(told[1:steps].sum(axis=1), 1)
    np.testing.assert_array_equal(example.inputs[steps:], 0)
    np.testing.assert_array_equal(example.mask, np.arange(12) < steps)


def test_no_drawing_is_shown_twice_before_all_of_its_class_were():
    for seed in range(5):
        example = sample_one(PLAIN, jax.random.key(seed), 2)
        for character in {c for c, _ in places(PLAIN, example)}:
            shown = [d for c, d in places(PLAIN, example) if c == character]
            assert len(set(shown[:6])) == len(shown[:6])


def test_exact_numbers_are_exact_and_drawn_ones_are_not():
    exact = dataclasses.replace(PLAIN, exact=True)
    keys = jax.random.split(jax.random.key(0), 20)
    for task, equal in ((exact, True), (PLAIN, False)):
        targets = np.asarray(sample_batch(task, keys, jnp.full(20, 3), 3).targets)
        counts = [sorted(Counter(x.tolist()).values()) for x in targets]
        assert all(x == [4, 4, 4] for x in counts) == equal
        # The order is drawn in both.
        assert len({tuple(np.unique(x, return_index=True)[1]) for x in targets}) > 5


def test_exact_numbers_of_a_smaller_size_are_its_own_classes():
    exact = dataclasses.replace(PLAIN, exact=True)
    example = sample_batch(exact, jax.random.split(jax.random.key(0), 10), jnp.full(10, 2), 5)
    for targets in np.asarray(example.targets)[:, :8]:
        assert sorted(Counter(targets.tolist()).values()) == [4, 4]


def test_accuracy_by_instance():
    labels = jnp.array([2, 0, 2, 1, 0, 2, 1, 0])
    guesses = jnp.array([2, 1, 2, 1, 0, 0, 0, 0])
    task = dataclasses.replace(PLAIN, names=3)
    example = Example(jnp.zeros((8, 67)), labels, jnp.ones(8), jnp.array(8))
    metrics = task.metrics(jax.nn.one_hot(guesses, 3), example)
    assert instance_numbers(labels).tolist() == [1, 1, 2, 1, 2, 3, 2, 3]
    found = [metrics[f"instance_{k}"] for k in (1, 2, 3, 4)]
    assert [(float(x.total), float(x.count)) for x in found] == [(2, 3), (2, 3), (1, 2), (0, 0)]
    words = dataclasses.replace(PLAIN, labels="words")
    spelt = words.outputs.spec.spell(labels * 600)
    outputs = words.outputs.spec.one_hot(words.outputs.spec.spell(guesses * 600))
    metrics = words.metrics(outputs, example._replace(targets=spelt))
    assert [float(metrics[f"instance_{k}"].total) for k in (1, 2, 3)] == [2, 2, 1]


def test_words():
    spec = dataclasses.replace(PLAIN, labels="words").outputs.spec
    letters = spec.spell(jnp.array(2830))
    assert "".join("abcde"[i] for i in letters) == "ecdba"
    assert np.flatnonzero(spec.one_hot(letters)).tolist() == [4, 7, 13, 16, 20]
    assert (spec.width, spec.count) == (25, 3125)


def test_words_of_an_episode_differ():
    words = dataclasses.replace(PLAIN, labels="words")
    example = sample_one(words, jax.random.key(3), 5)
    shown = {c for c, _ in places(words, example)}
    assert len({tuple(x) for x in np.asarray(example.targets).tolist()}) == len(shown)


def test_choose_draws_all_orders_alike():
    keys = jax.random.split(jax.random.key(0), 12_000)
    chosen = np.asarray(jax.jit(jax.vmap(lambda k: choose(k, 4, 2)))(keys))
    counts = Counter(map(tuple, chosen.tolist()))
    assert set(counts) == set(permutations(range(4), 2))
    # Binomial around 1,000 with a deviation of 30.
    assert all(850 < n < 1150 for n in counts.values())


@pytest.mark.parametrize("quarters", range(4))
def test_quarter_turns_are_exact(quarters):
    image = jax.random.uniform(jax.random.key(0), (14, 14))
    both = jnp.concatenate([jnp.ones(14 * 14), image.reshape(-1)])
    angle = jnp.asarray(quarters * np.pi / 2)
    turned = warp(both, 14 * 14, rotation(angle), jnp.zeros(2), fine=14, side=7)
    smaller = np.asarray(image).reshape(7, 2, 7, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(turned, np.rot90(smaller, quarters), atol=1e-5)


def warped(image, angle, shift, side):
    return mapped(image, rotation(jnp.asarray(angle)), shift, side)


def mapped(image, linear, shift, side):
    pixels = jnp.asarray(image.reshape(-1))
    return warp(pixels, 0, jnp.asarray(linear), jnp.asarray(shift), fine=len(image), side=side)


def test_a_shift_moves_down_and_right():
    image = np.zeros((6, 6), np.float32)
    image[2, 1] = 1
    moved = warped(image, 0.0, [1 / 6, 3 / 6], 6)
    expected = np.zeros((6, 6), np.float32)
    expected[3, 4] = 1
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    gone = warped(image, 0.0, [0.0, -2 / 6], 6)
    np.testing.assert_array_equal(gone, 0)


def test_a_turn_moves_ink_as_a_rotation_does():
    image = np.zeros((21, 21), np.float32)
    image[9:12, 17:20] = 1
    image = image.repeat(3, axis=0).repeat(3, axis=1)
    turned = np.asarray(warped(image, np.pi / 6, [0.0, 0.0], 21))
    np.testing.assert_allclose(turned.sum(), 9, rtol=0.05)
    rows, columns = np.indices(turned.shape)
    middle = [(turned * x).sum() / turned.sum() for x in (rows, columns)]
    np.testing.assert_allclose(middle, [10 - 8 * np.sin(np.pi / 6), 10 + 8 * np.cos(np.pi / 6)],
                               atol=0.05)  # fmt: skip


def test_linear_maps_stretch_and_shear_about_the_middle():
    image = np.zeros((8, 8), np.float32)
    image[3:5, 2:6] = 1
    tall = mapped(image, [[0.5, 0.0], [0.0, 1.0]], [0.0, 0.0], 8)
    np.testing.assert_array_equal(tall, np.pad(np.ones((4, 4)), 2))
    # A place one row below the middle was one column further to the left.
    sheared = mapped(np.tile(image[3], (8, 1)), [[1.0, 0.0], [1.0, 1.0]], [0.0, 0.0], 8)
    places = np.arange(8) - 3.5
    was = np.floor(places[:, None] + places + 3.5 + 0.5).astype(int)
    np.testing.assert_array_equal(sheared, (was >= 2) & (was <= 5))


def test_distortion_differs_from_image_to_image_and_is_for_training_alone():
    plain = dataclasses.replace(PLAIN, side=20, exact=True)
    task = dataclasses.replace(plain, distort=0.3)
    assert task.held_out() == dataclasses.replace(plain, part="test")
    before, after = (
        np.asarray(sample_one(x, jax.random.key(0), 3).inputs)[:, :400] for x in (plain, task)
    )
    changed = np.abs(before - after).max(axis=1) > 0.5
    assert changed.mean() > 0.8
    ink = after.sum(axis=1) / before.sum(axis=1)
    assert np.std(ink) > 0.05
    assert 0.6 < np.median(ink) < 1.5


def test_tests_have_other_classes_and_no_quarter_turns():
    task = dataclasses.replace(PLAIN, quarter_turns=True, turn=0.1, augment_tests=False)
    held_out = task.held_out()
    assert (held_out.part, held_out.quarter_turns, held_out.turn) == ("test", False, 0.0)
    plain = dataclasses.replace(task, quarter_turns=False, turn=0.0, shift=0.0)
    train = {x.tobytes() for x in np.asarray(plain.data().images).reshape(-1, 64)}
    test = {x.tobytes() for x in np.asarray(held_out.data().images).reshape(-1, 64)}
    assert not train & test
    assert dataclasses.replace(task, augment_tests=True).held_out().turn == 0.1


def test_quarter_turns_make_four_classes_of_each():
    task = dataclasses.replace(PLAIN, source=Glyphs(train_classes=2, test_classes=2), names=8)
    with pytest.raises(ValueError, match="3 classes needs as many, these images have 2"):
        sample_one(task, jax.random.key(0), 3)
    turned = dataclasses.replace(task, quarter_turns=True)
    assert sample_one(turned, jax.random.key(0), 8).inputs.shape == (32, 64 + 8)


def test_more_classes_than_names_are_refused():
    with pytest.raises(ValueError, match="6 classes need 6 names, there are 5"):
        PLAIN.steps(6) and sample_one(PLAIN, jax.random.key(0), 6)


def test_images_are_arguments_of_what_is_compiled():
    program = jax.make_jaxpr(lambda key, data: draw(PLAIN, key, 3, 3, data))(
        jax.random.key(0), PLAIN.data()
    )
    assert all(np.size(x) < 100 for x in program.consts)
    alone = jax.make_jaxpr(lambda key: draw(PLAIN, key, 3, 3))(jax.random.key(0))
    assert any(np.size(x) > 1000 for x in alone.consts)


def test_an_episode_as_text():
    example = sample_one(dataclasses.replace(PLAIN, names=3), jax.random.key(1), 2)
    outputs = jax.nn.one_hot((example.targets + jnp.arange(8) % 2) % 3, 3)
    text = PLAIN.render(example, outputs).splitlines()
    assert [line[:8].strip() for line in text] == ["instance", "", "name", "guess"]
    assert text[3][8:].count("x") == 4


@pytest.mark.parametrize(("size", "shots"), [(2, 1), (3, 2), (2, 3)])
def test_shots_are_shown_before_one_image_is_asked_for(size, shots):
    task = dataclasses.replace(PLAIN, shots=shots)
    keys = jax.random.split(jax.random.key(1), 30)
    examples = sample_batch(task, keys, jnp.full(30, size), 3)
    steps = size * shots + 1
    assert np.all(np.asarray(examples.steps) == steps)
    assert examples.inputs.shape == (30, 3 * shots + 1, 69)
    scored = np.arange(3 * shots + 1) == steps - 1
    np.testing.assert_array_equal(examples.mask, np.tile(scored, (30, 1)))
    asked = set()
    for targets in np.asarray(examples.targets)[:, :steps]:
        counts = Counter(targets[:-1].tolist())
        assert sorted(counts.values()) == [shots] * size
        asked.add([*counts].index(targets[-1]))
    assert asked == {*range(size)}
    # The name of the last image is never told, those of all others are.
    told = np.asarray(examples.inputs)[:, 1:steps, 64:]
    np.testing.assert_array_equal(told.argmax(axis=2), examples.targets[:, : steps - 1])


def test_with_shots_the_last_image_is_all_that_counts():
    task = dataclasses.replace(PLAIN, shots=1)
    example = sample_one(task, jax.random.key(0), 3)
    right = jax.nn.one_hot(example.targets, 5)
    for outputs, found in ((right, 1.0), (right.at[-1].set(-right[-1]), 0.0)):
        metrics = task.metrics(outputs, example)
        assert {x for x in metrics if x.startswith("instance")} == {"instance_2"}
        assert float(metrics["instance_2"].total) == found
        assert float(metrics["instance_2"].count) == 1


def test_there_are_no_more_classes_than_names():
    assert PLAIN.largest == 5
    assert dataclasses.replace(PLAIN, labels="words").largest == 3125
    machine = MANNConfig(memory_rows=8, memory_columns=4, heads=1).build(
        PLAIN.input_size, PLAIN.output_size, key=jax.random.key(0)
    )
    with pytest.raises(SoftmachineError, match="6 classes need 6 names, there are 5"):
        evaluate(machine, PLAIN, [6], sequences=1)
    with pytest.raises(SoftmachineError, match="size must be at most 5, not 6"):
        draw_example(PLAIN, 6, 0)


class Alphabets(Glyphs):
    """Glyphs in groups: the first 5, the next 3, a class without a group, the last 3."""

    def images(self, part, side):
        groups = np.array([4, 4, 4, 4, 4, 1, 1, 1, -1, 2, 2, 2], np.int32)
        found = super().images(part, side)
        return found._replace(groups=groups[: len(found.counts)], group_names=tuple("abcde"))


GROUPED = dataclasses.replace(
    PLAIN, source=Alphabets(train_classes=12, test_classes=7, drawings=6), within_group=True
)
GROUPS = [{0, 1, 2, 3, 4}, {5, 6, 7}, {9, 10, 11}]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_classes_of_an_episode_are_of_one_group(size):
    task = dataclasses.replace(GROUPED, exact=True, per_class=1)
    keys = jax.random.split(jax.random.key(size), 200)
    examples = sample_batch(task, keys, jnp.full(200, size), size)
    drawn = Counter()
    for i in range(200):
        example = jax.tree.map(lambda x, i=i: x[i], examples)
        classes = {c for c, _ in places(task, example)}
        assert len(classes) == size
        (group,) = [i for i, group in enumerate(GROUPS) if classes <= group]
        drawn[group] += 1
    if size == 4:
        assert set(drawn) == {0}  # the others have three classes
    else:
        # As often as they have classes: 5, 3 and 3 of 11; a deviation is below 7.1.
        np.testing.assert_allclose([drawn[i] for i in range(3)], [91, 54.5, 54.5], atol=22)


def test_a_group_is_turned_as_a_whole():
    task = dataclasses.replace(GROUPED, quarter_turns=True, exact=True, per_class=1)
    images = np.asarray(task.data().images, np.float32)
    images = images.reshape(*images.shape[:2], 8, 2, 8, 2).mean(axis=(3, 5))
    images /= images.max(axis=(2, 3), keepdims=True)
    known = np.stack([np.rot90(images, k, axes=(2, 3)) for k in range(4)])
    seen = set()
    for seed in range(12):
        example = sample_one(task, jax.random.key(seed), 3)
        shown = np.asarray(example.inputs)[:, :64].reshape(3, 8, 8)
        found = [
            np.argwhere(np.abs(known - x).max(axis=(3, 4)) < 1e-4)[:, :2].tolist()
            for x in shown
        ]
        turns = set.intersection(*[{k for k, _ in each} for each in found])
        assert turns
        seen |= turns
    assert seen == {0, 1, 2, 3}


def test_groups_that_cannot_be_are_refused_in_a_sentence():
    with pytest.raises(SoftmachineError, match="need images in groups, such as alphabets"):
        dataclasses.replace(PLAIN, within_group=True).data()
    with pytest.raises(ValueError, match=r"needs a group of as many, the largest .* has 5"):
        sample_one(dataclasses.replace(GROUPED, names=8), jax.random.key(0), 6)


def moments(image):
    """Mean, standard deviations and covariance of the ink, by hand."""
    ink = image / image.sum()
    y, x = np.indices(image.shape)
    y, x = y - (ink * y).sum(), x - (ink * x).sum()
    middle = [(ink * np.indices(image.shape)[i]).sum() for i in (0, 1)]
    return middle, (ink * y**2).sum() ** 0.5, (ink * x**2).sum() ** 0.5, (ink * y * x).sum()


def test_aligned_drawings_are_in_the_middle_of_one_size_and_upright():
    drawings = Glyphs(train_classes=6, test_classes=2, drawings=4).load("train", 56).drawings
    before, after = drawings.reshape(-1, 56, 56), align(drawings, 40).reshape(-1, 40, 40)
    slants = []
    for one, other in zip(before.astype(float), after.astype(float), strict=True):
        middle, high, wide, slant = moments(other)
        np.testing.assert_allclose(middle, 19.5, atol=0.8)
        # Less where ink was cut off, and across what was slanted.
        np.testing.assert_allclose(high, 40 / 4.5, atol=1.5)
        assert wide < 40 / 4.5
        assert other.max() == 255
        slants.append((abs(moments(one)[3]) / moments(one)[1] ** 2, abs(slant) / high**2))
    assert np.mean(slants, axis=0)[1] < 0.3 * np.mean(slants, axis=0)[0]


def test_aligned_drawings_are_the_same_wherever_and_however_large_they_were():
    image = Glyphs(train_classes=2, test_classes=2, drawings=2).load("train", 28).drawings[0, 0]
    large = image.repeat(4, axis=0).repeat(4, axis=1)
    small = np.zeros((112, 112), np.uint8)
    small[10:66, 50:106] = image.repeat(2, axis=0).repeat(2, axis=1)
    ours, others = (align(x, 20).astype(float) for x in (large, small))
    mirrored = align(large[:, ::-1], 20).astype(float)
    assert np.abs(ours - others).mean() < 0.3 * np.abs(ours - mirrored).mean()
    np.testing.assert_array_equal(align(np.zeros((2, 8, 8), np.uint8), 6), 0)


def test_episodes_show_aligned_drawings_if_asked_to():
    task = dataclasses.replace(PLAIN, aligned=True)
    images = SOURCE.load("train", 56)
    np.testing.assert_array_equal(task.data().images, align(images.drawings, 8))
    places(task, sample_one(task, jax.random.key(0), 3))


@pytest.mark.parametrize("choices", [{}, {"shots": 1}])
@pytest.mark.parametrize("size", [2, 3])
def test_episodes_in_a_row_are_episodes_one_after_the_other(size, choices):
    """Even where they are padded, as in training on several sizes."""
    one = dataclasses.replace(PLAIN, **choices)
    task = dataclasses.replace(one, in_a_row=3)
    keys = jax.random.split(jax.random.key(5), 4)
    examples = sample_batch(task, keys, jnp.full(4, size), 3)
    each = one.steps(size)
    assert (task.steps(size), task.steps(3)) == (3 * each, 3 * one.steps(3))
    assert np.all(np.asarray(examples.steps) == 3 * each)
    assert examples.inputs.shape[1] == task.steps(3)
    keys = jax.vmap(lambda key: jax.random.split(key, 3), out_axes=1)(keys)
    apart = [sample_batch(one, keys[i], jnp.full(4, size), 3) for i in range(3)]
    for name in ("inputs", "targets", "mask"):
        together = np.asarray(getattr(examples, name))
        for i, alone in enumerate(apart):
            np.testing.assert_array_equal(
                together[:, i * each : (i + 1) * each],
                np.asarray(getattr(alone, name))[:, :each],
            )
        np.testing.assert_array_equal(together[:, 3 * each :], 0)
    ((field, numbers),) = task.layout(np.asarray(examples.inputs[0])[: 3 * each]).more
    assert (field.name, field.axes) == ("episode", ("step",))
    np.testing.assert_array_equal(numbers, np.repeat([1, 2, 3], each))
    assert one.layout(np.asarray(apart[0].inputs[0])).more == ()


def test_instances_are_counted_in_each_of_the_episodes_in_a_row():
    task = dataclasses.replace(PLAIN, in_a_row=2, names=3)
    # Two episodes of four images; names of the first come again in the second.
    labels = jnp.array([2, 0, 2, 2, 2, 1, 2, 0, 0, 0])
    guesses = jnp.array([2, 1, 2, 0, 1, 1, 2, 1, 0, 0])
    mask = (jnp.arange(10) < 8).astype(jnp.float32)
    example = Example(jnp.zeros((10, 67)), labels, mask, jnp.array(8))
    metrics = task.metrics(jax.nn.one_hot(guesses, 3), example)
    # Instances 1 1 2 3, then 1 1 2 1.
    found = [metrics[f"instance_{k}"] for k in (1, 2, 3)]
    assert [(float(x.total), float(x.count)) for x in found] == [(2, 5), (2, 2), (0, 1)]
    assert task.render(example).splitlines()[1].split("|")[-1].endswith("11231121")
    assert task.by_instance(2).numbers == (1, 2, 3, 4, 5)


def test_a_hundred_classes_have_a_hundred_words():
    task = Episodes(
        source=Glyphs(train_classes=2, test_classes=100, drawings=2),
        side=4, per_class=2, labels="words", turn=0.0, shift=0.0,
    )  # fmt: skip
    machine = MANNConfig(memory_rows=100, memory_columns=2, heads=1).build(
        task.input_size, task.output_size, key=jax.random.key(0)
    )
    held_out = task.held_out()
    example = sample_one(dataclasses.replace(held_out, exact=True), jax.random.key(0), 100)
    assert int(example.steps) == 200
    counts = Counter(map(tuple, np.asarray(example.targets).tolist()))
    assert sorted(counts.values()) == [2] * 100
    scores = evaluate(machine, held_out, [15, 100], sequences=2)
    images = [x.metrics["wrong_words"] / (1 - x.metrics["accuracy"]) for x in scores]
    np.testing.assert_allclose(images, [30, 200], rtol=1e-5)
    with pytest.raises(SoftmachineError, match="size 101 needs 101 memory rows"):
        evaluate(machine, held_out, [101], sequences=2)


def test_the_paper_s_figures_stand_beside_what_the_paper_asks_alone():
    asked = Episodes(source=Omniglot(path="nowhere"))
    tests = {test.name: test.published for test in asked.published_tests()}
    assert tests["5 classes, instance 2"]["mann-lstm"].value == 0.828
    for other in ({"aligned": True}, {"within_group": True}, {"in_a_row": 2}, {"per_class": 3}):
        changed = dataclasses.replace(asked, **other)
        assert not any(test.published for test in changed.published_tests())
    assert dataclasses.replace(asked, shots=1).published_tests() == []
