"""From a machine to a program, and whether it is right: a machine made by hand, the zoo."""

import dataclasses

import pytest

from softmachine import zoo
from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.programs import verification
from softmachine.programs.extraction import extract
from softmachine.programs.languages.python import python_code
from softmachine.programs.notes import Provenance, notes
from softmachine.programs.running import load_python
from softmachine.programs.verification import verify
from softmachine.tasks.memories.arrays import Access, MemoryCopy

FEW = dict(inputs=40, sizes=(10, 300), exhaustive=300)


def test_the_machine_made_by_hand(access_machine, monkeypatch):
    program = extract(access_machine, Access())
    report = verify(access_machine, Access(), program, **FEW)
    assert report.passed, str(report)
    assert report.checks[0].how == "proven"
    assert report.checks[0].inputs == 3**3 + 4**4
    monkeypatch.setattr(verification, "load_c", lambda *_: None)
    without = verify(access_machine, Access(), program, **FEW)
    assert without.passed
    assert "there is no C compiler" in str(without)


def test_a_program_that_does_not_solve_the_task_is_exposed(access_machine):
    task = MemoryCopy()
    report = verify(access_machine, task, extract(access_machine, task), **FEW)
    assert not report.passed
    wrong = [check for check in report.checks if check.counterexample]
    assert all(check.what.startswith("solves ") for check in wrong)
    assert "WRONG: solves random examples of MemoryCopy at sizes 1 to 6 and 1 to 50" in str(
        report
    )
    assert "WRONG: solves the exam of MemoryCopy" in str(report)


def test_a_program_that_is_not_the_machine_is_exposed(access_machine):
    task = Access()
    program = extract(access_machine, task)
    broken = program._replace(states=tuple(s._replace(stores=()) for s in program.states))
    report = verify(access_machine, task, broken, **FEW)
    assert report.checks[0].counterexample is not None


@pytest.mark.parametrize("name", ["nram-copy", "nram-reverse", "nram-increment", "nram-access"])
def test_the_zoo_has_programs_that_work_beyond_training(name):
    model = zoo.open_model(name)
    task = model.experiment.task
    program = extract(model.machine, task)
    text = python_code(
        program, "A program.", notes(program, task, Provenance(name, name, 0, None), None)
    )
    assert "an unknown commit" in " ".join(text.split())
    run = load_python(text)
    wrong = verification._first_wrong(
        run, verification._draw(task, zoo_key(), 2, 3_000, 3_000), rows=range(2)
    )
    assert wrong is None


def zoo_key():
    import jax

    return jax.random.key(0)


def test_too_many_registers_are_refused():
    import jax

    many = dataclasses.replace(NRAMConfig(), registers=20).build(key=jax.random.key(0))
    with pytest.raises(SoftmachineError, match="20 registers"):
        extract(many, Access())
