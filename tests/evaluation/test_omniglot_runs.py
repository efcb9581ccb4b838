"""Lake's runs, put to machines whose answers are known."""

import dataclasses
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.cli import omniglot_runs as command
from softmachine.cli import sources
from softmachine.cli.main import main
from softmachine.cli.sources import Trained
from softmachine.core.errors import SoftmachineError
from softmachine.evaluation.omniglot_runs import score_runs
from softmachine.machines.machine import Machine, Outcome
from softmachine.machines.mann import MANNConfig
from softmachine.recipes.registry import get_recipe
from softmachine.tasks.one_shot.alignment import align
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.omniglot import Omniglot
from softmachine.tasks.one_shot.omniglot_runs import load_runs
from softmachine.tasks.sequences.copy import Copy

TASK = Episodes(side=10, names=8, turn=0.3)
CLASSES, ITEMS = 6, 4


class Nearest(Machine):
    """Calls each image like the nearest one before it."""

    pixels: int = eqx.field(static=True)
    after: int = eqx.field(static=True, default=0)
    """Steps before this one are forgotten."""

    def run(self, inputs, *, steps=None, key=None, training=False):
        del steps, key, training
        images, told = inputs[:, : self.pixels], inputs[1:, self.pixels :]
        far = jnp.sum((images[:, None] - images[:-1]) ** 2, axis=2)
        places = jnp.arange(len(images))
        known = (places[:-1] < places[:, None]) & (places[:-1] >= self.after)
        return Outcome(-10 * jnp.min(jnp.where(known, far, jnp.inf)[:, :, None]
                       + jnp.where(told > 0, 0, jnp.inf), axis=1, initial=100), {})  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Three runs of six random drawings, of which four are asked for with much noise."""
    rng = np.random.default_rng(0)
    support = rng.random((3, CLASSES, 105, 105)) < 0.1
    # Ink in one corner, so that moments differ.
    support[:, :, :50, :50] |= rng.random((3, CLASSES, 50, 50)) < rng.random((3, CLASSES, 1, 1))
    answers = np.stack([rng.permutation(CLASSES)[:ITEMS] for _ in range(3)]).astype(np.uint8)
    query = np.take_along_axis(support, answers[:, :, None, None].astype(int), axis=1)
    query = query ^ (rng.random(query.shape) < np.array([0.02, 0.3, 0.45])[:, None, None, None])
    place = tmp_path_factory.mktemp("runs") / "omniglot-runs.npz"
    bits = [np.packbits(x.reshape(*x.shape[:2], -1), axis=-1) for x in (support, query)]
    np.savez(place, support_bits=bits[0], query_bits=bits[1], answers=answers)
    return str(place)


def by_hand(support, query, answers):
    def scaled(x):
        return x / x.max(axis=(-1, -2), keepdims=True)

    support, query = scaled(support.astype(float)), scaled(query.astype(float))
    far = ((query[:, :, None] - support[:, None]) ** 2).sum((-1, -2))
    return (far.argmin(axis=2) != answers).mean(axis=1)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("orders", "names"), [(1, 8), (3, 8), (2, 3), (2, 4)])
def test_a_nearest_neighbour_errs_as_counted_by_hand_in_every_order(
    path, aligned, orders, names
):
    """With all names at once, and in groups of three and of four."""
    task = dataclasses.replace(TASK, aligned=aligned, names=names)
    runs = load_runs(path, 56 if aligned else 10)
    images = [align(x, 10) if aligned else x for x in runs[:2]]
    expected = by_hand(*images, runs.answers)
    assert 0 < expected.mean() < 1
    score = score_runs(Nearest(100), task, path, orders=orders)
    np.testing.assert_allclose(score.errors, expected)
    np.testing.assert_allclose(score.single_errors, expected)
    assert score.error == pytest.approx(expected.mean())
    deviation = expected.std(ddof=1) / 3**0.5
    assert score.margin == pytest.approx(1.96 * deviation, rel=1e-5)
    assert not score.may_have_seen


def test_orders_are_drawn_and_vote(path):
    """Who forgets the first half of the drawings knows the answer in half of the orders."""
    machine = Nearest(100, after=CLASSES // 2)
    one = score_runs(machine, TASK, path, orders=1)
    many = score_runs(machine, TASK, path, orders=30)
    np.testing.assert_allclose(many.single_errors[0], 0.5, atol=0.15)
    assert many.errors[0] == 0 < one.errors[0]
    assert score_runs(machine, TASK, path, orders=1).errors.tolist() == one.errors.tolist()
    others = score_runs(machine, TASK, path, orders=1, seed=1)
    assert others.errors.tolist() != one.errors.tolist()


def test_who_guesses_is_wrong_as_often_as_chance_has_it(path):
    """In groups of two as well: no class is preferred."""

    class Guess(Nearest):
        def run(self, inputs, *, steps=None, key=None, training=False):
            del steps, training
            names = inputs.shape[1] - self.pixels
            return Outcome(jax.random.normal(key, (len(inputs), names)), {})

    for names in (2, 8):
        task = dataclasses.replace(TASK, names=names)
        score = score_runs(Guess(100), task, path, orders=60)
        # 720 guesses: a standard deviation is 0.014.
        assert abs(score.single_errors.mean() - (1 - 1 / CLASSES)) < 0.05


def test_words_are_names_as_well(path):
    task = Episodes(side=10, labels="words")
    machine = MANNConfig(memory_rows=8, memory_columns=4, heads=1).build(
        task.input_size, task.output_size, key=jax.random.key(0)
    )
    score = score_runs(machine, task, path, orders=2)
    # Untrained: it guesses, among the six that it was told alone.
    assert 0.5 < score.single_errors.mean() <= 1


def test_machines_that_cannot_be_asked_are_refused_in_a_sentence(path):
    with pytest.raises(SoftmachineError, match="for machines that name images, not Copy"):
        score_runs(Nearest(100), Copy(), path)
    small = MANNConfig(memory_rows=4, memory_columns=4, heads=1).build(
        TASK.input_size, TASK.output_size, key=jax.random.key(0)
    )
    with pytest.raises(SoftmachineError, match="needs 6 memory rows, this machine has 4"):
        score_runs(small, TASK, path)


@pytest.mark.parametrize(("split", "seen"), [("official", False), ("santoro", True)])
def test_the_command_prints_and_says_who_may_have_seen_them(
    path, split, seen, monkeypatch, capsys
):
    experiment = get_recipe("mann-omniglot")
    task = dataclasses.replace(TASK, source=Omniglot(path="nowhere", split=split))
    experiment = dataclasses.replace(experiment, task=task)
    trained = Trained("nearest", experiment, Nearest(100), None)
    monkeypatch.setattr(command, "open_trained", lambda _source: [trained])
    monkeypatch.setattr(sources, "experiment_of", lambda _source: experiment)
    main(["omniglot-runs", "nearest", "--path", path, "--orders", "2", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["may_have_seen"] == seen
    assert found["errors"] == score_runs(Nearest(100), task, path, orders=2).errors.tolist()
    main(["omniglot-runs", "nearest", "--path", path, "--orders", "2"])
    out = capsys.readouterr().out
    assert f"{found['error']:.1%} ± {found['margin']:.1%}" in out
    assert ("Not a fair score" in out) == seen
