"""Reversed strings against plain Python, and through everything that asks a task."""

import json

import jax
import numpy as np
import pytest

from softmachine.evaluation.example_figures import draw_example_figure
from softmachine.experiments.serialization import task_from_json, task_to_json
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.running.generalization import evaluate
from softmachine.tasks.languages.reverse_string import ReverseString
from softmachine.traces.making import trace

TASK = ReverseString()


@pytest.fixture(scope="module")
def machine():
    config = RecurrentConfig(controller=ControllerConfig(kind="gru", hidden=4))
    return config.build(TASK.input_size, TASK.output_size, key=jax.random.key(0))


def test_an_answer_is_the_string_backwards(draw):
    for size, example in zip((1, 2, 5, 6), draw(TASK, (1, 2, 5, 6), 6), strict=True):
        places = example.inputs[: 2 * size].argmax(axis=1).tolist()
        assert places[size:] == [2] * size
        assert example.targets[size : 2 * size].tolist() == places[:size][::-1]
        assert example.mask.tolist() == [0] * size + [1] * size + [0] * (12 - 2 * size)
        assert not example.inputs[2 * size :].any()
        assert int(example.steps) == 2 * size


def test_the_golden_value_of_the_paper_s_code():
    """With and without its blanks."""
    for text in ("011010", "011010......"):
        example = TASK.own_example(text, 100)
        assert "".join(map(str, example.targets[6:].tolist())) == "010110"


@pytest.mark.parametrize("text", ["01.", "0.1", "....", "01...", "0..0"])
def test_another_layout_has_no_answer(text):
    assert not TASK.own_example(text, 100).mask.any()


def test_scores_have_the_accuracy_over_positions(machine):
    [score] = evaluate(machine, TASK, [3], sequences=8)
    assert score.metrics.keys() == {"accuracy", "bits", "perfect", "wrong_symbols"} | {
        "blind_accuracy",
        "blind_perfect",
    }
    wrong = score.metrics["wrong_symbols"]
    assert score.metrics["accuracy"] == pytest.approx(1 - wrong / 3)
    assert TASK.worst_errors([3, 7]) == [3, 7]


def test_a_trace_of_a_person_s_own_string(machine):
    made = trace(machine, TASK, inputs="0110")
    assert made.header.length == 8
    assert list(made.header.axes["input channel"].labels) == ["0", "1", "blank"]
    assert made.example["inputs"].argmax(axis=1).tolist() == [0, 1, 1, 0, 2, 2, 2, 2]
    assert made.example["targets"].argmax(axis=1)[4:].tolist() == [0, 1, 1, 0]
    assert made.header.scores["wrong_symbols"] == np.sum(made.example["wrong"]) / 2


def test_it_can_be_drawn_and_saved(machine):
    figure = draw_example_figure(machine, TASK, 3, 0)
    assert "of 3" in figure.get_suptitle()
    assert task_from_json(json.loads(json.dumps(task_to_json(TASK))), "it") == TASK
