"""Traces of runs of programs, of cores that know all calls by heart."""

import json
import random

import jax.numpy as jnp
import pytest

from softmachine.core.errors import TraceError
from softmachine.running.interpreter import Interpreter
from softmachine.tasks.traced import tracing
from softmachine.tasks.traced.task import TracedProblems
from softmachine.tasks.traced.tasks import (
    Addition,
    BubbleSort,
    QuickSort,
    Several,
    TopologicalSort,
)
from softmachine.traces import calling
from softmachine.traces.calling import trace_calls
from softmachine.traces.file import Trace, trace_from_bytes
from softmachine.traces.schema import header_from_json, header_to_json

from ..running.test_interpreter import Always

SORT = QuickSort()


@pytest.fixture(scope="module")
def interpreter(by_heart):
    return Interpreter(by_heart(SORT.held_out()), SORT.interface)


@pytest.fixture(scope="module")
def made(interpreter):
    return trace_calls(interpreter, SORT, problem="3 1 2", source="it")


def told(vocabulary, key):
    program, *arguments = key
    return str(vocabulary.decode(program, arguments)) if program else "NOP"


def test_a_run_by_heart_is_the_trace_as_written(made):
    run, environment = made.header.calls, SORT.pose(((3, 1, 2),))
    written = tracing.trace(environment)
    calls = environment.vocabulary
    # The tree: a call is indented below its caller, unless it takes its place.
    steps = list(written.steps())
    assert len(run.steps) == made.header.length == len(steps) == written.counts[1]
    for ours, (depth, call, number) in zip(run.steps, steps, strict=True):
        end, *key = call.decisions[number]
        assert (ours.depth, ours.seen) == (depth, call.observations[number])
        assert run.told(ours.call) == str(call.call)
        assert (ours.ends, run.told(ours.calls)) == (end == 1, told(calls, key))
        # A core by heart says +5 of what it decides and -5 of all else.
        assert ours.end == pytest.approx(0.9933 if end else 0.0067)
        assert [likely[0][0] for likely in ours.likely] == list(ours.calls)
    assert run.right
    assert (run.result, run.expected, run.failure, run.differs) == (
        "1 2 3",
        "1 2 3",
        None,
        None,
    )
    assert run.ending == f"Ended after {len(steps)} steps with the right result: 1 2 3."


def test_pictures_are_those_of_the_environment(made):
    """Followed by doing the primitives of the steps, one after the other."""
    run, environment = made.header.calls, SORT.pose(((3, 1, 2),))
    pictures = list(run.pictures())
    assert len(pictures) == len(run.steps) + 1
    for step, rows in zip([*run.steps, None], pictures, strict=True):
        seen = environment.picture().rows
        assert rows == [(row.name, list(row.cells), dict(row.pointers)) for row in seen]
        if step and run.primitives[step.calls[0]]:
            program, *arguments = step.calls
            places = len(environment.vocabulary.arguments)
            environment.perform(program, (*arguments, *[-1] * (places - len(arguments))))
    assert environment.right()


def test_the_file_holds_the_run(made):
    again = trace_from_bytes(made.to_bytes())
    assert again.header == made.header
    assert again.arrays == {}
    assert header_to_json(again.header) == header_to_json(made.header)
    # Small: cells are kept where they change.
    cells = sum(len(c.cells) for step in made.header.calls.steps[1:] for c in step.changes)
    assert cells < len(made.header.calls.steps)


