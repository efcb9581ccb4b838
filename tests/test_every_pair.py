"""What holds for every registered machine with every registered task that it fits.

A machine or a task that is registered is tested here without an edit. One that is large by
default may be given a small form below, to be quick.

Every pair is traced. Compiled and run are, to be done in minutes, each machine with one task of
each kind of inputs and outputs, and each task with one of the machines.
"""

import collections
import functools
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.checkpoints import load_checkpoint, save_checkpoint
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.experiments.state import first_state, machine_of
from softmachine.machines.dnc.dnc import DNCConfig
from softmachine.machines.dngpu import DNGPUConfig
from softmachine.machines.machine import Clock, split_trainable
from softmachine.machines.mann import MANNConfig
from softmachine.machines.neural_gpu import NeuralGPUConfig
from softmachine.machines.neural_stack import NeuralStackConfig
from softmachine.machines.npi import npi_for
from softmachine.machines.npi_ram import NPIRAMConfig
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.machines.nram.soft_gates import SoftGateNRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.machines.registry import MACHINES
from softmachine.machines.sequence_cell import SequenceCell
from softmachine.machines.stack_rnn import StackRNNConfig
from softmachine.machines.tape_rnn import TapeRNNConfig
from softmachine.machines.transformer import TransformerConfig
from softmachine.running.devices import MemberLayout
from softmachine.running.loop import run_batch
from softmachine.tasks.languages.babi import BAbI
from softmachine.tasks.languages.strings import StringTask
from softmachine.tasks.languages.transductions import Reordering
from softmachine.tasks.languages.translations import Translation
from softmachine.tasks.memories.given import Given
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.own.sequences import own_sequences
from softmachine.tasks.registry import TASKS
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.copy_reuse import CopyReuse
from softmachine.tasks.sequences.graphs import GraphTraversal
from softmachine.tasks.sequences.key_value import KeyValue
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.tasks.sequences.priority_sort import PrioritySort
from softmachine.tasks.sequences.repeat_copy import RepeatCopy
from softmachine.tasks.traced.tasks import Addition, BubbleSort, QuickSort, Several
from softmachine.training.update import build_train_chunk

SMALL_MACHINES = {
    "ntm": NTMConfig(controller=ControllerConfig(hidden=4), memory_rows=8, memory_columns=3),
    "nram": NRAMConfig(
        controller=NRAMControllerConfig(hidden=4), registers=1, gates=("READ", "INC", "WRITE")
    ),
    "soft-gate-nram": SoftGateNRAMConfig(
        controller=NRAMControllerConfig(hidden=4),
        registers=1,
        slots=2,
        gates=("READ", "INC", "WRITE"),
    ),
    "mann": MANNConfig(
        controller=ControllerConfig(hidden=4), memory_rows=8, memory_columns=3, heads=2
    ),
    "recurrent": RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=4)),
    "transformer": TransformerConfig(layers=1, width=4, heads=2, feedforward=4),
    "npi": npi_for(
        QuickSort().interface.calls,
        **dict.fromkeys(("observation", "embedding", "key", "fused", "hidden"), 4),
    ),
    "npi-ram": NPIRAMConfig(programs=4, width=4, key=4, core_steps=2),
    "neural-gpu": NeuralGPUConfig(maps=3, rows=2, sets=2),
    "dngpu": DNGPUConfig(maps=3),
    "stack-rnn": StackRNNConfig(
        controller=ControllerConfig(kind="rnn", hidden=4, activation="sigmoid"),
        stacks=2,
        memory_rows=8,
    ),
    "neural-stack": NeuralStackConfig(
        structure="deque", controller=ControllerConfig(hidden=4), memory_columns=3
    ),
    "dnc": DNCConfig(
        controller=ControllerConfig(hidden=4), memory_rows=6, memory_columns=3, read_heads=2
    ),
    "tape-rnn": TapeRNNConfig(hidden=4, memory_rows=6, memory_columns=3, write_hidden=3),
}
SMALL_TASKS = {
    "copy": Copy(width=2),
    "repeat-copy": RepeatCopy(width=2, repeats=(1, 2)),
    "associative-recall": AssociativeRecall(width=2, item_length=1),
    "ngrams": NGrams(context=2),
    "priority-sort": PrioritySort(width=2, surplus=(0, 1)),
    "copy-reuse": CopyReuse(width=2, lengths=(1, 2)),
    "key-value": KeyValue(width=2),
    "graph-traversal": GraphTraversal(most_nodes=3),
    "one-shot": Episodes(
        source=Glyphs(train_classes=4, test_classes=3, drawings=3), side=4, per_class=2
    ),
    "transduction": Reordering(symbols=3),
    "translation": Translation(most=6, count=2),
    "babi": BAbI(
        path=str(Path(__file__).parent / "tasks" / "babi"), tasks=(1, 8), vocabulary=24
    ),
    "addition": Addition(problems=2),
    "several-programs": Several(tasks=(BubbleSort(), QuickSort())),
    "given": Given(
        examples="\n".join(f'{{"input": [{a}, 0], "output": [{a + 1}, 0]}}' for a in (1, 2, 3))
    ),
    "own-sequences": own_sequences(Path(__file__).parent / "tasks" / "own.jsonl"),
}
BATCH = 2


