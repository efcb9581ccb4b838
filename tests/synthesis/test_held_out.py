"""Programs from given examples: what they say of themselves is what running them shows."""

import dataclasses
import doctest
import itertools
import json
import types

import pytest

from softmachine.programs.languages.python import python_code
from softmachine.programs.running import c_compiler, load_c, load_python
from softmachine.synthesis.held_out import (
    SUMMARY,
    Mistake,
    check_lines,
    describe,
    write_program,
)
from softmachine.synthesis.search.attempts import Options, Variant
from softmachine.synthesis.search.given import as_batch, make, variants, write
from softmachine.synthesis.search.search import Totals, search
from softmachine.synthesis.verify_lines import verify_lines
from softmachine.tasks.memories.given import Given
from softmachine.tasks.steps import StepRule

needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="there is no C compiler")


def doublings():
    """Lines as a person writes them: results are larger than all that goes in."""
    arrays = [
        [1 + (3 * i + j * j) % 6 for j in range(size)] for size in (1, 2, 3) for i in range(5)
    ]
    arrays += [[21, *range(1, 20)], [9] * 12]
    return [
        {
            "input": [*array, 0],
            "output": [*(2 * x for x in array), 0],
            "mask": [1] * len(array) + [0],
            "size": len(array),
        }
        for array in arrays
    ]


@pytest.fixture(scope="module")
def lines():
    return doublings()


@pytest.fixture(scope="module")
def task(lines):
    return Given(examples="\n".join(map(json.dumps, lines)))


@pytest.fixture(scope="module")
def found(task, doubling_machine):
    return write_program(doubling_machine, task, "somebody")


def test_it_takes_every_line_as_it_stands(found, lines):
    run = load_python(found.code)
    for line in lines:
        answer = run(line["input"])
        assert len(answer) == len(line["input"])
        cells = zip(answer, line["output"], line["mask"], strict=True)
        assert all(value == wanted for value, wanted, counts in cells if counts)
    assert run([3, 1, 2, 0])[:3] == [6, 2, 4]


def test_the_figures_are_those_of_all_lines(found, lines, task):
    distinct = len({tuple(line["input"]) for line in lines})
    held_out = len(task.part_examples("test"))
    assert found.report.mistake is None
    assert found.report.trained == (distinct - held_out,) * 2
    assert found.report.held_out == (held_out,) * 2
    assert [row.trained > 0 for row in found.report.sizes] == [True, True, True, False, False]
    text = " ".join(found.code.split())
    assert f"Learned by somebody from {distinct - held_out} examples of sizes 1 to 3" in text
    assert f"right on {held_out} of {held_out} (100 %)" in text


def test_the_call_in_the_docstring_is_true(found, task):
    module = types.ModuleType("program")
    exec(found.code, module.__dict__)
    [test] = [t for t in doctest.DocTestFinder().find(module) if t.examples]
    assert test.name == "program.run"
    # One of the lines, and not of those that were trained on.
    given = json.loads(test.examples[0].source.strip().removeprefix("run(").removesuffix(")"))
    assert tuple(given) in {x.before for x in task.part_examples("test")}
    assert doctest.DocTestRunner(verbose=False).run(test) == (0, 1)


def test_a_program_that_takes_the_list_for_the_whole_memory_is_found_out(found, task, lines):
    """As programs once did: sums modulo the length, so that most lines raise or are wrong."""
    told = describe(found.program._replace(unbounded=False), task, "somebody")
    run = load_python(python_code(found.program._replace(unbounded=False), SUMMARY, []))
    right = 0
    for line in {json.dumps(line): line for line in lines}.values():
        try:
            answer = run(line["input"])
        except ValueError:
            continue
        right += answer[: line["size"]] == line["output"][: line["size"]]
    assert told.report.right == right < 5
    assert told.report.mistake is not None
    assert "(100 %)" not in told.notes[0]


@needs_compiler
def test_its_c_does_the_same_and_says_what_became_of_the_c(found, task, lines, tmp_path):
    text = found.in_c(task)
    native = load_c(text, tmp_path)
    for line in lines:
        assert native(line["input"])[: line["size"]] == line["output"][: line["size"]]
    assert "(100 %)." in text
    assert "run in Python" not in text


def test_what_is_not_run_as_written_says_so(found, task, monkeypatch):
    assert "(run in Python)" in describe(found.program, task, "somebody", to="json").notes[0]
    monkeypatch.setattr("softmachine.synthesis.held_out.load_c", lambda *_: None)
    assert "(run in Python)" in describe(found.program, task, "somebody", to="c").notes[0]


def test_verify_compares_with_lines_machine_and_c(found, task, doubling_machine):
    report = verify_lines(doubling_machine, task, found.program, count=50)
    assert report.passed, str(report)
    tested = [check for check in report.checks if check.how == "tested"]
    assert sum(check.inputs for check in tested[:2]) == found.report.right
    assert any("hard machine" in check.what and check.inputs > 50 for check in tested)
    # One step fewer: the last element of each line stays as it is.
    fewer = found.program._replace(steps=StepRule("array", 1, -1))
    report = verify_lines(doubling_machine, task, fewer, count=50)
    wrong = [check.what for check in report.checks if check.counterexample is not None]
    assert any("trained on" in what for what in wrong)
    assert any("held out" in what for what in wrong)
    assert any("hard machine" in what for what in wrong)


def test_verify_knows_a_program_that_is_not_the_machines(found, task, access_machine):
    report = verify_lines(access_machine, task, found.program, count=50)
    wrong = [check.what for check in report.checks if check.counterexample is not None]
    assert len(wrong) == 1
    assert "hard machine" in wrong[0]


