"""Programs found by changing a core's own: runs on integers, the search, what is learned."""

import dataclasses
import random

import jax
import numpy as np
import pytest

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_from_json, experiment_to_json
from softmachine.machines.npi_ram import NPIRAMConfig
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.recipes.registry import get_recipe
from softmachine.tasks.memories.arrays import Access, MemoryCopy
from softmachine.tasks.traced import ram
from softmachine.tasks.traced.tracing import distinct_calls, trace
from softmachine.training.member import Member
from softmachine.training.npi_ram.lessons import (
    ExamplesAndLessons,
    Lessons,
    as_examples,
)
from softmachine.training.npi_ram.program_search import Decided, ProgramSearch
from softmachine.training.npi_ram.search import Problem, limit, run, search, share_right

PROGRAMS = ram.Copy.vocabulary.programs
ENVIRONMENTS = (ram.Increment, ram.Copy, ram.Reverse)
NOT_ENDED = np.zeros(1, bool)


def written(environment):
    """Return what a program decides, by all calls that can occur; and its number."""
    memories = environment.proving_memories(0)
    calls = distinct_calls(trace(environment(memory)) for memory in memories)
    known = {
        (key[0], seen[: i + 1]): decision
        for (key, seen), decisions in calls.items()
        for i, decision in enumerate(decisions)
    }
    return lambda program, seen: known[program, seen], PROGRAMS.index(environment.main)


def problems(environment, sizes, seed=0):
    rng, found = random.Random(seed), []
    for size in sizes:
        memory = environment.random_memory(size, rng)
        right = environment(memory).expected()
        cells = range(size) if environment is ram.Increment else range(size + 1, 2 * size + 1)
        found.append(Problem(memory, {i: right[i] for i in cells}))
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_runs_are_those_of_the_traced_programs(environment):
    decide, main = written(environment)
    for problem in problems(environment, (1, 2, 5, 9)):
        out = run(decide, main, {}, problem, 5, limit(problem))
        traced = trace(environment(problem.memory))
        assert out.ended
        assert tuple(out.memory) == traced.environment.result()
        assert out.calls == distinct_calls([traced])
        assert share_right(out, problem) == 1


@pytest.mark.parametrize(
    ("edit", "ended"),
    [
        # To end with a fault: the result of a gate goes nowhere, that of WRITE to a register.
        ({("COPY", 0): (0, 0, 0, 5)}, False),
        ({("COPY_LOOP", 2): (13, 1, 3, 0)}, False),
        # Never to end: no register 0 is moved on.
        ({("COPY_LOOP", 4): (4, 0, 0, 4)}, False),
        # What nothing depends on.
        ({("COPY_LOOP", 0): (10, 2, 0, 3)}, True),
    ],
)
def test_edits_are_other_operations_at_their_places(edit, ended):
    decide, main = written(ram.Copy)
    [problem] = problems(ram.Copy, (3,))
    edits = {(PROGRAMS.index(name), step): x for (name, step), x in edit.items()}
    out = run(lambda p, seen: decide_or_end(decide, p, seen), main, edits, problem, 5, 60)
    assert out.ended == ended
    assert (share_right(out, problem) == 1) == ended


def decide_or_end(decide, program, seen):
    """Return what a program decides; it goes on with nothing after what it never sees."""
    try:
        return decide(program, seen)
    except KeyError:
        return (0, 0, -1, -1, -1, -1)


def test_the_share_is_a_mean_of_the_end_and_of_the_best_time():
    decide, main = written(ram.Reverse)
    [problem] = problems(ram.Reverse, (4,))
    cut = run(decide, main, {}, problem, 5, most=6 + 2 * 6)  # two of four are copied
    assert share_right(cut, problem) == 0.5 * 0.5
    spoilt = problem._replace(wanted={**problem.wanted, 0: -1})
    assert share_right(run(decide, main, {}, spoilt, 5, 60), spoilt) == 0.8


def test_a_search_mends_a_program_with_a_wrong_operation():
    decide, main = written(ram.Increment)
    wrong = {(main, 1): (0, 4, 0, 1)}  # to read a cell in place of adding 1

    def broken(program, seen):
        end, called, *rest = decide_or_end(decide, program, seen)
        operation = wrong.get((program, len(seen) - 1), rest) if called == 1 else rest
        return (end, called, *operation)

    given = problems(ram.Increment, (1, 2, 3, 4))
    found = search(broken, main, given, registers=5)
    assert found.share == 1
    assert len(found.edits) == 1
    for problem in problems(ram.Increment, (6, 11), seed=1):
        assert share_right(run(broken, main, {}, problem, 5, limit(problem)), problem) < 1
        out = run(broken, main, found.edits, problem, 5, limit(problem))
        assert share_right(out, problem) == 1
    unsolvable = [given[1]._replace(wanted={0: -1})]
    stopped = search(broken, main, unsolvable, registers=5, stop=lambda: True)
    assert stopped.tried == 256
    assert stopped.share < 1
    whole = search(broken, main, unsolvable, registers=5, depth=1, width=2)
    assert 256 < whole.tried < 5_000