def task_of(name):
    return SMALL_TASKS.get(name) or TASKS[name]()


def experiment_of(machine, task):
    """Return a training of a few updates; ValueError if the two do not fit."""
    task = task_of(task)
    return Experiment(
        recipe="pair",
        task=task,
        machine=SMALL_MACHINES.get(machine) or MACHINES[machine](),
        training=TrainingConfig(
            batch=BATCH, curriculum=Uniform(smallest=task.smallest, largest=second(task))
        ),
    )


def second(task):
    """Return the size after the smallest, if there is one."""
    return min(task.smallest + 1, task.largest or task.smallest + 1)


def alike(task):
    """Whether a task is, to a machine, like the one that stands for all tasks on strings.

    They differ in nothing but alphabets, lengths and answers, and have tests of their own.
    """
    return task != "reverse-string" and isinstance(task_of(task), StringTask)


def pairs():
    for machine in MACHINES:
        for task in TASKS:
            if machine != "recurrent" and alike(task):
                continue
            try:
                experiment_of(machine, task)
            except ValueError as error:
                assert "; " in str(error) and " works " in str(error)  # noqa: PT017, PT018
            else:
                yield machine, task


PAIRS = list(pairs())


def one_of_each_kind():
    """Yield each machine with each kind of inputs and outputs, with tasks that vary."""
    kinds, met = collections.defaultdict(list), collections.Counter()
    for machine, name in PAIRS:
        task = task_of(name)
        kinds[machine, type(task.inputs.spec), type(task.output)].append((machine, name))
    for pairs in kinds.values():
        pair = min(pairs, key=lambda pair: met[pair[1]])
        met[pair[1]] += 1
        yield pair


ONE_OF_A_KIND = sorted(one_of_each_kind())


def one_of_each_task():
    """Yield each task with a machine: one of those above, or what is compiled soonest."""
    for task in TASKS:
        pairs = [pair for pair in PAIRS if pair[1] == task]
        yield min(pairs, key=lambda pair: (pair not in ONE_OF_A_KIND, pair[0] != "recurrent"))


RUN = sorted({*ONE_OF_A_KIND, *one_of_each_task()})


@functools.cache
def first(experiment):
    """Return what gives the state before the first update, of one member."""
    return jax.jit(lambda: jax.tree.map(lambda x: x[None], first_state(experiment)))


def test_every_machine_has_a_task_and_every_task_a_machine():
    assert {machine for machine, _ in PAIRS} == set(MACHINES)
    assert {task for _, task in PAIRS} == {task for _, task in RUN} == set(TASKS)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_loss_is_a_number(pair):
    """Of every pair, by shapes alone: nothing is compiled. Gradients are those of `RUN`."""
    experiment = experiment_of(*pair)
    task, size = experiment.task, experiment.training.curriculum.largest

    def loss(key):
        machine = experiment.build_machine(None, experiment.training.seed)
        example = task.sample(key, size, max_size=size)
        steps = None if task.inputs.per_step else task.steps(size)
        return task.output.loss(machine(example.inputs, steps=steps, key=key), example)

    loss = jax.eval_shape(loss, jax.random.key(0))
    assert loss.shape == ()
    assert jnp.issubdtype(loss.dtype, jnp.floating)


