"""The families of 1D-ARC: examples worked by hand, and rules said by patterns of text."""

import importlib.util
import json
import random
import re
import sys
from pathlib import Path

import pytest

from softmachine.programs.build import build_program
from softmachine.programs.extraction import transition_table
from softmachine.programs.languages.python import python_code
from softmachine.programs.running import load_python
from softmachine.synthesis.search.attempts import MOST_REGISTERS
from softmachine.synthesis.search.loops import GATES, Instruction, Loop, wire
from softmachine.tasks.memories.given import Given

PATH = Path(__file__).parents[2] / "benchmarks" / "arc1d.py"


def load():
    spec = importlib.util.spec_from_file_location("arc1d", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["arc1d"] = module  # dataclasses look for their module
    spec.loader.exec_module(module)
    return module


FAMILIES = load().PROBLEMS
BY_HAND = {
    "1d_move_1p": (".55...", "..55.."),
    "1d_move_2p": (".555..", "...555"),
    "1d_move_3p": ("55....", "...55."),
    "1d_move_dp": ("77...2.", "...772."),
    "1d_move_2p_dp": (".44..9.", "...449."),
    "1d_fill": (".3...3.", ".33333."),
    "1d_padded_fill": ("6.6..6..6.", "666..6666."),
    "1d_hollow": (".8888.", ".8..8."),
    "1d_scale_dp": (".77..1.", ".77771."),
    "1d_flip": (".4222.", ".2224."),
    "1d_mirror": (".33.9....", "....9.33."),
    "1d_denoising_1c": ("5.55.5.5", "..55...."),
    "1d_denoising_mc": (".66163666.", ".66666666."),
    "1d_pcopy_1c": ("444..4...4.", "444.444.444"),
    "1d_pcopy_mc": ("111..5...8.", "111.555.888"),
    "1d_recolor_oe": ("77.777.7777", "22.111.2222"),
    "1d_recolor_cnt": ("6.66.666", "1.22.333"),
    "1d_recolor_cmp": ("88.888.8.888", "88.111.8.111"),
}


def told(family, row):
    """What a family makes of a row, as text."""
    answer = family.solve([int(cell) for cell in row.replace(".", "0")])
    return "".join(map(str, answer)).replace("0", ".")


PATTERNS = {
    "1d_move_1p": (r"(.*)\.$", r".\1"),
    "1d_move_2p": (r"(.*)\.\.$", r"..\1"),
    "1d_move_3p": (r"(.*)\.\.\.$", r"...\1"),
    "1d_move_dp": (r"(\d+)(\.+)(\d)", r"\2\1\3"),
    "1d_move_2p_dp": (r"(\d+)\.\.(\d)", r"..\1\2"),
    "1d_fill": (r"(\d)\.+\1", lambda found: found[1] * len(found[0])),
    "1d_padded_fill": (r"(\d)\.+\1", lambda found: found[1] * len(found[0])),
    "1d_hollow": (r"(?<=\d)\d(?=\d)", "."),
    "1d_scale_dp": (r"(\d)(\.+)(?=\d)", lambda found: found[1] * len(found[0])),
    "1d_flip": (r"(\d)(\d+)", r"\2\1"),
    "1d_denoising_1c": (r"(?<!\d)\d(?!\d)", "."),
    "1d_denoising_mc": (r"(\d)\d*", lambda found: found[1] * len(found[0])),
    "1d_pcopy_1c": (r"\.(\d)\.", r"\1\1\1"),
    "1d_pcopy_mc": (r"\.(\d)\.", r"\1\1\1"),
    "1d_recolor_oe": (r"\d+", lambda found: "21"[len(found[0]) % 2] * len(found[0])),
    "1d_recolor_cnt": (r"\d+", lambda found: str(len(found[0])) * len(found[0])),
}
"""What is put in place of what, from left to right. It shares no code with the families."""


def largest_recoloured(row):
    longest = max(re.findall(r"\d+", row), key=len)
    return re.sub(rf"(?<!\d){longest}(?!\d)", "1" * len(longest), row)


def mirrored(row):
    """Each coloured cell goes as far to the right of the mark, the last one."""
    mark = max(i for i, cell in enumerate(row) if cell != ".")
    answer = ["."] * len(row)
    for i, cell in enumerate(row):
        if cell != ".":
            answer[2 * mark - i] = cell
    return "".join(answer)


def expected(name, row):
    if name == "1d_mirror":
        return mirrored(row)
    if name == "1d_recolor_cmp":
        return largest_recoloured(row)
    return re.sub(*PATTERNS[name], row)


def rows(family, *, seed=0, each=40):
    rng = random.Random(seed)
    for size in (1, 2, 3, 4, 5, 6, 20, 50, 200):
        for _ in range(each):
            memory, after = family.sample(rng, size)
            end = memory[0]
            assert end == size + family.least
            yield (
                size,
                *("".join(map(str, x[1:end])).replace("0", ".") for x in (memory, after)),
            )


def test_there_are_the_eighteen_families():
    assert BY_HAND.keys() == FAMILIES.keys()
    assert len(FAMILIES) == 18


@pytest.mark.parametrize("name", FAMILIES)
def test_an_example_worked_by_hand(name):
    before, after = BY_HAND[name]
    assert told(FAMILIES[name], before) == after


@pytest.mark.parametrize("name", FAMILIES)
def test_what_becomes_of_rows_is_what_a_pattern_says(name):
    for _, before, after in rows(FAMILIES[name]):
        assert after == expected(name, before), before
        assert len(after) == len(before)


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_differ_and_something_becomes_of_most(name):
    drawn = [(before, after) for _, before, after in rows(FAMILIES[name])]
    assert len({before for before, _ in drawn}) > len(drawn) / 2
    assert sum(before != after for before, after in drawn) > 0.9 * len(drawn)


@pytest.mark.parametrize("name", ["1d_mirror", "1d_flip"])
def test_what_is_turned_twice_is_as_before(name):
    """The second time from the other side, since what is turned stands to the left at first."""
    for _, before, after in rows(FAMILIES[name]):
        assert told(FAMILIES[name], after[::-1])[::-1] == before


@pytest.mark.parametrize("name", [name for name in FAMILIES if "move" in name])
def test_what_moves_is_whole(name):
    for _, before, after in rows(FAMILIES[name]):
        assert before.replace(".", "") == after.replace(".", "")


@pytest.mark.parametrize("name", FAMILIES)
def test_other_answers_are_wrong_and_cells_behind_the_row_do_not_count(name):
    family, rng = FAMILIES[name], random.Random(1)
    for size in (1, 4, 20):
        before, after = family.sample(rng, size, spare=5)
        end = before[0]
        assert family.right(before, after)
        assert family.right(before, [7, *after[1:end], *[9] * (len(after) - end)])
        for cell in range(1, end):
            other = list(after)
            other[cell] += 1
            assert not family.right(before, other)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_command_reads_the_examples_and_finds_the_length_in_the_first_cell(name):
    lines = load().lines(FAMILIES[name], each=3, large=2)
    task = Given(examples="\n".join(lines), steps_per_size=FAMILIES[name].steps_per_size)
    assert task.tells_size
    assert task.step_rule().of == "cell"
    assert {x.size for x in task.part_examples("training")} == {
        FAMILIES[name].least + more for more in range(6)
    }
    assert all(json.loads(line)["mask"][0] == 0 for line in lines)


LOOPS = {
    "1d_move_1p": """
        a = INC(r1)
        t = READ(a)
        WRITE(a, r2)
        r1 = a, r2 = t""",
    "1d_move_2p": """
        a = INC(r1)
        t = READ(a)
        WRITE(a, r3)
        r1 = a, r2 = t, r3 = r2""",
    "1d_move_3p": """
        a = INC(r1)
        t = READ(a)
        m = READ(0)
        v = SELECT(0, m) if r1 == 0
        WRITE(a, v)
        WRITE(0, r3)
        r1 = a, r2 = t, r3 = r2""",
    "1d_move_2p_dp": """
        e = READ(0)
        a = SELECT(e, r1) if r1 == 0
        b = DEC(a)
        WRITE(0, 0)
        c = SUB(b, 2)
        v = READ(c)
        t = READ(b)
        WRITE(b, v) if r2 != 0
        u = MAX(r2, t)
        r1 = b, r2 = u""",
    "1d_move_dp": """
        e = READ(0)
        b = SUB(e, r1)
        t = READ(b)
        s = SELECT(b, r2) if r3 == 0
        WRITE(b, 0)
        WRITE(s, t)
        k = MIN(t, 1)
        w = SUB(s, k)
        f = MAX(r3, t)
        i = INC(r1)
        r1 = i, r2 = w, r3 = f""",
    "1d_fill": """
        a = INC(r1)
        t = READ(a)
        h = MAX(r2, t)
        l = MIN(r2, t)
        WRITE(a, h)
        c = SUB(h, l)
        r1 = a, r2 = c""",
    "1d_hollow": """
        a = INC(r1)
        t = READ(a)
        b = INC(a)
        u = READ(b)
        v = SUB(t, u)
        WRITE(a, v) if r2 != 0
        r1 = a, r2 = t""",
    "1d_denoising_1c": """
        a = INC(r1)
        t = READ(a)
        b = INC(a)
        u = READ(b)
        v = MIN(t, u)
        WRITE(a, v) if r2 == 0
        r1 = a, r2 = t""",
    "1d_denoising_mc": """
        a = INC(r1)
        u = READ(a)
        s = SELECT(r3, r2) if r2 == 0
        g = SELECT(0, s) if r3 == 0
        WRITE(r1, g)
        r1 = a, r2 = g, r3 = u""",
    "1d_scale_dp": """
        a = INC(r1)
        u = READ(a)
        g = SELECT(r2, r3) if r3 == 0
        WRITE(r1, g)
        q = EQUALITY-TEST(g, r2)
        n = SUB(0, q)
        x = MIN(r2, n)
        f = SELECT(r3, x) if r2 == 0
        r1 = a, r3 = u, r2 = f""",
    "1d_flip": """
        WRITE(0, r1) if r2 != 0
        a = INC(r1)
        t = READ(a)
        p = READ(0)
        WRITE(p, t)
        r1 = a, r2 = t""",
    "1d_mirror": """
        e = READ(0)
        b = SUB(e, r1)
        t = READ(b)
        WRITE(b, 0) if r3 != 0
        WRITE(r2, t) if r3 != 0
        s = SELECT(b, r2) if r3 == 0
        o = INC(s)
        f = MAX(r3, t)
        i = INC(r1)
        r1 = i, r2 = o, r3 = f""",
    "1d_pcopy_1c": """
        a = INC(r1)
        t = READ(a)
        u = MAX(r2, t)
        WRITE(a, u) if r3 == 0
        v = SUB(u, t)
        z = SUB(a, 2)
        y = READ(z)
        w = MAX(y, v)
        WRITE(z, w) if r3 == 0
        r1 = a, r2 = t, r3 = r2""",
    "1d_recolor_cnt": """
        a = INC(r1)
        u = READ(a)
        k = INC(r2)
        c = SELECT(0, k) if r3 == 0
        z = SUB(r1, r2)
        x = INC(z)
        WRITE(x, c) if r3 != 0
        WRITE(z, c) if r3 != 0
        WRITE(r1, c)
        r1 = a, r2 = c, r3 = u""",
}
"""Loops written by hand (but for that of 1d_flip, which was found), one step for a cell."""
LOOPS |= {"1d_padded_fill": LOOPS["1d_fill"], "1d_pcopy_mc": LOOPS["1d_pcopy_1c"]}


def parsed(text):
    """Return a loop that is written as loops are printed, with names in place of numbers."""
    *lines, last = (line.strip() for line in text.strip().splitlines())
    moves = dict(move.split(" = ") for move in last.split(", "))
    slots = {"0": 0, "1": 1, "2": 2} | {f"r{k + 1}": 3 + k for k in range(len(moves))}
    first, instructions = len(slots), []
    for i, line in enumerate(lines):
        found = re.fullmatch(
            r"(?:(\w) = )?([A-Z-]+)\((\w+)(?:, (\w+))?\)(?: if r(\d) (.=) 0)?", line
        )
        operation = (*GATES, "SELECT").index(found[2])
        condition = 2 * int(found[5]) - (found[6] == "==") if found[5] else 0
        arguments = slots[found[3]], slots[found[4] or found[3]]
        instructions.append(Instruction(operation, arguments, condition))
        slots |= {found[1]: first + i} if found[1] else {}
    nexts = tuple(slots[moves[f"r{k + 1}"]] for k in range(len(moves)))
    return Loop((0, 1, 2), len(moves), tuple(instructions), nexts)


@pytest.mark.parametrize("name", LOOPS)
def test_sixteen_families_can_be_said_in_one_loop(name):
    """As `docs/arc1d.md` says. What it takes to recolour by parity or by the largest is not."""
    family = FAMILIES[name]
    loop = parsed(LOOPS[name])
    assert loop.registers <= MOST_REGISTERS
    assert len(loop.instructions) <= 10
    table = transition_table(*wire(loop, once=False))
    task = Given(examples="\n".join(load().lines(family, each=3, large=1)))
    run = load_python(python_code(build_program(table, task.step_rule()), "", []))
    rng = random.Random(7)
    for size in (1, 2, 3, 4, 5, 6, 50):
        for _ in range(12):
            memory, _ = family.sample(rng, size)
            assert family.right(memory, run(list(memory))), memory


def test_two_families_need_more_than_one_loop():
    assert FAMILIES.keys() - LOOPS.keys() == {"1d_recolor_oe", "1d_recolor_cmp"}
