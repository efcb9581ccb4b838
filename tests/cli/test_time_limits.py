"""``--minutes`` is kept whatever is being done, and what was under way is begun anew later.

No test measures time: clocks are counters, and what would end the process says so instead.
"""

import itertools
import json
import os
import threading
import time

import pytest

from softmachine.cli import beginning, loop_search, waiting
from softmachine.cli.searching import SearchState
from softmachine.core.time_limit import TimeIsOverError, TimeLimit
from softmachine.programs import running
from softmachine.programs.build import build_program
from softmachine.programs.extraction import nram_transitions
from softmachine.programs.languages.python import python_code
from softmachine.programs.running import load_python
from softmachine.synthesis import whole
from softmachine.synthesis.search.attempts import Attempt, Options, plan
from softmachine.synthesis.search.loops import Loop
from softmachine.synthesis.search.search import Totals
from softmachine.synthesis.taking import take
from softmachine.tasks.memories.given import Given
from softmachine.tasks.steps import StepRule
from softmachine.training import trainer
from softmachine.training.trainer import train_members
from softmachine.zoo.models import open_model

PAIRS = [([3, 1, 2], 3), ([1, 5], 1), ([4, 4, 7, 1], 4), ([2], 2)]
ENDLESS = """
def run(cells):
    if cells[0] == 0:
        return cells
    while True:
        cells[0] += 1
"""


def looks(number):
    """A limit that is over at so many looks at the time."""
    clock = itertools.count(1)
    return TimeLimit(number, lambda: next(clock)), clock


@pytest.fixture
def ended(monkeypatch):
    """What would be said as the process is ended, and an event then."""
    said, event = [], threading.Event()

    def end(status, last):
        said.append((status, last))
        event.set()

    monkeypatch.setattr(waiting, "_end", end)
    return said, event


def test_what_nothing_interrupts_is_ended_by_another_thread(ended, monkeypatch):
    said, event = ended
    monkeypatch.setattr(waiting, "OVERTIME", 0.0)
    with (
        waiting.working("searching"),
        waiting.working("compiling"),
        waiting.ended_by(time.monotonic(), "Go on."),
    ):
        assert event.wait(120)
    assert said == [(1, "The time was over while compiling. Go on.")]


def test_what_is_over_in_time_is_not_ended(ended):
    said, _ = ended
    for end in (time.monotonic() + 3_600, 1e18):
        with waiting.ended_by(end, "Go on."):
            pass
    [*watching] = [x for x in threading.enumerate() if x.name == "time limit"]
    for thread in watching:
        thread.join(120)
        assert not thread.is_alive()
    assert said == []


def test_a_command_begins_with_its_process(tmp_path, monkeypatch):
    stat = tmp_path / "stat"
    ticks = os.sysconf("SC_CLK_TCK")
    stat.write_text(f"7 (a name) of) S {' '.join(map(str, range(18)))} {95 * ticks} 1 2")
    monkeypatch.setattr(beginning.time, "clock_gettime", lambda _: 100.0)
    assert beginning.process_age(stat) == 5.0
    assert beginning.process_age(tmp_path / "none") == 0.0
    monkeypatch.setattr(beginning, "process_age", lambda: 5.0)
    monkeypatch.setattr(beginning.time, "monotonic", lambda: 1_000.0)
    beginning.note_beginning(process=True)
    assert beginning.beginning() == 995.0
    beginning.note_beginning(process=False)
    assert beginning.beginning() == 1_000.0


def test_a_loop_that_does_not_end_is_a_mistake_of_its_program(monkeypatch):
    monkeypatch.setattr(running, "MOST_TURNS", 9_000)
    run = load_python(ENDLESS)
    assert run([0, 1]) == [0, 1]
    with pytest.raises(RuntimeError, match="it does not end: 9,000 turns"):
        run([1, 2])
    assert run([0, 1]) == [0, 1]


COUNTED = """
def run(memory):
    left = 20
    while left != 0:
        left -= 1  # steps left
    n = 4
    while True:
        left = 20 if n == 4 else left
        n = 3
        left -= 1  # steps left
        if left == 0:
            return memory
"""


def test_a_loop_that_counts_its_steps_down_may_turn_as_often_as_they_are(monkeypatch):
    """Else a program that is right was told to be wrong, from a million steps on."""
    monkeypatch.setattr(running, "MOST_TURNS", 10)
    monkeypatch.setattr(running, "TURNS_A_NUMBER", 1)
    assert load_python(COUNTED)([5, 6]) == [5, 6]
    for old, new in (("left -= 1", "left -= 0"), ("left == 0", "left == 99"), ("!=", ">=")):
        with pytest.raises(RuntimeError, match="it does not end: 10 turns"):
            load_python(COUNTED.replace(old, new))([5, 6])