@pytest.mark.parametrize("pair", RUN, ids="-".join)
def test_updates_are_finite_and_resumed_they_are_the_same(pair, tmp_path):
    experiment = experiment_of(*pair)
    chunk = build_train_chunk(experiment, MemberLayout(jax.devices()[:1], 1, 1))

    def update(state, end):
        return chunk(state, np.array([end], np.int32))

    straight, sums = update(first(experiment)(), 2)
    assert straight.step == 2
    assert straight.fault.step == -1
    assert np.isfinite(sums["gradient_norm"]).all()
    assert np.all(np.asarray(sums["gradient_norm"]) > 0)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(straight.parameters))

    halfway, _ = update(first(experiment)(), 1)
    save_checkpoint(tmp_path / "half", halfway, {}, "pair")
    loaded, _ = load_checkpoint(tmp_path / "half", first(experiment)(), "pair")
    resumed, _ = update(loaded, 2)
    for ours, theirs in zip(jax.tree.leaves(resumed), jax.tree.leaves(straight), strict=True):
        np.testing.assert_array_equal(
            *(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
              for x in (ours, theirs))
        )  # fmt: skip


def assert_close(ours, theirs):
    for (path, x), y in zip(
        jax.tree.leaves_with_path(ours), jax.tree.leaves(theirs), strict=True
    ):
        name = jax.tree_util.keystr(path)
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5, err_msg=name)
        assert np.isfinite(x).all(), name


@pytest.mark.parametrize("pair", ONE_OF_A_KIND, ids="-".join)
def test_the_driver_is_vmap_in_gradients_too_and_a_run_is_its_steps(pair):
    """Of each machine with one task of each kind of inputs and outputs."""
    experiment = experiment_of(*pair)
    task, size = experiment.task, experiment.training.curriculum.largest
    steps, per_step = task.steps(size), task.inputs.per_step
    alone = None if per_step else steps

    def compare(machine, keys):
        """Return a batch, the state before its first step, and what both ways make of it."""
        examples = jax.vmap(lambda key: task.sample(key, size, max_size=size))(keys)
        parameters, static = split_trainable(machine)

        def fast(machine):
            return run_batch(machine, examples.inputs, steps=steps, max_steps=steps, keys=keys)

        def plain(machine):
            run = jax.vmap(lambda x, key: machine(x, steps=alone, key=key))
            return run(examples.inputs, keys)

        def gradients(run):
            def loss(parameters):
                outputs = run(eqx.combine(parameters, static))
                return jnp.sum(jax.vmap(task.output.loss)(outputs, examples)), outputs

            slopes, outputs = jax.grad(loss, has_aux=True)(parameters)
            return outputs, slopes

        state = None
        if hasattr(machine, "step"):
            one = jax.tree.map(lambda x: x[0], examples.inputs)
            state = machine.init_state(one, key=keys[0])
        return examples.inputs, state, fast(machine), gradients(fast), gradients(plain)

    machine = jax.tree.map(
        lambda x: np.asarray(x)[0] if eqx.is_array(x) else x,
        machine_of(first(experiment)(), experiment),
    )
    keys = jax.random.split(jax.random.key(1), BATCH)
    inputs, state, ours, *both = eqx.filter_jit(compare)(machine, keys)
    theirs = both[1][0]
    assert_close(ours, theirs)
    assert_close(*both)
    if state is None:
        return
    step = eqx.filter_jit(
        lambda machine, state, x, i, keys: machine.step(state, x, clock=Clock(i, keys[0]))
    )
    # In NumPy, where to take a step out is no program of its own.
    inputs, theirs = np.asarray(inputs), jax.tree.map(np.asarray, theirs)
    for i in range(len(jax.tree.leaves(theirs)[0][0])):
        x = inputs[0, i] if per_step else None
        state, output = step(machine, state, x, np.int32(i), keys)
        if not isinstance(machine, SequenceCell):
            assert_close(output, jax.tree.map(lambda x, i=i: x[0, i], theirs))
    if isinstance(machine, SequenceCell):  # outputs of all places come after the last step
        assert_close(output, jax.tree.map(lambda x: x[0], theirs))
