"""The exercises of the lessons: right answers pass, wrong ones are told what is wrong."""

import importlib
import json
import re
import resource
from pathlib import Path

import numpy as np
import pytest

from softmachine.cli.lessons import LESSONS
from softmachine.cli.main import main
from softmachine.lessons import addressing, lengths, pointers, proofs
from softmachine.lessons.lesson import check

SOLUTIONS = Path(__file__).parent / "solutions.py"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Types are checked in tests: everything takes ten times as long."""
    monkeypatch.setattr(pointers, "PROBLEMS", 6)
    monkeypatch.setattr(pointers, "ENOUGH", 6)
    monkeypatch.setattr(lengths, "LARGEST", 20_000)


def lesson(number):
    return importlib.import_module(f"softmachine.lessons.{LESSONS[number - 1]}").LESSON


def told(one, path, text):
    """Return what is wrong with each function of a file."""
    path.write_text(text)
    return {answer.function: answer.wrong for answer in check(one, path)}


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_right_answers_are_right(number, tmp_path):
    found = told(lesson(number), tmp_path / "lesson.py", SOLUTIONS.read_text())
    assert set(found.values()) == {None}, found


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_file_to_begin_with_has_all_functions_and_none_is_written(number, tmp_path):
    one = lesson(number)
    found = told(one, tmp_path / "lesson.py", one.start)
    assert found == dict.fromkeys(one.checks, "not written yet")


def test_the_hint_of_lesson_1_fails_only_after_some_steps():
    page = (Path(__file__).parents[2] / "docs" / "lessons" / "1-addressing.md").read_text()
    shift = json.loads(re.search(r"a little blurred, `(.*?)`", page)[1])
    told = dict(key=np.zeros(8), strength=0, gate=0, shift=shift, sharpening=1)
    assert "after step 8, row 8 has 0.897" in addressing._walk(lambda _: told)


BEFORE = """
import numpy as np
from softmachine.lessons.pointers import descend

def told(strength, gate, shift, sharpening, key=np.ones(8)):
    return dict(key=key, strength=strength, gate=gate, shift=shift, sharpening=sharpening)
"""
WRONG = [
    (1, "content_weighting", "return memory @ key", "at strength 0 row"),
    (1, "walk", "return told(0, 0, [0, 0, 1], .5)", "sharpening at least 1"),
    (1, "walk", "return told(9, 1, [0, 0, 1], 9)", "after step 1, row 1 has"),
    (1, "walk", "return told(0, 0, [.1, 0, .9], 1)", "of the weight"),
    (1, "after", "return told(50, 1, [0, 1, 0], 5, key)", "of row 0; row 1 has"),
    (2, "learn", "return [0] * problem.steps", "0 of 6 problems are solved"),
    (2, "learn", "return [9] * problem.steps", "not 6 numbers below 6"),
    (2, "learn", "return descend(problem, rng).argmax(axis=1)", "4 of 6 problems are solved"),
    (3, "counterexample", "return [1], [2]", "is right"),
    (3, "situations", "return [(a, b, 0) for a in range(10) for b in range(10)]",
     "100 situations are left out, such as (0, 0, 1)"),
    (3, "mistakes", "return []", "with 1 mistakes it finds 0"),
    (4, "steps_until_half", "return int(-0.693 / np.log(kept))", "of 0.5 it says 0; it is 2"),
    (4, "sharpening", "return 1.0", "in the end"),
    (4, "sharpening", "return 20.0", "much smaller"),
    (4, "reverse", "return memory", "cell 2 is 0"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "function", "body", "said"), WRONG)
def test_wrong_answers_are_told_what_is_wrong(number, function, body, said, tmp_path):
    one = lesson(number)
    text = one.start + BEFORE
    signature = next(x for x in one.start.splitlines() if x.startswith(f"def {function}("))
    found = told(one, tmp_path / "lesson.py", f"{text}\n{signature}\n    {body}\n")
    assert said in found[function]


def test_gradients_that_are_asked_for_are_counted():
    problem = pointers.Problem(0)
    logits = np.zeros((problem.steps, problem.choices))
    problem.asked = pointers.MOST
    with pytest.raises(RuntimeError, match="20,000 gradients"):
        problem.gradient(logits)


def test_gradients_of_choices_are_those_of_finite_differences():
    problem, rng = pointers.Problem(3, 3), np.random.default_rng(0)
    logits, way = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    slope = (problem.loss(logits + 0.01 * way) - problem.loss(logits - 0.01 * way)) / 0.02
    assert slope == pytest.approx(np.sum(problem.gradient(logits) * way), rel=2e-3)


def test_the_careless_sum_passes_tests():
    rng = np.random.default_rng(0)
    for _ in range(100):
        a, b = rng.integers(0, 10, (2, 40)).tolist()
        number = sum(x * 10**i for i, x in enumerate(a)) + sum(
            x * 10**i for i, x in enumerate(b)
        )
        assert proofs.careless_sum(a, b) == [int(x) for x in str(number).zfill(40)[::-1]]


def test_what_is_left_of_a_weighting_settles():
    """With one row on each side, in closed form: w = 1 - 2v stays as it is."""
    assert lengths.weight_left(0.0, 1.0) == pytest.approx(1)
    assert lengths.weight_left(0.2, 1.0) < 0.05
    assert lengths.weight_left(0.05, lengths.smallest_sharpening(0.05)) >= 0.9


def test_a_head_that_is_told_nonsense():
    told_head = {"key": np.ones(8), "strength": 1, "gate": 2, "sharpening": 1}
    told_head |= {"shift": [0, 1, 0]}
    memory, previous = np.ones((16, 8)), np.eye(16)[0]
    assert "a gate is 0 to 1" in addressing.attend(memory, previous, told_head)[1]
    assert "shift" in addressing.attend(memory, previous, told_head | {"shift": [1, 1, 1]})[1]
    assert "shape" in addressing.attend(memory, previous, told_head | {"key": [1]})[1]
    assert "not a dict" in addressing.attend(memory, previous, {})[1]


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["lesson", "start", "3"])
    with pytest.raises(SystemExit):
        main(["lesson", "start", "3"])
    with pytest.raises(SystemExit):
        main(["lesson", "check", "3"])
    assert "0 of 3 right" in capsys.readouterr().err
    Path("lesson3.py").write_text(SOLUTIONS.read_text())
    main(["lesson", "check", "3"])
    assert capsys.readouterr().out.endswith("All 3 right.\n")


def test_where_nothing_can_be_written_nothing_is_left(tmp_path, monkeypatch, capsys):
    """A file that was begun on a full disk would be in the way of the next command."""
    monkeypatch.chdir(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(SystemExit):
            main(["lesson", "start", "1"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot write to lesson1.py: File too large" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    main(["lesson", "start", "1"])
    assert Path("lesson1.py").read_text() == lesson(1).start


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "5"], "there is no lesson 5: they are 1 to 4"),
        (["check", "2"], "'softmachine lesson start 2' writes it"),
        (["check", "1", "broken.py"], "broken.py does not run: line 2: SyntaxError"),
        (["check", "1", "."], "cannot be read"),
    ],
)
def test_errors_are_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("x = 1\ndef (\n")
    with pytest.raises(SystemExit) as stop:
        main(["lesson", *arguments])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_errors_in_a_function_have_their_line(tmp_path):
    text = "def counterexample():\n    return 1 / 0\n"
    found = told(lesson(3), tmp_path / "lesson.py", text)
    assert found["counterexample"] == "line 2: ZeroDivisionError: division by zero"
    assert found["situations"] == "there is no such function in the file"
