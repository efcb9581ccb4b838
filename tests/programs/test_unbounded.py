"""Programs that take lists as they are: random machines, against memories with room."""

import functools
import json
import random

import pytest

from softmachine.programs.build import build_program
from softmachine.programs.languages.c import c_code
from softmachine.programs.languages.json import json_code
from softmachine.programs.languages.python import Call, python_code
from softmachine.programs.running import c_compiler, load_c, load_python
from softmachine.programs.signs import goes_below_zero
from softmachine.tasks.steps import StepRule

RULES = [
    StepRule("nothing", 0, 3),
    StepRule("nothing", 0, 12),
    StepRule("cell", 1, 1, 0),
    StepRule("cell", 2, -1, 1),
    StepRule("cell", 1, 0, 2),
    StepRule("array", 1, 1, 0),
    StepRule("array", 2, 0, 2),
    StepRule("length", 1, 1),
]
SEEDS = range(40)
ROOMS = (997, 1_414)
"""Prime and even; far more cells than numbers that the lists lead to."""
needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="there is no C compiler")


def lists(seed):
    """Return short lists of small numbers, zeros among them."""
    rng = random.Random(seed)
    for length in [1, 1, 2, 2, *range(3, 9)]:
        yield [rng.choice([0, 0, 1, 2, 3, rng.randrange(12)]) for _ in range(length)]


@functools.cache
def program_of(tables, seed):
    registers, table = tables.random_table(seed)
    rule = RULES[seed % len(RULES)]
    return registers, table, rule, build_program(table, rule)._replace(unbounded=True)


def counted(rule, cells):
    """Return the number of steps for a list with zeros behind it."""
    return rule.steps(cells if rule.of == "length" else [*cells, 0, 0, 0])


@pytest.mark.parametrize("seed", SEEDS)
def test_it_does_what_the_machine_does_in_every_memory_with_room(tables, seed):
    registers, table, rule, program = program_of(tables, seed)
    run = load_python(python_code(program, "A program.", []))
    for cells in lists(seed):
        before = list(cells)
        answer = run(cells)
        assert cells == before
        for room in ROOMS:
            memory = [*cells, *[0] * (room - len(cells))]
            left = tables.interpret(table, registers, memory, counted(rule, cells))
            # What is written -1 is the largest number of any memory.
            assert [value % room for value in answer] == left[: len(cells)]


@needs_compiler
@pytest.mark.parametrize("seed", SEEDS[::4])
def test_the_c_program_and_the_json_do_the_same(tables, seed, tmp_path):
    *_, program = program_of(tables, seed)
    run = load_python(python_code(program, "A program.", []))
    native = load_c(c_code(program, "A program.", ["A note."]), tmp_path)
    told = json.loads(json_code(program, "A program.", []))
    for cells in lists(seed):
        assert run(cells) == native(cells) == follow(told, cells)


def follow(told, cells):
    """Run what the JSON says, as its description has it."""
    memory = dict(enumerate(cells))
    held = {name: variable["offset"] for name, variable in told["variables"].items()}
    rule = StepRule(**told["steps"])
    left = counted(rule, cells) if told["counts_steps"] else 10**9
    states = {state["name"]: state for state in told["states"]}
    name = told["states"][0]["name"] if states else None
    while name is not None and left > 0:
        state, versions = states[name], [dict(memory)]
        for store in state["stores"]:
            address, value = (
                number(store[key], held, versions) for key in ("address", "value")
            )
            versions.append(versions[-1] | {address: value})
        memory = versions[-1]
        held |= {
            name: number(update["value"], held, versions)
            for name, update in state["updates"].items()
        }
        name, left = decide(state["next"], held, memory), left - 1
    return [memory[i] for i in range(len(cells))]


def decide(following, held, memory):
    while isinstance(following, dict):
        # A cell in a test is looked at after all stores.
        value = number(following["if_zero"], held, [memory] * 99)
        following = following["else" if value else "then"]
    return following


def number(value, held, versions):
    def atom(kind):
        if "variable" in kind:
            return held[kind["variable"]]
        if "cell" in kind:
            return versions[kind["after"]].get(number(kind["cell"], held, versions), 0)
        a, b = (number(argument, held, versions) for argument in kind["arguments"])
        one, other = (a < 0, a), (b < 0, b)
        return {
            "MIN": a if one < other else b,
            "MAX": a if one > other else b,
            "LESS-THAN": int(one < other),
            "LESS-OR-EQUAL-THAN": int(one <= other),
            "EQUALITY-TEST": int(a == b),
        }[kind["gate"]]

    return value["constant"] + sum(factor * atom(kind) for factor, kind in value["terms"])


# --- machines made by hand ------------------------------------------------------------------