@pytest.mark.parametrize(
    ("name", "rule", "each"),
    [
        ("nram-increment", StepRule("cell", 1, 1, 0), 0),
        ("nram-copy", StepRule("cell", 1, 1, 0), running.TURNS_A_NUMBER),
        ("nram-reverse", None, running.TURNS_A_NUMBER),
    ],
)
def test_programs_turn_as_often_as_their_memories_want(name, rule, each, monkeypatch):
    """Whatever loops the generator writes: in memories that want more than may be else."""
    model = open_model(name)
    table = nram_transitions(model.machine, model.experiment.task).table
    program = build_program(table, rule or model.experiment.task.step_rule())
    code, size = python_code(program, "", []), 60
    plain = {}
    exec(code, plain)
    memory = [size + 1, *[5] * size, *[0] * (size + 1)]
    monkeypatch.setattr(running, "MOST_TURNS", 20)
    monkeypatch.setattr(running, "TURNS_A_NUMBER", each)
    assert load_python(code)(memory) == plain["run"](memory)


def test_a_program_that_is_run_ends_with_the_time():
    limit, clock = looks(5)
    run = load_python(ENDLESS, limit)
    with pytest.raises(TimeIsOverError):
        run([1, 2])
    assert next(clock) == 6  # it looked every so often, and no more
    with pytest.raises(TimeIsOverError):
        run([0, 1])
    assert not issubclass(TimeIsOverError, Exception)


def found_by(number, loop):
    return Attempt(plan(number, Options()), loop, 0.5 * (loop is None), 10, 100, 0.0)


def attempts(*loops):
    """What stands in for a search: it makes these attempts, as often as it is asked."""

    def search(_batches, _options, totals, _seconds, accept, *_):
        for number in range(totals.attempts, len(loops)):
            one = found_by(number, loops[number])
            totals = totals.after(one)
            if accept(one):
                break
        return totals

    return search


NOTHING = Loop((0, 1, 2), 1, (), (0,))


def test_a_function_that_there_was_no_time_to_test_is_found_again(monkeypatch):
    asked = []

    def make_all(candidates, _given, _told, limit, _tests):
        asked.extend(candidates)
        limit.check()
        return []

    monkeypatch.setattr(whole, "make_all", make_all)
    monkeypatch.setattr(whole, "search", attempts(None, None, NOTHING, None))
    begun = whole.begin(take(PAIRS), whole.Options())
    kept, told = [], []

    def find(limit):
        totals = kept[-1] if kept else Totals()
        whole.find(
            begun, whole.Options(), totals, told=told.append, keep=kept.append, limit=limit
        )

    for _ in range(2):  # the same command again
        find(TimeLimit(0.0, lambda: 0.0))
        assert kept[-1].attempts == 2
        assert told[-1].startswith("the time is over before it is tested")
    find(TimeLimit(1.0, lambda: 0.0))
    assert kept[-1].attempts == 4
    assert [candidate.attempt for candidate in asked] == [2, 2, 2]


def test_a_loop_that_there_was_no_time_to_test_is_found_again(monkeypatch, tmp_path):
    lines = [{"input": [a, b], "output": [a + b, b]} for a in (1, 2) for b in (1, 2, 3)]
    task = Given(examples="\n".join(map(json.dumps, lines)))
    late = []

    def write(_task, attempt, limit):
        assert limit.end == 3_600.0
        if not late:
            late.append(attempt.plan.number)
            raise TimeIsOverError

    monkeypatch.setattr(loop_search, "write", write)
    monkeypatch.setattr(loop_search, "search", attempts(None, NOTHING, None, None))
    for expected in (1, 4):
        limit = TimeLimit(3_600.0, lambda: 0.0)
        outcome = loop_search.search_loops(
            tmp_path, task, 0, 2, ("ZERO", "READ", "WRITE"), 0.0, limit
        )
        assert outcome.program is None
        assert SearchState(tmp_path).totals.attempts == expected
    assert late == [1]


def test_training_ends_before_updates_that_would_take_too_long(
    experiment, with_training, tmp_path, monkeypatch
):
    """Each stretch up to a validation takes ten seconds here; there are 35."""
    experiment = with_training(experiment)
    now = [0.0]
    scores = trainer._Loop._scores

    def slow(self, states):
        now[0] += 10.0
        return scores(self, states)

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(trainer._Loop, "_scores", slow)
    monkeypatch.setattr(trainer, "time", Clock)
    run = trainer.Run.create(tmp_path / "run", experiment)
    [progress] = train_members([run], seconds=35.0)
    assert now[0] == 30.0
    interval = trainer.validation_interval(experiment)
    assert progress.step == 3 * interval
    assert not progress.finished
    assert run.load_progress().step == progress.step  # a checkpoint, to go on from