# --- the phases ---------------------------------------------------------------------------


def copied_from_answers(**changes):
    """Return a training in which the guess is right: copy as what it begins as."""
    recipe = get_recipe("npi-ram-transfer")
    training = dataclasses.replace(
        recipe.training,
        phases=(Lessons(), ProgramSearch(updates=1, largest=12)),
        **changes,
    )
    machine = dataclasses.replace(recipe.machine, width=32)
    return dataclasses.replace(recipe, task=MemoryCopy(), machine=machine, training=training)


def test_lessons_are_learned_and_what_was_found_counts_as_solved(tmp_path):
    experiment = copied_from_answers()
    lessons, search_phase = experiment.training.phases
    member = Member(Run.create(tmp_path / "run", experiment))
    member.line = {}
    assert lessons.due(member)
    lessons.apply(member, NOT_ENDED)
    assert not lessons.due(member)
    core, calls = member.machine().core, lessons.calls() | lessons.guessed()
    interface = lessons.interface
    decided = Decided(core, interface)
    for (key, seen), decisions in calls.items():
        steps = range(1, len(seen) + 1)
        assert tuple(decided(key[0], seen[:i]) for i in steps) == decisions

    member.state = member.state._replace(step=jax.numpy.asarray(5, jax.numpy.int32))
    assert search_phase.due(member)
    assert search_phase.apply(member, NOT_ENDED)
    assert member.line["share_found"] == 1
    assert search_phase.verdict(member)
    assert member.line["tested_hard"] == 0


def test_what_is_decided_is_what_the_core_decides():
    lessons = Lessons()
    interface = lessons.interface
    core = get_recipe("npi-ram-transfer").build_machine().core
    core = jax.tree.map(lambda x: 3 * x, core)
    decided, rng = Decided(core, interface), np.random.default_rng(0)
    for program in range(2, 7):
        seen = tuple(map(tuple, rng.integers(0, 2, (6, 5)).tolist()))
        rows = interface.rows("increment", (program, -1, -1, -1, -1), seen)
        logits = core(interface.seen.one_hot(jax.numpy.asarray(rows)))
        wanted = np.asarray(interface.calls.decide(logits)).tolist()
        assert [list(decided(program, seen[: i + 1])) for i in range(6)] == wanted
        assert decided(program, seen * 2) == (0, 0, -1, -1, -1, -1)


def test_guesses_are_the_same_calls_under_other_names():
    lessons = Lessons()
    names = lessons.interface.calls.programs
    told = {
        (names[key[0]], names[decisions[-1][1]])
        for (key, _), decisions in lessons.guessed().items()
    }
    assert told == {
        ("REVERSE", "REVERSE_LOOP"),
        ("REVERSE_LOOP", "REVERSE_LOOP"),
        ("REVERSE_LOOP", "NOP"),
    }
    assert all(
        names[key[0]] in ("INCREMENT", "COPY", "COPY_LOOP") for key, _ in lessons.calls()
    )


def test_calls_that_fill_up_are_not_counted():
    lessons = Lessons()
    examples = as_examples(lessons.interface, lessons.calls())
    assert examples.mask.sum() == sum(len(seen) for _, seen in lessons.calls())
    assert (examples.steps > 0).sum() == len(lessons.calls())


@pytest.mark.parametrize("part", [Lessons(), ProgramSearch(), ExamplesAndLessons()])
def test_other_machines_are_refused(part):
    phases = (
        {"objective": part} if isinstance(part, ExamplesAndLessons) else {"phases": (part,)}
    )
    with pytest.raises(ValueError, match="needs an npi-ram"):
        Experiment(
            recipe="x",
            task=Access(),
            machine=NRAMConfig(),
            training=TrainingConfig(curriculum=Uniform(largest=3), **phases),
        )


def test_programs_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="there is no program SORT"):
        Lessons(guesses=(("COPY", "SORT"),))
    recipe = get_recipe("npi-ram-transfer")
    with pytest.raises(ValueError, match=r"have 7 programs .*the npi-ram 6"):
        dataclasses.replace(recipe, machine=NPIRAMConfig(programs=6))


def test_it_is_saved():
    recipe = get_recipe("npi-ram-transfer")
    assert experiment_from_json(experiment_to_json(recipe), "here") == recipe
