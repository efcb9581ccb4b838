"""Machines that random examples let pass, and the exam does not: of each family of tasks.

Each is wired by hand twice: right, and with one fault that only hard cases show. That of the
tree is the one which a published machine had: two steps for every turn of the path.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import pytest

import softmachine as sm
from softmachine.experiments.runs import Run
from softmachine.machines.machine import split_trainable
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.programs.extraction import extract
from softmachine.programs.languages.python import python_code
from softmachine.programs.outside import outside
from softmachine.programs.running import load_python
from softmachine.programs.verification import verify
from softmachine.running.judging import judge
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.memories.exams import draw_batch, draw_exam
from softmachine.tasks.memories.lists import ListK
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.memory import MemoryTask
from softmachine.training.exam import Exam
from softmachine.training.member import Member
from softmachine.wiring.search import write_wires
from softmachine.wiring.table import WiringTable, read_wiring

LARGEST = 20
END = {"stop": "yes"}


class Case(NamedTuple):
    task: MemoryTask
    gates: tuple[str, ...]
    registers: int
    right: Callable[..., dict[str, str]]
    """The circuit for which registers are 0: the source of each choice, by name."""
    wrong: Callable[..., dict[str, str]]
    idle: dict[str, str]
    """What is chosen where a circuit does not say."""
    hard: str
    """A case that shows the fault."""


def access(*zero):
    """Read k, then the value there: r1 is 0 in the first step alone, r2 always."""
    first = {"READ a": "r2", "r1": "READ", "r2": "r2", "WRITE a": "r2", "WRITE b": "READ"}
    then = {"READ a": "r1", "WRITE a": "r2", "WRITE b": "READ", "r1": "r1", "r2": "r2"} | END
    return first if zero[0] else then


def access_with_scratch(*zero):
    """Put something two cells before the end first, where the last value may stand."""
    circuit = access(*zero)
    return circuit | {"WRITE a": "DEC 2", "WRITE b": "r2"} if zero[0] else circuit


def list_k(*zero):
    """r1 is the node, r2 how many hops are left."""
    if zero[0]:
        return {"READ a": "r1", "READ 2 a": "ONE", "r1": "READ", "r2": "READ 2"}
    if zero[1]:
        value = {"READ a": "INC", "INC a": "r1", "WRITE a": "TWO", "WRITE b": "READ"}
        return value | {"r1": "r1", "r2": "r2"} | END
    return {"READ a": "r1", "DEC a": "r2", "r1": "READ", "r2": "DEC"}


def list_k_with_scratch(*zero):
    """Clear the last cell first, where a value may stand."""
    circuit = list_k(*zero)
    return circuit | {"WRITE a": "DEC", "DEC a": "r1", "WRITE b": "r1"} if zero[0] else circuit


def walk(*zero):
    """r1 is the address to follow, r2 where the next direction stands, r3 the last one."""
    if zero[1]:
        step = {"READ a": "r1", "READ 2 a": "TWO", "INC a": "TWO"}
    elif zero[2]:
        value = {"READ a": "r1", "WRITE a": "ONE", "WRITE b": "READ"}
        return value | {"r1": "r1", "r2": "r2", "r3": "r3"} | END
    else:
        step = {"READ a": "r1", "READ 2 a": "r2", "INC a": "r2"}
    step |= {"ADD a": "READ", "ADD b": "READ 2"}
    return step | {"r1": "ADD", "r2": "INC", "r3": "READ 2"}


def walk_slowly(*zero):
    """Rest after every step."""
    if zero[3]:
        return walk(*zero) | {"r4": "ONE"}
    return {"r1": "r1", "r2": "r2", "r3": "r3", "r4": "ZERO"}


CASES = {
    "array": Case(
        Access(), ("DEC", "DEC", "READ", "WRITE"), 2, access, access_with_scratch,
        {"DEC a": "r2", "DEC 2 a": "DEC"}, "the last value",
    ),
    "list": Case(
        ListK(), ("ONE", "TWO", "INC", "DEC", "READ", "READ", "WRITE"), 2, list_k,
        list_k_with_scratch, {}, "the last node of a list in order",
    ),
    "tree": Case(
        WalkBST(), ("ZERO", "ONE", "TWO", "READ", "READ", "INC", "ADD", "WRITE"), 4, walk,
        walk_slowly, {"WRITE a": "ONE", "WRITE b": "ONE"}, "a chain to the left",
    ),
}  # fmt: skip


def build(case, choose):
    """Return a machine with these circuits."""
    config = NRAMConfig(registers=case.registers, gates=case.gates)
    machine = config.build(key=jax.random.key(0))
    table = WiringTable(*map(np.array, read_wiring(machine)))
    slots = machine.rows.slot_names
    for pattern in range(2**case.registers):
        circuit = choose(*[bool(pattern >> i & 1) for i in range(case.registers)])
        circuit = case.idle | circuit
        for row, name in enumerate(machine.rows.names):
            table.sources[pattern, row] = slots.index(circuit.get(name, slots[0]))
        table.stop[pattern] = "stop" in circuit
    return write_wires(machine, table, np.arange(2**case.registers))


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


def random_examples(task):
    """Return what the test was before there were exams: one roomy memory."""
    sizes = np.random.default_rng(0).integers(1, LARGEST, 200)
    return draw_batch(task, jax.random.key(1), sizes, LARGEST)


def test_what_is_right_passes(case):
    machine = build(case, case.right)
    exam = draw_exam(case.task, 0, LARGEST).batch
    assert judge(machine, case.task, exam, LARGEST).right
    report = verify(machine, case.task, extract(machine, case.task), inputs=200, sizes=())
    assert report.passed, str(report)


def test_random_examples_let_a_fault_pass_that_the_exam_shows(case):
    machine = build(case, case.wrong)
    assert judge(machine, case.task, random_examples(case.task), LARGEST, soft=False).right
    exam = draw_exam(case.task, 0, LARGEST)
    assert judge(machine, case.task, exam.batch, LARGEST).hard > 0.01
    report = verify(machine, case.task, extract(machine, case.task), inputs=200, sizes=())
    exams = [check for check in report.checks if "solves the exam" in check.what]
    assert [check.counterexample is not None for check in exams] == [True]
    assert case.hard in exams[0].what
    assert re.match(
        r"[\d,]+ of [\d,]+ are wrong, the first: .+, size \d+, ", exams[0].counterexample
    )


def test_training_s_own_test_refuses_it(case, tmp_path):
    """Whatever its validation says; and lets the right one pass."""
    experiment = sm.get_recipe("nram-walk-bst")
    curriculum = dataclasses.replace(experiment.training.curriculum, largest=3)
    training = dataclasses.replace(experiment.training, phases=(), curriculum=curriculum)
    found = {}
    for name in ("right", "wrong"):
        machine = build(case, getattr(case, name))
        changed = dataclasses.replace(
            experiment, task=case.task, machine=machine.config, training=training
        )
        member = Member(Run.create(tmp_path / name, changed))
        parameters, _ = split_trainable(machine)
        member.state = member.state._replace(parameters=parameters)
        member.line = {}
        found[name] = Exam(largest=LARGEST, examples=100, soft=False).verdict(member)
        assert (member.line["tested_hard"] == 0) == found[name]
    assert found == {"right": True, "wrong": False}


def test_what_happens_outside_is_told_and_no_failure(access_machine):
    task = Access()
    program = extract(access_machine, task)
    report = verify(access_machine, task, program, inputs=40, sizes=())
    assert report.passed
    told = [str(check) for check in report.checks if check.how == "outside"]
    assert told[0].startswith("outside: a pointer to itself (k is 0): ")
    run = load_python(python_code(program, "A program.", []))
    assert [f"outside: {sentence}" for sentence in outside(task, run)] == told


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda memory: memory, "it leaves the memory as it is"),
        (lambda memory: [9, *memory[1:]], "no promise; [0, 2, 0] becomes [9, 2, 0]"),
        (lambda _: 1 // 0, "it raises ZeroDivisionError: "),
        (
            lambda memory: memory if len(memory) > 3 else [1, 1, 1],
            "no promise; [0, 2, 0] becomes [1, 1, 1] (",
        ),
    ],
)
def test_what_is_said_of_programs_outside_their_task(run, words):
    sentence, _ = outside(Access(), run)
    assert sentence.startswith(f"a pointer to itself (k is 0): {words}")
