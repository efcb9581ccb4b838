"""Programs do what their machines do: random machines, the paper's Copy, every step rule."""

import functools
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from softmachine.programs.build import build_program
from softmachine.programs.languages.c import c_code
from softmachine.programs.languages.json import json_code
from softmachine.programs.languages.python import python_code
from softmachine.programs.running import c_compiler, load_c, load_python, shortened
from softmachine.programs.verification import _difference
from softmachine.tasks.steps import StepRule

ROOT = Path(__file__).parents[2]
RULES = [
    StepRule("nothing", 0, 0),
    StepRule("nothing", 0, 3),
    StepRule("nothing", 0, 12),
    StepRule("cell", 1, 1, 0),
    StepRule("cell", 1, 3, 1),
    StepRule("cell", 1, 0, 2),
    StepRule("cell", 2, -1, 0),
    StepRule("array", 1, 1, 0),
    StepRule("array", 2, 0, 1),
    StepRule("length", 2, 1, 5, 2),
]
SEEDS = range(80)
needs_compiler = pytest.mark.skipif(
    c_compiler() is None, reason="there is no C compiler (cc, gcc, clang or $CC)"
)


def memories(seed):
    """Return all memories of three cells, and some larger ones."""
    rng = random.Random(seed)
    yield from map(list, itertools.product(range(3), repeat=3))
    for n in (4, 5, 7, 12):
        for _ in range(10):
            yield [rng.randrange(n) for _ in range(n)]


@functools.cache
def program_of(tables, seed):
    """A large one takes seconds to build; all tests are of the same ones."""
    registers, table = tables.random_table(seed)
    rule = RULES[seed % len(RULES)]
    return registers, table, rule, build_program(table, rule)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_machines(tables, seed):
    registers, table, rule, program = program_of(tables, seed)
    run = load_python(python_code(program, "A program.", []))
    for memory in memories(seed):
        before = list(memory)
        expected = tables.interpret(table, registers, memory, rule.steps(memory))
        assert run(memory) == expected
        assert memory == before


@needs_compiler
@pytest.mark.parametrize("seed", SEEDS[::8])
def test_random_machines_in_c(tables, seed, tmp_path):
    """Without a warning, too: the compiler takes them for errors."""
    registers, table, rule, program = program_of(tables, seed)
    run = load_c(c_code(program, "A program.", ["A note."]), tmp_path)
    for memory in memories(seed):
        expected = tables.interpret(table, registers, memory, rule.steps(memory))
        assert run(memory) == expected


def test_python_passes_ruff(tables, tmp_path):
    for seed in SEEDS:
        *_, program = program_of(tables, seed)
        text = python_code(program, "A program of a random machine.", ["Some notes. " * 20])
        (tmp_path / f"program_{seed}.py").write_text(text)
    options = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(tmp_path)]
    for command in (["check"], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *options],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_json_tells_the_same(tables):
    for seed in SEEDS[::10]:
        *_, program = program_of(tables, seed)
        value = json.loads(json_code(program, "A program.", ["A note."]))
        assert [state["name"] for state in value["states"]] == [s.name for s in program.states]
        assert set(value["variables"]) == set(program.names.values())
        assert all(set(s["updates"]) <= set(value["variables"]) for s in value["states"])


# --- the paper's Copy -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper_copy(tables):
    """Figure 4 and table 2, with a way down to the last register that ends by itself."""
    gates = ("READ", "ONE", "INC", "ADD", "DEC", "WRITE")
    begin = {"READ": "r1", "DEC": "READ", "WRITE": "r1 READ", "r2": "DEC", "r3": "DEC"}
    main = {
        "READ": "r3",
        "ADD": "r2 r3",
        "DEC": "r3",
        "WRITE": "ADD READ",
        "r2": "r2",
        "r3": "DEC",
    }
    first = tables.wires_by_name(gates, 3, begin)
    later = tables.wires_by_name(gates, 3, main)
    return tables.full_table(3, lambda pattern: first if all(pattern) else later)


