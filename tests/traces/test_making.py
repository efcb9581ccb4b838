"""What traces say about a machine and its example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import TraceError
from softmachine.machines.nram.hard import hard_state, hard_step
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.programs.extraction import extract
from softmachine.programs.languages.python import python_code
from softmachine.programs.running import load_python
from softmachine.tasks.memories.arrays import Access, MemoryCopy
from softmachine.tasks.memories.given import Given
from softmachine.tasks.memories.lists import ListK
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.one_shot.regression import GPRegression
from softmachine.tasks.sequences.copy import Copy
from softmachine.traces.examples import draw_example
from softmachine.traces.file import trace_from_bytes
from softmachine.traces.making import trace

COPY = Copy(width=3)


def field(trace, name):
    return next(field for field in trace.header.fields if field.name == name)


def labels(trace, axis):
    return list(trace.header.axes[axis].labels)


def test_an_ntm_s_trace_is_what_the_machine_does(ntm, ntm_trace):
    example, _ = draw_example(COPY, 3, 5)
    outputs = ntm(example.inputs)
    header = ntm_trace.header
    # Compiled as another program, sums may be rounded otherwise in their last bit.
    np.testing.assert_allclose(ntm_trace.example["outputs"], outputs, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(ntm_trace.example["inputs"], example.inputs)
    np.testing.assert_array_equal(ntm_trace.example["targets"], example.targets)
    wrong = ((outputs > 0) != (example.targets > 0)) * example.mask
    np.testing.assert_array_equal(ntm_trace.example["wrong"], wrong)
    assert header.scores["wrong_bits"] == wrong.sum() > 0
    assert (header.machine, header.task, header.error) == ("NTM", "Copy", "wrong_bits")
    assert (header.size, header.seed, header.length) == (3, 5, 7)
    assert (header.source, header.recipe) == ("zoo:it", "ntm-copy")
    assert header.title == "zoo:it, size 3, seed 5"
    assert (header.hard, header.circuit, header.pointers) == (None, None, ())


def test_an_ntm_s_axes_are_labelled(ntm_trace):
    assert labels(ntm_trace, "head") == ["read 1", "read 2", "write"]
    assert labels(ntm_trace, "write head") == ["write"]
    assert labels(ntm_trace, "shift") == ["-1", "0", "+1"]
    assert labels(ntm_trace, "input channel") == ["bit 1", "bit 2", "bit 3", "delimiter"]
    assert ntm_trace.header.axes["row"].labels is None
    assert field(ntm_trace, "weightings").axes == ("head", "row")
    assert ntm_trace.fields["weightings"].shape == (7, 3, 7)
    assert set(ntm_trace.initial) == {"memory", "weightings", "reads"}


def test_an_nram_s_trace_is_what_the_machine_does(access_machine, nram_trace):
    example, _ = draw_example(Access(), 4, 5)
    outputs = access_machine(example.inputs, steps=3)
    np.testing.assert_array_equal(nram_trace.fields["memory"], outputs.memory)
    np.testing.assert_array_equal(nram_trace.example["inputs"], example.inputs)
    np.testing.assert_array_equal(nram_trace.example["answer"], example.targets)
    np.testing.assert_allclose(nram_trace.example["stop"], [0, 1, 0], atol=1e-6)
    assert not nram_trace.example["wrong"].any()
    assert nram_trace.header.scores["wrong_cells"] == 0
    assert nram_trace.header.pointers == (0,)
    assert labels(nram_trace, "cell") == ["k", "A0", "A1", "A2", "A3", "end"]
    initial = nram_trace.initial["memory"]
    np.testing.assert_array_equal(initial.argmax(axis=-1), example.inputs)


def test_the_circuit_says_what_may_be_wired_to_what(nram_trace):
    circuit = nram_trace.header.circuit
    assert circuit.registers == 2
    assert [gate.name for gate in circuit.gates] == ["READ", "ONE", "INC", "WRITE"]
    assert [gate.memory for gate in circuit.gates] == ["read", "", "", "write"]
    owners = [(c.gate, c.argument, c.register, c.sources) for c in circuit.choices]
    assert owners == [
        (0, 0, None, 2),
        (2, 0, None, 4),
        (3, 0, None, 5),
        (3, 1, None, 5),
        (None, None, 0, 6),
        (None, None, 1, 6),
    ]
    assert labels(nram_trace, "choice") == ["READ a", "INC a", "WRITE a", "WRITE b", "r1", "r2"]
    assert labels(nram_trace, "source") == ["r1", "r2", "READ", "ONE", "INC", "WRITE"]
    choices = nram_trace.fields["choices"]
    for i, choice in enumerate(circuit.choices):
        np.testing.assert_allclose(choices[:, i, : choice.sources].sum(axis=1), 1, atol=1e-6)
        assert not choices[:, i, choice.sources :].any()


def test_gates_that_come_again_are_told_apart():
    machine = NRAMConfig(registers=2, gates=("READ", "ADD", "READ", "WRITE", "READ")).build(
        key=jax.random.key(0)
    )
    made = trace(machine, MemoryCopy(), 2)
    assert labels(made, "gate") == ["READ", "ADD", "READ 2", "WRITE", "READ 3"]
    assert "READ 2 a" in labels(made, "choice")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_hard_run_is_that_of_the_hard_machine(seed):
    machine = NRAMConfig(
        registers=3, gates=("READ", "ONE", "INC", "ADD", "MIN", "WRITE")
    ).build(key=jax.random.key(seed))
    machine = jax.tree.map(lambda x: 4 * x, machine)
    task = ListK()
    made = trace(machine, task, 3, seed)
    state = hard_state(machine, jnp.asarray(made.example["inputs"]))
    for t in range(task.steps(3)):
        state = hard_step(machine, state)
        np.testing.assert_array_equal(made.hard["registers"][t], state.registers)
        np.testing.assert_array_equal(made.hard["memory"][t], state.memory)
    assert made.header.hard.stopped_after == state.steps
    declared = {field.name: (field.kind, field.over) for field in made.header.hard.fields}
    assert declared["choices"] == ("pointer", "source")
    assert declared["gates"] == ("integer", None)


def test_the_hard_run_repeats_the_step_that_stopped_it(nram_trace):
    assert nram_trace.header.hard.stopped_after == 2
    choices = nram_trace.hard["choices"]
    assert choices[0].tolist() == [1, 0, 0, 2, 0, 2]
    np.testing.assert_array_equal(choices[2], choices[1])


def test_an_input_of_one_s_own_is_answered(access_machine):
    made = trace(access_machine, Access(), inputs=[2, 5, 4, 3, 1, 0])
    assert made.example["answer"].tolist() == [4, 5, 4, 3, 1, 0]
    assert made.header.scores["wrong_cells"] == 0
    assert (made.header.size, made.header.seed) == (None, None)
    assert made.header.title == "NRAM, own input"


def test_an_input_without_an_answer_is_not_scored(ntm):
    made = trace(ntm, COPY, inputs=[[1, 0, 1, 0], [0, 0, 0, 0]])
    assert made.header.scores == {}
    assert not made.example["mask"].any()
    assert made.header.length == 2
    assert np.isfinite(made.fields["memory"]).all()


@pytest.mark.parametrize(
    ("task", "inputs", "message"),
    [
        (COPY, [[1, 0, 1]], "4 channels in each step, not 3"),
        (COPY, [[1, 0, 1, 0], [1]], "rows"),
        (COPY, [1, 2], "rows of numbers"),
        (COPY, [], "rows of numbers"),
        (COPY, [[float("nan")] * 4], "finite"),
        (COPY, [["<script>", "0", "0", "0"]], "rows of numbers"),
        (COPY, {"a": 1}, "rows of numbers"),
        (COPY, [[True, False, True, False]], "rows of numbers"),
        (Access(), [1, 2, 9], "from 0 to 2"),
        (Access(), [1, 2, -1], "from 0 to 2"),
        (Access(), [1.5, 1.0, 0.0], "integers"),
        (Access(), [1, 2], "at least 3 cells"),
        (Access(), [10**30, 1, 2], "integers"),
        (Access(), list(range(20_000)), "longer than 2,000"),
        (Access(), "abc", "integers"),
        (Access(), None, "give one of them"),
    ],
)
def test_inputs_that_are_none_are_refused(ntm, access_machine, task, inputs, message):
    machine = ntm if isinstance(task, Copy) else access_machine
    with pytest.raises(TraceError, match=message):
        trace(machine, task, inputs=inputs)


@pytest.mark.parametrize(
    "cells",
    [
        [3, 1, 2, 0],  # a line of the file
        [1, 2, 1, 2, 1, 0, 0, 0, 0, 0],
        [3, 1, 2, *[0] * 30],  # far more cells than any example
        [2, 9, 0],  # numbers that need room
    ],
    ids=str,
)
def test_a_machine_from_examples_runs_a_person_s_own_list(
    doubling_machine, doubling_task, cells
):
    """And leaves what its program gives."""
    program = extract(doubling_machine, doubling_task)
    run = load_python(python_code(program, "It doubles.", []))
    made = trace(doubling_machine, doubling_task, inputs=cells)
    assert made.example["inputs"][: len(cells)].tolist() == cells
    assert run(cells) == [2 * cell for cell in cells]
    assert made.example["answer"][: len(cells)].tolist() == run(cells)
    last = made.fields["memory"][-1].argmax(axis=-1)
    assert last[: len(cells)].tolist() == run(cells)
    assert made.header.length == cells.index(0) + 1


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([3, -1, 0], "negative"),
        ([0.5, 0], "integer"),
        ([10**15, 0], "numbers below 2,000"),
        ([1500, 0], "need 3,001 cells"),
    ],
)
def test_lists_that_examples_could_not_be_are_refused(
    doubling_machine, doubling_task, inputs, message
):
    with pytest.raises(TraceError, match=message):
        trace(doubling_machine, doubling_task, inputs=inputs)


def test_a_size_that_the_examples_do_not_have_is_refused(doubling_machine):
    lines = [f'{{"input": [{i}, 1, 0], "output": [1, 1, 0]}}' for i in (1, 2)]
    task = Given(examples="\n".join(lines))
    with pytest.raises(TraceError, match="no training example of size 2 or smaller"):
        trace(doubling_machine, task, 2)


def test_what_is_not_wanted_any_more_ends(ntm):
    answers = iter([True, False])
    with pytest.raises(TraceError, match="no longer wanted"):
        trace(ntm, COPY, 2, wanted=lambda: next(answers))


def test_a_size_that_the_task_does_not_have_is_refused(ntm):
    with pytest.raises(TraceError, match="at least 1, not 0"):
        trace(ntm, COPY, 0)


def test_a_machine_that_broke_down_can_be_traced(ntm):
    broken = jax.tree.map(lambda x: x * float("nan"), ntm)
    made = trace(broken, COPY, 2)
    assert made.header.scores["bits"] is None
    assert np.isnan(made.example["outputs"]).all()
    assert made.to_bytes()


def test_scores_are_in_natural_order_and_none_is_of_nothing():
    """In six images no class has ten; the ratio would be 0, and look like a failure."""
    task = Episodes(
        source=Glyphs(train_classes=4, test_classes=2, drawings=3), side=4, per_class=3, names=2
    )
    machine = NTMConfig(memory_rows=4, memory_columns=3).build(18, 2, key=jax.random.key(0))
    made = trace(machine, task, 2, 0)
    names = list(trace_from_bytes(made.to_bytes()).header.scores)
    targets = made.example["targets"].argmax(axis=1)
    most = max(np.bincount(targets))
    instances = [f"instance_{number}" for number in range(1, most + 1)]
    assert names == ["accuracy", "bits", *instances, "perfect", "wrong_symbols"]
    assert sorted(made.header.shares) == sorted(["accuracy", *instances, "perfect"])


def test_a_trace_of_regression_shows_what_was_said_of_each_value():
    task = GPRegression(dimensions=2)
    config = RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=3))
    machine = config.build(3, 2, key=jax.random.key(0))
    made = trace_from_bytes(trace(machine, task, 4, 0).to_bytes())
    example, _ = draw_example(task, 4, 0)
    outputs = np.asarray(machine(example.inputs))
    deviations = np.exp(5 * np.tanh(outputs[:, 1] / 10))
    np.testing.assert_allclose(made.example["outputs"][:, 0], outputs[:, 0], rtol=1e-5)
    np.testing.assert_allclose(made.example["outputs"][:, 1], deviations, rtol=1e-5)
    np.testing.assert_array_equal(made.example["inputs"], example.inputs)
    np.testing.assert_array_equal(made.example["targets"][:, 0], example.targets)
    away = np.abs(example.targets - outputs[:, 0]) / deviations
    np.testing.assert_array_equal(made.example["wrong"][:, 0], away > 1.96)
    assert labels(made, "input channel") == ["x1", "x2", "value before"]
    assert labels(made, "output channel") == ["mean", "standard deviation"]
    scores = made.header.scores
    # Of four points, none is the fifth.
    assert {"gap", "gap_1", "gap_2", "gap_last"} < scores.keys()
    assert "gap_5" not in scores
    assert scores["excess_bits"] == pytest.approx(4 * scores["gap"] / np.log(2), rel=1e-5)
