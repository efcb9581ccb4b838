"""Scores of NRAMs: several machines at once, and made hard, against one example at a time."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.core.specs.cells import Cells
from softmachine.machines import packed
from softmachine.machines.machine import STOPPED, Machine
from softmachine.machines.nram.hard import run_hard
from softmachine.machines.nram.nram import NRAM, NRAMConfig, NRAMControllerConfig
from softmachine.machines.nram.packed import PackedNRAM
from softmachine.machines.packed import accelerates
from softmachine.running import scoring
from softmachine.running.generalization import evaluate
from softmachine.running.loop import run_batch
from softmachine.running.scoring import build_scorer, score_batch, score_together
from softmachine.tasks.memories.arrays import Access, Increment
from softmachine.tasks.memories.permutations import Swap

TASK, LARGEST = Increment(), 4
"""A task whose examples take different numbers of steps."""
COUNT = 70
"""Not a multiple of how many are scored at once."""


def build(seed):
    config = NRAMConfig(
        registers=2,
        gates=("READ", "ONE", "INC", "WRITE"),
        controller=NRAMControllerConfig(hidden=8),
    )
    machine = config.build(key=jax.random.key(0))
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(0.7 * rng.normal(size=x.shape), x.dtype), machine)


@pytest.fixture(scope="module")
def machines():
    """Return one more machine than there are devices; they get some cells right."""
    return [build(seed) for seed in (43, 45, 4)]


@pytest.fixture(scope="module")
def drawn():
    """Return a key and some sizes for each machine."""
    keys = [jax.random.key(10 + i) for i in range(3)]
    return keys, [jax.random.randint(key, (COUNT,), 1, LARGEST + 1) for key in keys]


def example_at(key, i, size):
    key = jax.random.split(jax.random.fold_in(key, i))[0]
    return TASK.sample(key, size, max_size=LARGEST)


@pytest.fixture(scope="module")
def one_by_one(machines, drawn):
    """Return example, answer of the soft machine, memory of the hard one, of a few."""
    soft = eqx.filter_jit(lambda machine, inputs: machine(inputs, steps=TASK.steps(LARGEST)))
    hard = eqx.filter_jit(run_hard)
    results = []
    for machine, key, sizes in zip(machines, *drawn, strict=True):
        for i in (*range(10), COUNT - 1):
            example = example_at(key, i, sizes[i])
            outputs = soft(machine, example.inputs)
            memory = hard(machine, example.inputs, example.steps).memory
            results.append((i, example, outputs, np.asarray(memory)))
    per = len(results) // 3
    return [results[j : j + per] for j in range(0, len(results), per)]


def wrong_share(memory, example):
    scored = np.flatnonzero(example.mask)
    return np.mean(np.asarray(memory)[scored] != np.asarray(example.targets)[scored])


def test_scores_lie_on_one_device(machines):
    """What is computed with them is no program of all devices, which wait for each other."""
    scores = build_scorer(TASK, LARGEST)(machines[0], jax.random.key(1), jnp.full(COUNT, 3))
    assert len(jax.devices()) > 1
    assert all(len(x.devices()) == 1 for x in jax.tree.leaves(scores))


def test_few_examples_do_not_cost_as_much_as_many(machines, monkeypatch):
    scored, score = [], scoring._score

    def counted(whole, keys, sizes, *known):
        scored.append(len(sizes))
        return score(whole, keys, sizes, *known)

    monkeypatch.setattr(scoring, "_score", counted)
    scores = build_scorer(TASK, LARGEST)
    key, devices = jax.random.key(1), len(jax.devices())
    bits = {n: scores(machines[0], key, jnp.full(n, 3))["bits"] for n in (1, 5, 129)}
    assert scored == [devices, 4 * devices, *(-(-129 // (64 * devices)) * [64 * devices])]
    for n, few in bits.items():
        np.testing.assert_allclose(few, bits[129][:n], rtol=1e-4, atol=1e-5)


def test_together_is_one_after_the_other(machines, drawn):
    together = score_together(machines, TASK, *drawn, LARGEST)
    score = build_scorer(TASK, LARGEST)
    for ours, machine, key, sizes in zip(together, machines, *drawn, strict=True):
        theirs = score(machine, key, sizes)
        assert ours.keys() == theirs.keys() == {"wrong_cells", "perfect", "bits"}
        for name, values in theirs.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-4, atol=1e-5)
    assert len({scores["bits"].sum() for scores in together}) == 3


def test_soft_and_hard_are_scored_on_the_same_examples(machines, drawn, one_by_one):
    both = build_scorer(TASK, LARGEST, and_hard=True)
    soft = build_scorer(TASK, LARGEST)
    agreements = []
    for machine, key, sizes, results in zip(machines, *drawn, one_by_one, strict=True):
        scores, alone = both(machine, key, sizes), soft(machine, key, sizes)
        for name, values in alone.items():
            np.testing.assert_allclose(scores[name], values, rtol=1e-4, atol=1e-5)
        assert scores.keys() - alone.keys() == {"hard_error", "agreement"}
        for i, example, outputs, memory in results:
            scored = np.flatnonzero(example.mask)
            answer = np.asarray(TASK.output.answer(outputs, example))
            same = np.mean(answer[scored] == memory[scored])
            assert float(scores["wrong_cells"][i]) == pytest.approx(
                wrong_share(answer, example)
            )
            assert float(scores["hard_error"][i]) == pytest.approx(wrong_share(memory, example))
            assert float(scores["agreement"][i]) == pytest.approx(same)
            agreements.append(same)
    assert len(set(agreements)) > 2


def test_rows_of_a_memory_task_say_soft_and_hard(access_machine):
    """A machine that is right at every size, hard or not."""
    task = Access()
    scores = evaluate(access_machine, task, [1, 9], sequences=5)
    rows = [score.to_row(task.output) for score in scores]
    for row in rows:
        assert row.pop("bits") < 1e-3
    right = {"examples": 5, "soft_error": 0, "hard_error": 0, "agreement": 1, "perfect": 1}
    assert rows == [{"size": size} | right for size in (1, 9)]


def test_rows_are_the_means_of_the_scores(machines):
    (score,) = evaluate(machines[0], TASK, [3], sequences=20, seed=4)
    key, sizes = jax.random.fold_in(jax.random.key(4), 3), jnp.full(20, 3)
    hard = build_scorer(TASK, 3, and_hard=True)(machines[0], key, sizes)["hard_error"]
    row = score.to_row(TASK.output)
    assert [*row] == [
        "size", "examples", "soft_error", "hard_error", "agreement", "perfect", "bits",
    ]  # fmt: skip
    assert row["hard_error"] == pytest.approx(float(hard.mean()))
    assert row["soft_error"] == score.metrics["wrong_cells"]
    assert (row["size"], row["examples"]) == (3, 20)
    assert 0 < row["hard_error"] < 1


def test_sizes_that_a_task_does_not_have_are_refused(machines):
    with pytest.raises(SoftmachineError, match="sizes of this task must be at least 2, not 1"):
        evaluate(machines[0], Swap(), [3, 1])


# --- what a packed form cannot do ---------------------------------------------------------


class Pondering(NRAM):
    def penalties(self, features):
        return {"ponder": jax.nn.sigmoid(features.stop)}


class Deciding(NRAM):
    def decode(self, features):
        return features._replace(memory=jnp.round(features.memory))


class Stepless(Machine):
    def run(self, inputs, **_):
        raise AssertionError(inputs)


class Forgetful(NRAM):
    """Asks in its steps for a key, for their number, or for the mode."""

    asks: str = eqx.field(static=True, default="key")

    def advance(self, state, encoded=None, clock=STOPPED):
        getattr(clock, self.asks)
        return super().advance(state, encoded, clock)


class Drawn(NRAM):
    def init_state(self, inputs, *, key=None):
        if key is None:
            raise ValueError("Drawn draws its first memory: give it a key")
        return super().init_state(inputs)


class Listening(NRAM):
    def encode(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Pondering, "Pondering cannot have a packed form: it has penalties of its own"),
        (Deciding, "Deciding cannot have a packed form: it has decode of its own"),
        (Stepless, "Stepless cannot have a packed form: it has no step"),
    ],
)
def test_machines_of_which_a_packed_form_would_leave_something_out(machine, message):
    with pytest.raises(TypeError, match=message):
        accelerates(machine)(PackedNRAM)


def as_another(machine, kind, **fields):
    return kind(machine.controller, machine.output, machine.stop, machine.config, **fields)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Forgetful, {"asks": "key"}, "Forgetful has .*no key: its steps ask for .* key"),
        (Forgetful, {"asks": "step"}, "no clock and no key: its steps ask for .* step"),
        (Forgetful, {"asks": "training"}, "no key: its steps ask for the clock's training"),
        (Drawn, {}, "Drawn has a packed form, .* no key: Drawn draws its first memory"),
        (Listening, {}, "no input per step, no clock and no key: it has an input per step"),
    ],
)
def test_machines_that_need_what_a_packed_form_is_not_given(
    machines, monkeypatch, kind, fields, message
):
    """Refused before a step is taken, a machine alone and several together."""
    monkeypatch.setitem(packed._FORMS, kind, PackedNRAM)
    memories = jnp.zeros((2, 4), jnp.int32)
    one = as_another(machines[0], kind, **fields)
    both = jax.tree.map(lambda *x: jnp.stack(x), one, one)
    for machine in (one, both):
        with pytest.raises(ValueError, match=message):
            run_batch(machine, memories, steps=2, max_steps=2)


def test_losses_that_would_add_up_the_batch_are_refused(machines, monkeypatch):
    monkeypatch.setattr(Cells, "takes_batches", False)
    keys = jax.random.split(jax.random.key(0), 2)
    with pytest.raises(ValueError, match=r"NRAM has a packed form, .* Cells score one example"):
        score_batch(machines[0], TASK, keys, jnp.array([1, 2]), LARGEST)