def test_mistakes_are_counted_where_they_are(task):
    known = {x.before: list(x.after) for x in task.part_examples("training")}

    def run(cells):
        if len(cells) == 2:
            raise ValueError("not of one cell")
        return known.get(tuple(cells), cells)

    report = check_lines(task, run)
    of_one = sum(x.size == 1 for x in task.part_examples("training"))
    assert of_one > 0
    assert report.trained == (len(known) - of_one, len(known))
    assert report.held_out == (0, len(task.part_examples("test")))
    assert report.mistake is not None
    assert report.mistake.answer == "ValueError: not of one cell"
    assert "line " in str(report.mistake)
    assert check_lines(task, lambda cells: cells[:-1]).right == 0


def test_a_mistake_shows_what_matters_alone(task):
    example = task.part_examples("validation")[0]
    shown = str(Mistake(example, [0] * len(example.before)))
    assert f"line {example.line}: {list(example.before)} should become [" in shown
    assert ", .], not [0" in shown


def test_cells_that_are_not_scored_do_not_count():
    lines = [{"input": [i, 1], "output": [i, 5], "mask": [1, 0]} for i in range(5)]
    task = Given(examples="\n".join(map(json.dumps, lines)))
    assert check_lines(task, lambda cells: cells).mistake is None


def test_a_machine_that_ends_by_itself(access_machine):
    """Access: cell 0 shall hold what it points to; the size is in no cell."""
    lines = [
        {
            "input": [1 + i % size, *[(i * j) % 5 + 1 for j in range(1, size + 1)], 0],
            "size": size,
        }
        for size in (2, 3, 20)
        for i in range(10)
    ]
    for line in lines:
        line["output"] = [line["input"][line["input"][0]], *line["input"][1:]]
    task = Given(examples="\n".join(map(json.dumps, lines)))
    found = write_program(access_machine, task, "somebody")
    assert found.report.mistake is None
    assert load_python(found.code)([2, 7, 5, 4]) == [5, 7, 5, 4]
    larger = dataclasses.replace(task, memory=30)
    assert write_program(access_machine, larger, "somebody").report.mistake is None


def sized(*examples):
    """A task whose examples have these inputs and sizes."""
    return Given(
        examples="\n".join(
            json.dumps({"input": before, "output": before, "size": size})
            for before, size in examples
        ),
        steps_per_size=3,
    )


@pytest.mark.parametrize(
    ("examples", "rule"),
    [
        ([([3, 1, 0], 2), ([3, 3, 0], 2)], StepRule("nothing", 0, 7)),
        ([([3, 1, 0], 2), ([3, 2, 0], 2), ([4, 0], 1)], StepRule("array", 3, 1)),
        ([([0, 3, 1], 2), ([0, 1, 3], 2), ([0, 4], 1)], StepRule("array", 3, 1, 1)),
        ([([3, 0, 2], 2), ([3, 0, 1], 2), ([2, 0], 1)], StepRule("cell", 3, -2)),
        ([([3, 1, 2], 3), ([3, 2, 1], 3), ([3, 1, 0, 0], 4)], StepRule("length", 3, 1)),
    ],
)
def test_the_size_is_found_in_the_memory(examples, rule):
    task = sized(*examples)
    assert task.step_rule() == rule
    for before, size in examples:
        assert rule.steps(before) == task.steps(size)


def doubled(cells, steps):
    """Double as many cells as there are steps."""
    return [2 * cell if i < steps else cell for i, cell in enumerate(cells)]


def test_zeros_behind_a_list_must_not_matter_where_lengths_vary():
    lines = []
    for size, spare in itertools.product((2, 3, 4), range(3)):
        for first in (1, 2):
            before = [(i + first) % 2 * (i + 1) for i in range(size)] + [0] * spare
            after, mask = doubled(before, size), [1] * size + [0] * spare
            line = {"input": before, "output": after, "mask": mask, "size": size}
            lines.append(json.dumps(line))
    task = Given(examples="\n".join(lines), memory=8)
    assert task.zeros_may_follow
    assert check_lines(task, lambda cells: doubled(cells, len(cells))).mistake is None

    def few(cells):
        # Right in memories such as those of the lines, and of no others.
        return doubled(cells, len(cells) if len(cells) <= 6 else 0)

    report = check_lines(task, few)
    assert report.mistake is not None
    example = report.mistake.example
    assert len(example.before) > 6
    assert not any(example.scored[len(example.before) // 2 :])
    # If a list is as long as its size says, what is behind it is not known.
    plain = "\n".join(lines[::6] + lines[1::6])
    assert not Given(examples=plain, memory=8).zeros_may_follow


def test_five_examples_are_all_searched_on_and_none_counts_as_held_out():
    """The larger of two numbers: four of them are right if the second one is taken."""
    pairs = [(1, 4), (1, 7), (0, 6), (6, 9), (12, 7)]
    text = "\n".join(
        json.dumps({"input": [a, b], "output": [max(a, b), b], "mask": [1, 0], "size": 2})
        for a, b in pairs
    )
    task = Given(examples=text)
    [own] = variants(task)
    assert len(task.part_examples("validation")) == 1
    attempts = []
    search(
        [as_batch(own, 0)], Options(variants=(Variant(fixed=True),)), Totals(), 60.0,
        lambda attempt: attempt.loop is not None and not attempts.append(attempt),
        lambda _: None, lambda: False,
    )  # fmt: skip
    program = write(task, attempts[0])
    assert program.report.trained == (5, 5)
    assert program.report.held_out == (0, 0)
    assert "These were so few that none was held out." in " ".join(program.code.split())
    run = load_python(program.code)
    assert [run([a, b])[0] for a, b in [(3, 2), (2, 3), (40, 2)]] == [3, 3, 40]
    checks = verify_lines(make(task, attempts[0]).machine, own, program.program).checks
    assert all(check.inputs for check in checks if check.how != "skipped")
