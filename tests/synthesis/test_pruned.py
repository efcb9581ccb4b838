"""Functions made shorter by what no input does, held against their wires by brute force.

The wires are run by NumPy (`run_wiring`), which knows nothing of what was left out; inputs are
all lists of a few numbers up to a length, whatever the examples were.
"""

import itertools

import numpy as np
import pytest

from softmachine.synthesis import domain, making
from softmachine.synthesis.candidates import layouts
from softmachine.synthesis.finding import LIKELY, UNLIKELY, Candidate, make_problem
from softmachine.synthesis.function_c import c_function, load_c_function
from softmachine.synthesis.laid_out import own_codes
from softmachine.synthesis.layout import Count
from softmachine.synthesis.making import make
from softmachine.synthesis.search.arrays import INC, MAX, MIN, READ, SELECT, SUB, WRITE
from softmachine.synthesis.search.attempts import Variant
from softmachine.synthesis.search.loops import Instruction, Loop, wire
from softmachine.synthesis.taking import take
from softmachine.wiring.table import run_wiring

ONCE, AGAIN = Count("list", 1, 1, 0), Count("list", 1, 1, 0, power=2)
R1, R2 = 3, 4
"""The slots of registers, behind three constants; then come instructions."""
BUBBLE = Loop(
    (0, 1, 2),
    2,
    (
        Instruction(READ, (R1, 0), 0),
        Instruction(INC, (R1, 0), 0),
        Instruction(MIN, (5, R2), 0),
        Instruction(MAX, (5, R2), 0),
        Instruction(WRITE, (R1, 7), 4),  # if r2 != 0
        Instruction(WRITE, (6, 8), 4),
        Instruction(SELECT, (0, 6), 3),  # anew if r2 == 0
        Instruction(INC, (11, 0), 0),
        Instruction(READ, (12, 0), 0),
    ),
    (11, 13),
)
LARGEST = Loop(
    (0, 1, 2),
    2,
    (
        Instruction(READ, (R1, 0), 0),
        Instruction(MAX, (5, R2), 0),
        Instruction(WRITE, (R1, 6), 0),
        Instruction(INC, (R1, 0), 0),
    ),
    (8, 6),
)
DIFFERENCES = Loop(
    (0, 1, 2),
    1,
    (
        Instruction(READ, (R1, 0), 0),
        Instruction(INC, (R1, 0), 0),
        Instruction(READ, (5, 0), 0),
        Instruction(SUB, (6, 4), 0),
        Instruction(WRITE, (R1, 7), 0),
    ),
    (5,),
)


def running_max(items):
    return [max(items[: i + 1]) for i in range(len(items))]


CASES = {
    "sort": (sorted, BUBBLE, AGAIN),
    "running maximum": (running_max, LARGEST, ONCE),
    "differences": (
        lambda x: [b - a for a, b in itertools.pairwise(x)],
        DIFFERENCES,
        ONCE,
    ),
}


@pytest.mark.parametrize(("function", "weight"), [(sorted, LIKELY), (running_max, UNLIKELY)])
def test_loops_in_loops_are_likely_where_elements_change_places(function, weight):
    given = take([(x, function(x)) for x in ([3, 1, 2], [2, 1], [1, 3, 1, 2])])
    problems = [make_problem(layout, given, 16, 0) for layout in layouts(given, 16)]
    [nested] = [problem.variant for problem in problems if problem.variant.nested]
    assert nested.weight == weight
    assert problems[0].variant == Variant(weight=LIKELY, two_arrays=False)


@pytest.mark.parametrize("name", CASES)
def test_every_short_list_gives_what_the_wires_give(name, monkeypatch, tmp_path):
    monkeypatch.setattr(domain, "MOST_SMALL", 60)
    monkeypatch.setattr(making, "RANDOM", 8)
    function, loop, count = CASES[name]
    lists = [[3, 1, 4, 1, 5], [2, 1], [1, 2, 1], [6, 2, 7, 3], [5, 5, 4]]
    if name == "differences":
        lists = [sorted(items) for items in lists]
    given = take([(items, function(items)) for items in lists])
    fit = [x for x in layouts(given, 16) if x.place == "first" and x.count == count]
    wired = wire(loop, once=False)
    found = Candidate(make_problem(fit[0], given, 16, 0), wired.config, wired.table, 0)
    made = make(found, given)
    assert made.right, made.code
    layout = found.problem.layout
    inputs = [
        items
        for length in range(5)
        for items in itertools.product(range(1, 5), repeat=length)
        if name != "differences" or (list(items) == sorted(items) and length)
    ]
    before = np.zeros((len(inputs), 32), np.int32)
    for row, items in zip(before, inputs, strict=True):
        cells = layout.memory((items,), own_codes(layout, (items,)))
        row[: len(cells)] = cells
    steps = np.array([layout.steps((items,)) for items in inputs])
    after = run_wiring(wired.config, wired.table, before, steps).memories
    native = load_c_function(
        c_function(made.program, made.layout, "", []), made.layout, tmp_path
    )
    for items, memory in zip(inputs, after, strict=True):
        length = layout.answer_length((items,))
        begins = layout.answer_begins((items,))
        base = layout.base((items,)) if layout.answer_coded else 0
        wanted = [int(x) + base for x in memory[begins : begins + length]]
        assert made.function(list(items)) == wanted == function(list(items)), items
        if native is not None:
            assert native(list(items)) == wanted
