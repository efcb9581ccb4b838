"""Every registered recipe trains."""

import dataclasses
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import compiling
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.objectives import MeanLoss
from softmachine.experiments.state import first_state
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.registry import MACHINES
from softmachine.machines.transformer import TransformerConfig
from softmachine.recipes import RECIPES, get_recipe
from softmachine.recipes.chomsky import AT_ONCE
from softmachine.recipes.registry import CHOMSKY_MACHINES, CHOMSKY_TASKS
from softmachine.running.devices import MemberLayout
from softmachine.running.scoring import score_batch
from softmachine.tasks import BAbI, Folder, Glyphs, Omniglot
from softmachine.tasks.registry import TASKS
from softmachine.training.exam import Exam
from softmachine.training.update import build_train_chunk

NRAMS = [name for name in RECIPES if name.removeprefix("paper-").startswith("nram-")]
COMPILED = [
    "ntm-copy",
    "ntm-ff-recall",
    "ntm-repeat-copy",
    "lstm-sort",
    "lstm-chomsky-stack-manipulation",
    "nram-copy",
    "neural-gpu-addition",
    "paper-ntm-ngrams",
    "paper-ntm-ff-recall",
    "paper-ntm-sort",
    "paper-lstm-repeat-copy",
]
"""One of each make of machine; tests/test_every_pair.py has all machines with all tasks."""
TABLE = [name for name in RECIPES if "-chomsky-" in name]
"""The recipes of the Chomsky hierarchy: each machine on each task, from one function."""
DIAGONAL = [
    f"{machine}-chomsky-{CHOMSKY_TASKS[i]}" for i, machine in enumerate(CHOMSKY_MACHINES)
] + [f"lstm-chomsky-{task}" for task in CHOMSKY_TASKS[len(CHOMSKY_MACHINES) :]]
"""Each of these machines, and each of these tasks, at least once."""
TRACED = [name for name in RECIPES if name not in TABLE or name in DIAGONAL]


BABI = Path(__file__).parents[1] / "tasks" / "babi"


def one_update(experiment, members):
    """Return the compiled updates of members in lockstep, and what makes their states."""
    chunk = build_train_chunk(experiment, MemberLayout(jax.devices()[:1], members, members))

    def begin():
        states = [first_state(experiment.with_seed(seed)) for seed in range(members)]
        return jax.tree.map(lambda *xs: jnp.stack(xs), *states)

    return chunk, begin


@pytest.mark.parametrize("name", COMPILED)
def test_recipe_takes_a_step_with_finite_gradients(name):
    experiment = get_recipe(name)
    assert experiment.recipe == name
    members = 2 if name in NRAMS else 1
    chunk, begin = one_update(experiment, members)
    before = jax.jit(begin)()
    shapes = [x.shape for x in jax.tree.leaves(before.parameters)]
    after, sums = chunk(before, jnp.ones(members, int))
    assert after.step.tolist() == [1] * members
    assert after.fault.step.tolist() == [-1] * members
    assert np.all(sums["gradient_norm"] > 0)
    for shape, new in zip(shapes, jax.tree.leaves(after.parameters), strict=True):
        assert np.isfinite(new).all()
        assert shape == new.shape


@pytest.mark.parametrize("name", TRACED)
def test_recipe_runs_on_its_task(name):
    """Traced, not compiled."""
    experiment = get_recipe(name)
    assert experiment.recipe == name
    if isinstance(getattr(experiment.task, "source", None), Folder | Omniglot):
        # The same episodes of images that need no file, and have no alphabets.
        source = Glyphs(train_classes=100, test_classes=100)
        task = dataclasses.replace(experiment.task, source=source, within_group=False)
        experiment = dataclasses.replace(experiment, task=task)
    if isinstance(experiment.task, BAbI):
        task = dataclasses.replace(experiment.task, path=str(BABI), tasks=(1, 8))
        training = dataclasses.replace(experiment.training, curriculum=Uniform(largest=2))
        experiment = dataclasses.replace(experiment, task=task, training=training)
    largest = experiment.training.curriculum.largest
    machine = eqx.filter_eval_shape(experiment.build_machine)
    for other in experiment.machines_for_updates(machine):
        assert other.memory_rows in (*experiment.training.memory_rows, machine.memory_rows)
    keys, sizes = jax.random.split(jax.random.key(0), 2), jnp.array([largest - 1, largest])
    scores = eqx.filter_eval_shape(score_batch, machine, experiment.task, keys, sizes, largest)
    assert scores.losses.shape == (2,)
    assert {experiment.task.error, "bits"} <= set(scores.metrics)


def test_nram_with_two_rounds_of_gates_can_take_a_step(monkeypatch):
    """Traced, not compiled: a member in lockstep with another, from state to like state."""
    monkeypatch.setattr(compiling, "options", dict)  # what is only traced takes none
    chunk, begin = one_update(get_recipe("nram-merge"), 2)
    before = jax.eval_shape(begin)
    after, sums = jax.eval_shape(chunk, before, jax.ShapeDtypeStruct((2,), int))
    assert jax.tree.leaves(after) == jax.tree.leaves(before)
    assert {"loss", "wrong_cells", "gradient_norm"} < sums.keys()