@pytest.fixture(scope="module")
def doubling(tables):
    gates = ("READ", "INC", "ADD", "WRITE")
    wires = {"READ": "r1", "ADD": "READ READ", "WRITE": "r1 ADD", "INC": "r1", "r1": "INC"}
    table = tables.full_table(1, lambda _: tables.wires_by_name(gates, 1, wires))
    return build_program(table, StepRule("array", 1, 1))._replace(unbounded=True)


DOUBLING = '''\
def change(memory: dict[int, int]) -> None:
    """Do what the machine does, in a memory that is as large as it has to be."""
    quantity = next(i for i in itertools.count() if memory[i] == 0)
    steps = quantity + 1
    for i in range(steps):
        memory[i] = 2 * memory[i]  # WRITE(r1, ADD(READ(r1), READ(r1)))
'''


def test_numbers_are_plain_where_none_falls_below_zero(doubling):
    text = python_code(doubling, "Double.", [], Call((3, 1), (6, 2)))
    assert text.endswith(DOUBLING)
    assert "    >>> run([3, 1])\n    [6, 2]\n" in text
    run = load_python(text)
    assert run([3, 1, 2, 0]) == [6, 2, 4, 0]
    assert run([10**30, 0, 7]) == [2 * 10**30, 0, 7]
    assert not goes_below_zero(doubling)


@needs_compiler
def test_c_refuses_numbers_that_become_too_large(doubling, tmp_path):
    native = load_c(c_code(doubling, "Double.", []), tmp_path)
    largest = 2**40
    assert native([largest // 2, 1, 0]) == [largest, 2, 0]
    for bad, status in (
        ([], 1),
        ([-1, 0], 2),
        ([largest + 1], 2),
        ([1, largest // 2 + 1, 0], 3),
    ):
        with pytest.raises(ValueError, match=f"returned {status}"):
            native(bad)


@needs_compiler
def test_c_leaves_a_list_that_it_refuses_as_it_is(doubling, tmp_path):
    import ctypes

    load_c(c_code(doubling, "Double.", []), tmp_path)
    run = ctypes.CDLL(str(tmp_path / "program.so")).run
    cells = (ctypes.c_int64 * 3)(1, 2**40, 0)
    assert run(cells, ctypes.c_size_t(3)) == 3
    assert list(cells) == [1, 2**40, 0]


@pytest.mark.parametrize("bad", [[], [1, -1], [1.0], ["1"], "12", None])
def test_python_refuses_what_is_no_list_of_numbers_from_0_on(doubling, bad):
    with pytest.raises(ValueError, match="expected a list of integers from 0 on"):
        load_python(python_code(doubling, "Double.", []))(bad)


@pytest.fixture(scope="module")
def totals(tables):
    """Sums up to each element, kept in cells before the list: at -1, -2, -3 and so on."""
    gates = ("READ", "DEC", "SUB", "READ", "ADD", "WRITE", "SUB", "WRITE", "INC")
    i, zero = 0, 1
    cell, less, address, before, total = 2, 3, 4, 5, 6
    inputs = [[i], [i], [zero, less], [address], [cell, before], [i, total]]
    inputs += [[zero, i], [8, total], [i]]
    wires = tables.make_wires(gates, inputs, [10, zero])
    table = tables.full_table(2, lambda _: wires)
    return build_program(table, StepRule("length", 1, 0))._replace(unbounded=True)


@needs_compiler
def test_cells_before_the_list_are_other_cells_than_its_last(totals, tmp_path):
    run = load_python(python_code(totals, "Sum up.", []))
    native = load_c(c_code(totals, "Sum up.", []), tmp_path)
    for length in (1, 2, 5, 400):
        cells = [5 * i % 7 for i in range(length)]
        # The first one reads cell 1, which is in the list.
        wanted = [cells[0] + (cells[1] if length > 1 else 0)]
        for cell in cells[1:]:
            wanted.append(wanted[-1] + cell)
        assert run(cells) == native(cells) == wanted


def test_what_falls_below_zero_counts_as_large(tables):
    gates = ("READ", "DEC", "ONE", "LESS-THAN", "MAX", "ADD", "WRITE")
    wires = {"READ": "r1", "DEC": "READ", "LESS-THAN": "DEC ONE", "MAX": "DEC ONE"}
    first = wires | {"ADD": "LESS-THAN LESS-THAN", "WRITE": "r1 ADD"}
    table = tables.full_table(1, lambda _: tables.wires_by_name(gates, 1, first))
    program = build_program(table, StepRule("nothing", 0, 1))._replace(unbounded=True)
    text = python_code(program, "Is it 1?", [])
    assert "rank(memory[0] - 1) < rank(1)" in text
    run = load_python(text)
    assert [run([cell])[0] for cell in (0, 1, 2)] == [0, 2, 0]
    assert goes_below_zero(program) is False  # it is compared, not kept