def changed(header, **fields):
    return json.dumps(json.loads(header_to_json(header)) | fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["steps"].pop(), "must have"),
        (lambda c: c["steps"][3].update(depth=9), "deeper than its caller"),
        (lambda c: c["steps"][3]["calls"].__setitem__(0, 99), "in none of the tables"),
        (lambda c: c["steps"][3]["seen"].pop(), "in none of the tables"),
        (lambda c: c["steps"][3]["likely"][0].clear(), "in none of the tables"),
        (lambda c: c["steps"][0]["changes"][0].update(row=7), "row that is not there"),
        (lambda c: c["steps"][0]["changes"][0].update(length=9), "does not fit its cells"),
        (lambda c: c.update(differs=10**6), "differ from what is written"),
        (lambda c: c.update(more=1), "more"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(made, change, message):
    calls = json.loads(header_to_json(made.header))["calls"]
    change(calls)
    with pytest.raises(TraceError, match=message):
        header_from_json(changed(made.header, calls=calls))


def test_a_core_that_fails():
    """Always the same: a primitive that cannot be done."""
    task = Addition()
    core = Always.deciding(task.interface.calls, "PTR", "IN1", "RIGHT")
    run = trace_calls(core, task, problem="1 + 2").header.calls
    assert not run.right
    assert run.failure == "the pointer of IN1 moves off the pad"
    assert run.differs == 1
    assert run.ending == (
        "Stopped at step 1, in ADD: the pointer of IN1 moves off the pad. Step 1 is the first "
        "that the program as written takes otherwise: in ADD it decides ADD1, the machine PTR "
        "IN1 RIGHT. A proof of this task is for every two numbers of the same length without "
        "leading zeros, no others."
    )


def test_a_core_that_is_wrong():
    """It only stops, at once."""
    task = BubbleSort()
    core = Always.deciding(task.interface.calls, "NOP")
    ends = Always(core.logits.at[0].set(5.0))
    header = trace_calls(ends, task, problem="2 1").header
    assert header.scores == {"wrong_answers": 1.0}
    assert header.calls.ending.startswith(
        "Ended after 1 steps with a wrong result: 2 1; right is 1 2. Step 1 is the first"
    )
    assert "the machine stop." in header.calls.ending


def test_a_core_that_goes_on_for_ever_is_not_followed_far():
    task = BubbleSort()
    core = Always.deciding(task.interface.calls, "BUBBLESORT")
    run = trace_calls(core, task, problem="2 1").header.calls
    written = tracing.trace(task.pose(((2, 1),))).counts[1]
    assert len(run.steps) == 2 * written + 100
    assert run.steps[-1].depth == len(run.steps) - 1
    assert f"it has not ended after {len(run.steps)} steps" in run.ending


def test_a_core_that_has_broken_down_is_shown():
    core = Always(jnp.full(SORT.outputs.spec.width, jnp.nan))
    made = trace_calls(core, SORT, problem="2 1")
    assert made.header.calls.steps[0].end == 0
    assert trace_from_bytes(made.to_bytes()).header == made.header


def test_several_kinds_show_their_own_names(by_heart):
    task = Several(tasks=(BubbleSort(), QuickSort()))
    core = by_heart(task.held_out())
    bubble, quick = (trace_calls(core, task, 3, 1, kind=kind) for kind in task.parts)
    assert (bubble.header.calls.kind, bubble.header.task) == ("bubble-sort", "BubbleSort")
    assert quick.header.calls.right
    assert quick.header.calls.told(quick.header.calls.steps[0].call) == "QUICKSORT"
    assert quick.header.calls.observed == tuple(QuickSort().environment.observations)
    assert all(i >= 0 for step in quick.header.calls.steps for i in step.seen)
    assert "quicksort, size 3, seed 1" in quick.header.title
    with pytest.raises(TraceError, match="no problems of the kind 'merge'; there are bubble"):
        trace_calls(core, task, kind="merge")


def test_too_many_steps_are_refused_with_a_size_that_would_do(interpreter, monkeypatch):
    steps = {n: written_steps(n) for n in (1, 2, 3, 4, 5)}
    monkeypatch.setattr(calling, "MOST_STEPS", steps[3])
    assert steps[3] < steps[4]
    with pytest.raises(TraceError, match=f"more than {steps[3]} steps, .* size 3 would do"):
        trace_calls(interpreter, SORT, 4)
    with pytest.raises(TraceError, match="size 3 would do"):
        trace_calls(interpreter, SORT, 10**9)
    assert trace_calls(interpreter, SORT, 3).header.length == steps[3]
    with pytest.raises(TraceError, match="a smaller one would do"):
        trace_calls(interpreter, SORT, problem="9 8 7 6 5 4 3 2 1")
    with pytest.raises(TraceError, match="of size 0 or more"):
        trace_calls(interpreter, SORT, -1)


def written_steps(size):
    problem = SORT.random_problem(size, random.Random(0))
    return tracing.trace(SORT.pose(problem)).counts[1]


@pytest.mark.parametrize(
    ("task", "text", "problem"),
    [
        (Addition(), " 96 + 125 ", ((9, 6), (1, 2, 5))),
        (QuickSort(), "[3, 1 2]", ((3, 1, 2),)),
        (BubbleSort(), "", ((),)),
        (TopologicalSort(), "3: 1-2, 3-1", (3, ((1, 2), (3, 1)))),
        (TopologicalSort(), "2:", (2, ())),
    ],
)
def test_problems_are_read_as_people_write_them(task, text, problem):
    assert task.read_problem(text) == problem
    assert task.read_problem(task.write_problem(problem)) == problem
    for size in (1, 4):
        drawn = task.random_problem(size, random.Random(size))
        assert task.read_problem(task.write_problem(drawn)) == drawn


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        (Addition(), "96", "write two numbers"),
        (Addition(), "9x + 1", "write two numbers"),
        (QuickSort(), "3 -1", "write numbers, such as"),
        (QuickSort(), [3, 1], "a problem is a text"),
        (TopologicalSort(), "1-2", "write the number of vertices"),
        (TopologicalSort(), "30: 1-12-3", "write the number of vertices"),
        (TopologicalSort(), "2: 1-2 2-1", "has a cycle"),
        (TopologicalSort(), "2: 1-3", "that are not 1 to 2"),
    ],
)
def test_what_is_no_problem_is_refused(task, text, message):
    with pytest.raises(TraceError, match=message):
        calling._own(task, text)


def test_a_task_that_says_nothing_of_its_problems_takes_them_as_json():
    class Plain(QuickSort):
        read_problem = TracedProblems.read_problem
        write_problem = TracedProblems.write_problem
        problem_form = TracedProblems.problem_form

    task = Plain()
    assert calling._own(task, "[[3, 1, 2]]")[0] == [[3, 1, 2]]
    for text in ("[", "3", "[3]", '[["x", 1]]', "[[1], [2]]"):
        with pytest.raises(TraceError, match="write what the environment is made with"):
            calling._own(task, text)


def test_a_run_that_is_no_longer_wanted_is_given_up(interpreter):
    with pytest.raises(TraceError, match="no longer wanted"):
        trace_calls(interpreter, SORT, wanted=lambda: False)
    with pytest.raises(TraceError, match="give one"):
        trace_calls(interpreter, SORT, 3, problem="1")
    assert isinstance(trace_calls(interpreter, SORT), Trace)
