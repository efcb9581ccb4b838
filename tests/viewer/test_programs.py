"""Programs that the live viewer runs."""

import dataclasses

import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.evaluation.report import Subject, example_traces
from softmachine.machines.npi import NPI, npi_for
from softmachine.programs.notes import Provenance
from softmachine.recipes import get_recipe
from softmachine.tasks.traced.tasks import BubbleSort, QuickSort, Several
from softmachine.traces.file import trace_from_bytes
from softmachine.viewer.machines import Served
from softmachine.viewer.programs import ServedPrograms, served

TASK = Several(tasks=(BubbleSort(), QuickSort()))


@pytest.fixture(scope="module")
def experiment():
    machine = dataclasses.replace(npi_for(TASK.interface.calls), hidden=4, observation=4)
    return dataclasses.replace(get_recipe("npi-several"), task=TASK, machine=machine)


@pytest.fixture(scope="module")
def programs(experiment):
    first, later = (experiment.build_machine(attempt) for attempt in (0, 1))
    return served(
        "it", experiment, {"1": ("after 1", lambda: first), "best": ("best", lambda: later)}
    )


def test_kinds_and_sizes_are_those_of_the_problems(programs):
    told = programs.describe(3)
    assert told["input"] == "problem"
    assert (told["smallest"], told["size"], told["machine"]) == (1, 6, "NPI")
    assert told["kinds"] == [
        {"id": "bubble-sort", "form": "numbers, such as 3 1 2"},
        {"id": "quicksort", "form": "numbers, such as 3 1 2"},
    ]
    assert [x["id"] for x in told["checkpoints"]] == ["1", "best"]


def test_drawn_and_own_problems_are_run(programs):
    drawn = trace_from_bytes(programs.drawn(None, 3, 5, kind="quicksort")).header
    assert (drawn.calls.kind, drawn.size, drawn.seed) == ("quicksort", 3, 5)
    assert drawn.title == "it, quicksort, size 3, seed 5"
    own = trace_from_bytes(programs.own("1", drawn.calls.problem, kind="bubble-sort")).header
    assert (own.calls.kind, own.calls.problem, own.size) == (
        "bubble-sort",
        drawn.calls.problem,
        None,
    )
    assert own.calls.expected == " ".join(sorted(drawn.calls.problem.split()))
    # Another checkpoint is another core.
    other = trace_from_bytes(programs.own("best", drawn.calls.problem)).header
    assert other.calls.steps[0].end != own.calls.steps[0].end


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda p: p.drawn(None, 3, 0, kind="merge"), "no problems of the kind 'merge'"),
        (lambda p: p.drawn("none", 3, 0), "there is no checkpoint 'none'"),
        (lambda p: p.drawn(None, 10_000, 0), "size .* would do"),
        (lambda p: p.own(None, [1, 2]), "a problem is a text"),
        (lambda p: p.own(None, "one"), "write numbers, such as 3 1 2"),
    ],
)
def test_what_cannot_be_run_is_refused(programs, ask, message):
    with pytest.raises(SoftmachineError, match=message):
        ask(programs)


def test_other_machines_have_no_kinds(experiment):
    plain = Served("it", experiment, {"best": ("best", experiment.build_machine)})
    with pytest.raises(SoftmachineError, match="it has one kind of inputs, and no 'quicksort'"):
        plain.drawn(None, None, 0, kind="quicksort")
    assert isinstance(served("it", experiment, {}), ServedPrograms)


def test_a_report_shows_a_run_of_each_kind(experiment):
    machine = experiment.build_machine()
    assert isinstance(machine, NPI)
    provenance = Provenance("runs/it", "it", None, None)
    subject = Subject("it", experiment, machine, [], None, {}, provenance, [])
    traces, notes = example_traces(subject, [], seed=2)
    assert [made.header.calls.kind for made in traces] == ["bubble-sort", "quicksort"]
    assert [made.header.seed for made in traces] == [2, 2]
    assert all("tep" in note for note in notes)