@pytest.mark.parametrize("name", TRACED)
def test_name_says_machine(name):
    machine = get_recipe(name).machine
    kind = name.removeprefix("paper-").split("-")
    assert isinstance(machine, NRAMConfig) == (kind[0] == "nram")
    if kind[0] == "nram":
        assert machine.controller.kind == ("lstm" if kind[1] == "lstm" else "mlp")
        return
    assert isinstance(machine, TransformerConfig) == (kind[0] == "transformer")
    if kind[0] == "transformer":
        return
    registered = MACHINES.name_of(type(machine))
    if registered in ("npi", "npi-ram", "dngpu", "neural-gpu"):
        assert name.startswith(registered)
        return
    if registered in ("stack-rnn", "neural-stack"):
        assert name.startswith(machine.published_as)
        return
    if registered == "tape-rnn":
        assert name.startswith(registered)
        return
    assert (registered == "dnc") == (kind[0] == "dnc")
    assert isinstance(machine, NTMConfig) == (kind[0] == "ntm")
    if kind[0] == "rnn":
        assert machine.controller.kind == "rnn"
        return
    recurrent = "counter" if name == "ntm-repeat-copy" else "lstm"
    assert machine.controller.kind == ("feedforward" if kind[1] == "ff" else recurrent)


@pytest.mark.parametrize(
    ("name", "heads", "hidden", "layers", "learning_rate"),
    [
        # Graves et al. 2014, tables 1 to 3.
        ("paper-ntm-ff-copy", 1, 100, 1, 1e-4),
        ("paper-ntm-ff-recall", 4, 256, 1, 1e-4),
        ("paper-ntm-ff-sort", 8, 512, 1, 3e-5),
        ("paper-ntm-repeat-copy", 1, 100, 1, 1e-4),
        ("paper-ntm-ngrams", 1, 100, 1, 3e-5),
        ("paper-ntm-sort", 5, 100, 2, 3e-5),
        ("paper-lstm-repeat-copy", None, 512, 3, 3e-5),
        ("paper-lstm-ngrams", None, 128, 3, 1e-4),
    ],
)
def test_paper_recipes_follow_its_tables(name, heads, hidden, layers, learning_rate):
    experiment = get_recipe(name)
    machine, optimizer = experiment.machine, experiment.training.optimizer
    if heads is not None:
        assert (machine.read_heads, machine.write_heads) == (heads, heads)
        assert (machine.memory_rows, machine.memory_columns) == (128, 20)
    assert (machine.controller.hidden, machine.controller.layers) == (hidden, layers)
    assert (optimizer.kind, optimizer.learning_rate) == ("graves-rmsprop", learning_rate)
    assert (optimizer.momentum, optimizer.clip_value) == (0.9, 10.0)
    assert optimizer.clip_norm is None


@pytest.mark.parametrize(
    ("name", "largest", "rounds"),
    [
        # Kurach et al. 2016, table 1; two READs in a step need two rounds (section 4.3).
        ("paper-nram-access", 20, 1),
        ("paper-nram-copy", 15, 1),
        ("paper-nram-swap", 20, 2),
        ("paper-nram-merge", 10, 2),
        ("paper-nram-walk-bst", 10, 2),
    ],
)
def test_paper_recipes_of_nrams_do_as_it_says_and_nothing_else(name, largest, rounds):
    experiment = get_recipe(name)
    assert experiment.machine.gates == PAPER_GATES * rounds
    training, curriculum = experiment.training, experiment.training.curriculum
    assert (curriculum.smallest, curriculum.start) == (experiment.task.smallest,) * 2
    assert (curriculum.largest, curriculum.rise) == (largest, 1)
    assert (curriculum.forward, curriculum.back, curriculum.overshoot) == (0.1, 0.25, 0.5)
    assert training.gradient_noise**2 == pytest.approx(0.3)
    assert training.optimizer.kind == "adam"
    assert [type(phase) for phase in training.phases] == [Exam]


def test_the_neural_gpu_has_the_paper_s_loss():
    """A mean over symbols: beside it the pull between its sets has the paper's weight."""
    training = get_recipe("neural-gpu-addition").training
    assert training.objective == MeanLoss()
    assert training.optimizer.clip_norm == 1.0


def test_unknown_recipe():
    with pytest.raises(SoftmachineError, match=r"'nmt-copy': .* did you mean ntm-copy"):
        get_recipe("nmt-copy")


@pytest.mark.parametrize("name", [*DIAGONAL, *(f"paper-{name}" for name in DIAGONAL)])
def test_recipes_of_the_chomsky_hierarchy_follow_its_protocol(name):
    """Delétang et al. 2023, section 4 and the published code."""
    experiment, paper = get_recipe(name), name.startswith("paper-")
    training = experiment.training
    task = name.partition("-chomsky-")[2]
    assert task == TASKS.name_of(type(experiment.task))
    assert getattr(experiment.task, "source", "repo") == "repo"
    assert getattr(experiment.task, "score_padding", True)
    curriculum = training.curriculum
    sizes = np.asarray(curriculum.sample(curriculum.init(), jax.random.key(0), 128))
    assert (curriculum.smallest, curriculum.largest) == (1, 40)
    machine = name.removeprefix("paper-").partition("-chomsky-")[0]
    assert curriculum.over == (0 if paper or machine in AT_ONCE.get(task, ()) else 3_000)
    assert len(set(sizes.tolist())) == 1
    assert training.optimizer.clip_norm == 1.0
    updates = (1_000_000, 128) if paper else (20_000, 32)
    assert (training.max_sequences // training.batch, training.batch) == updates
    if name.removeprefix("paper-").startswith(("rnn", "lstm", "stack-rnn")):
        assert experiment.machine.controller.hidden == 256


def test_there_is_a_recipe_for_each_machine_on_each_of_the_fifteen_tasks():
    assert len(CHOMSKY_TASKS) == 15
    assert {name.partition("-chomsky-")[2] for name in TABLE} == {*CHOMSKY_TASKS}
    assert len(TABLE) == 2 * 15 * len(CHOMSKY_MACHINES)