COPY = """\
    base = (memory[0] - 1) % n  # r2 = DEC(READ(r1))
    i = memory[0]  # r3 = DEC(READ(r1))
    if memory[0] == 0:
        return memory
    while i != 0:
        # WRITE(ADD(r2, r3), READ(r3))
        memory[(base + i - 1) % n] = memory[i - 1]
        i -= 1  # r3 = DEC(r3)
    return memory
"""
"""i is r3 plus 1: the machine copies cell 0, too, in its last step."""


def test_copy_reads_as_a_person_would_write_it(paper_copy):
    program = build_program(paper_copy, StepRule("cell", 1, 1, 0))
    assert python_code(program, "Copy.", []).endswith(COPY)
    assert len(program.states) == 2
    assert program.offsets == {2: 1}


def test_copy_copies_any_length(paper_copy):
    program = build_program(paper_copy, StepRule("cell", 1, 1, 0))
    run = load_python(python_code(program, "Copy.", []))
    rng = random.Random(0)
    for size in (1, 2, 50, 30_000):
        array = [rng.randrange(1, 2 * size + 1) for _ in range(size)]
        after = run([size + 1, *array, *[0] * size])
        assert after[size + 1 :] == array


def test_a_tested_cell_is_where_its_address_was_before_that_was_overwritten(tables):
    """READ(DEC(READ(0))), with cell 0 overwritten between the two, and tested at last."""
    gates = ("ZERO", "READ", "DEC", "WRITE", "READ")
    at_first = tables.make_wires(gates, ["", [1], [2], [1, 1], [3]], [5])
    then = tables.make_wires(("ONE", "ZERO", "WRITE"), ["", "", [1, 2]], [1])
    table = tables.full_table(1, lambda pattern: at_first if pattern[0] else then)
    run = load_python(python_code(build_program(table, StepRule("nothing", 0, 2)), "", []))
    for memory in memories(0):
        assert run(memory) == tables.interpret(table, 1, memory, 2)


# --- what is refused ------------------------------------------------------------------------

BAD = {"too few cells": [0, 1], "too large": [0, 3, 0], "negative": [0, -1, 0]}


@pytest.mark.parametrize("memory", BAD.values(), ids=BAD)
def test_bad_memories(paper_copy, memory):
    program = build_program(paper_copy, StepRule("cell", 1, 1, 0))
    with pytest.raises(ValueError, match="at least 3 cells, each 0 to n - 1"):
        load_python(python_code(program, "Copy.", []))(memory)


@needs_compiler
@pytest.mark.parametrize("memory", BAD.values(), ids=BAD)
def test_bad_memories_in_c(paper_copy, memory, tmp_path):
    program = build_program(paper_copy, StepRule("cell", 1, 1, 0))
    with pytest.raises(ValueError, match=r"returned [12]"):
        load_c(c_code(program, "Copy. */ int x;", []), tmp_path)(memory)


def test_a_machine_that_changes_nothing(tables):
    wires = tables.wires_by_name(("READ", "WRITE"), 1, {"READ": "r1", "WRITE": "r1 READ"})
    table = tables.full_table(1, lambda _: wires)
    program = build_program(table, StepRule("nothing", 0, 5))
    assert program.states == ()
    assert load_python(python_code(program, "Nothing.", []))([2, 1, 0]) == [2, 1, 0]


def test_long_lists_are_not_written_out():
    """A counter-example of two million cells was, in a program's comment."""
    assert shortened([3, 1]) == "[3, 1]"
    assert shortened([*range(24)]) == str([*range(24)])
    shown = shortened([7] * 2_000_001)
    assert shown == f"[{'7, ' * 23}7, ... (2,000,001 in all)]"
    found = _difference([5] * 30, [-1] * 30, "RuntimeError: no", "the task")
    assert len(found) < 300
    assert found.startswith("for a memory of 30 cells the program gives RuntimeError: no")
