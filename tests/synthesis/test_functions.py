"""Functions of a person's arguments: what is printed is right, in Python and in C."""

import dataclasses
import functools
import itertools
import json
import math
import re
import types
from doctest import DocTestFinder, DocTestRunner

import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.core.time_limit import TimeIsOverError, TimeLimit
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.programs.running import c_compiler
from softmachine.synthesis import domain, in_c, making
from softmachine.synthesis.advice import for_memories
from softmachine.synthesis.agreement import question
from softmachine.synthesis.candidates import layouts
from softmachine.synthesis.domain import domain_of
from softmachine.synthesis.finding import Candidate, make_problem
from softmachine.synthesis.function import python_function
from softmachine.synthesis.function_c import c_function, load_c_function
from softmachine.synthesis.laid_out import own_codes
from softmachine.synthesis.layout import Count
from softmachine.synthesis.making import (
    Outcome,
    best_of,
    check,
    draw_inputs,
    load_function,
    make,
)
from softmachine.synthesis.pairs import Pair
from softmachine.synthesis.reading import pairs_in
from softmachine.synthesis.search.search import Totals
from softmachine.synthesis.taking import take
from softmachine.synthesis.whole import (
    HELD_OUT_FROM,
    Findings,
    Options,
    begin,
    finish,
    synthesize,
    why_nothing,
)
from softmachine.tasks.memories.given import Given
from softmachine.wiring.circuit_text import parse_circuits
from softmachine.wiring.compiling import compile_wiring, wiring_from_json
from softmachine.wiring.table import read_wiring, run_wiring

needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="there is no C compiler")


def lists(function, *more, large=5):
    """Return examples of a function of a list, and perhaps of other arguments."""
    found = ([3, 1, 4, 1, 5], [2], [1, 2, 1], [6, 2, 7, 3], [large, 5, 4])
    if not more:
        return take([(x, function(x)) for x in found])
    return take([((x, *more), function(x, *more)) for x in found])


def running_max(items):
    return [max(items[: i + 1]) for i in range(len(items))]


MAXIMUM = """
registers 3
gates READ MAX INC WRITE
else:
    WRITE(r1, MAX(READ(r1), r2))
    r2 = MAX(READ(r1), r2)
    r1 = INC(r1)
"""
DOUBLING = """
registers 3
gates READ ADD WRITE INC
else:
    WRITE(r1, ADD(READ(r1), READ(r1)))
    r1 = INC(r1)
"""
SUM = """
registers 3
gates READ ADD INC ZERO WRITE
else:
    WRITE(ZERO, ADD(r2, READ(r1)))
    r2 = ADD(r2, READ(r1))
    r1 = INC(r1)
"""
COPYING = """
registers 3
gates READ MAX INC WRITE
else:
    WRITE(r1, READ(r1))
    r1 = INC(r1)
"""
CAP = """
registers 3
gates READ ONE INC MIN WRITE
when r1 == 0:
    r2 = READ(r1)
    r1 = ONE
else:
    WRITE(r1, MIN(READ(r1), r2))
    r1 = INC(r1)
"""


def candidate(given, text, **fields):
    """Return a hand-written machine as a candidate, in the first layout with these fields."""
    config, table = parse_circuits(text)
    fit = [
        layout
        for layout in layouts(given, 16)
        if all(getattr(layout, name) == value for name, value in fields.items())
    ]
    return Candidate(make_problem(fit[0], given, 16, 0), config, table, 0)


@pytest.fixture(scope="module", autouse=True)
def _fewer_inputs():
    """Thousands of inputs are for those who use a program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain, "MOST_SMALL", 200)
        patch.setattr(making, "RANDOM", 20)
        yield


@functools.cache
def made_of(name):
    """Made once for all tests."""
    given, text, fields = WORKED[name]
    return make(candidate(given, text, **fields), given)


STEPS = Count("list", 1, 1, 0)
WORKED = {
    "running maximum": (lists(running_max), MAXIMUM, {"place": "first", "count": STEPS}),
    "double": (
        lists(lambda x: [2 * y for y in x]),
        DOUBLING,
        {"place": "first", "count": STEPS},
    ),
    "sum": (lists(sum), SUM, {"coded": (False,), "count": STEPS}),
    "cap": (
        lists(lambda x, k: [min(y, k) for y in x], 4),
        CAP,
        {"place": "first", "count": STEPS, "coded": (True, True)},
    ),
    "cap below 0": (
        take(
            [
                (([3, -1, 9], 4), [3, -1, 4]),
                (([-5], -9), [-9]),
                (([7, 0], -2), [-2, -2]),
                (([100, 8], 50), [50, 8]),
            ]
        ),
        CAP,
        {"place": "first", "count": STEPS},
    ),
    "the first letter": (
        take([("abc", "a"), ("b", "b"), ("xyz", "x"), ("ca", "c")]),
        "registers 1\ngates ZERO ONE READ WRITE\nelse:\n    WRITE(ZERO, READ(ONE))\n",
        {"count": Count("number", 0, 3)},
    ),
    "letters beside a number below 0": (
        take([(("abca", -3), "abca"), (("b", 2), "b"), (("", -9), ""), (("xay", 0), "xay")]),
        COPYING,
        {"place": "first", "count": STEPS, "coded": (True, True)},
    ),
    "large numbers": (  # larger than any memory
        lists(running_max, large=2**40),
        MAXIMUM,
        {"place": "first", "count": STEPS},
    ),
    "sum of large numbers": (
        lists(sum, large=10**9),
        SUM,
        {"coded": (False,), "count": STEPS},
    ),
    "letters": (
        take([("banana", "bbnnnn"), ("a", "a"), ("cab", "ccc"), ("abc", "abc")]),
        MAXIMUM,
        {"place": "first", "count": STEPS},
    ),
}


@pytest.mark.parametrize("name", WORKED)
def test_the_text_gives_what_the_examples_and_the_machine_give(name):
    given, text, fields = WORKED[name]
    found, made = candidate(given, text, **fields), made_of(name)
    assert made.right, made.code
    assert made.differs is None
    assert made.same > 80
    # Independently of the observed machine: the table, run by NumPy in roomy memories.
    layout = found.problem.layout
    for inputs in draw_inputs(domain_of(given, layout)).drawn[:10]:
        before = layout.memory(inputs, own_codes(layout, inputs))
        if max(before) > 1_000:
            continue
        cells = 4 * (len(before) + sum(before)) + 8
        ran = run_wiring(
            found.config,
            found.table,
            np.array([[*before, *[0] * (cells - len(before))]]),
            np.array([layout.steps(inputs)]),
        )
        answer = made.function(*inputs)
        values = [*map(ord, answer)] if isinstance(answer, str) else answer
        values = values if isinstance(values, list) else [values]
        begins = layout.answer_begins(inputs)
        base = layout.base(inputs) if layout.answer_coded else 0
        kept = ran.memories[0, begins : begins + len(values)] + base
        assert kept.tolist() == values


def test_an_answer_that_has_no_end_is_a_mistake_and_takes_no_memory():
    """The machine says that its answer ends at the address that its first element is."""
    small = [([9, 0], [9, 0]), ([7, 0, 1], [7, 0]), ([5, 0, 1], [5])]
    given = take([*small, ([10**12, 0, 3, 4], [10**12])])
    text = "registers 2\ngates ONE READ ZERO WRITE\nelse:\n    WRITE(ZERO, READ(ONE))\n"
    found = candidate(given, text, zero_ended=False, place="first")
    assert found.problem.layout.length.of == "mark"
    with pytest.raises(SoftmachineError, match="more than 2,000 elements"):
        make(found, given)
    listed = load_function("def program(n):\n    return [0 for i in range(n)]\n")
    assert len(listed(1_000)) == 1_000
    with pytest.raises(RuntimeError, match="does not end"):
        listed(2_000_000)


@pytest.mark.parametrize("name", ["running maximum", "sum"])
def test_without_time_a_program_is_tested_but_not_made_shorter(name):
    given, text, fields = WORKED[name]
    late = make(candidate(given, text, **fields), given, TimeLimit(1.0, lambda: 0.0), tests=2.0)
    assert late.right
    assert len(late.code) > len(made_of(name).code)
    # Nothing is compared when the time is over; it is asked for before each run.
    clock = itertools.count()
    with pytest.raises(TimeIsOverError):
        make(candidate(given, text, **fields), given, TimeLimit(20.0, lambda: next(clock)))
    assert next(clock) == 21
    assert question(late, [made_of(name)], [([2, 1],)], TimeLimit(0.0, lambda: 0.0)) is None


@needs_compiler
@pytest.mark.parametrize("name", WORKED)
def test_in_c_it_is_the_same(name, tmp_path):
    given, made = WORKED[name][0], made_of(name)
    code = c_function(made.program, made.layout, "A program.", ["A note."])
    function = load_c_function(code, made.layout, tmp_path)
    assert all(outcome.right for outcome in check(function, given))
    for inputs in draw_inputs(domain_of(given, made.layout)).all[::10]:
        assert function(*inputs) == made.function(*inputs)


@needs_compiler
@pytest.mark.parametrize(
    "name",
    [
        "largest",
        "i",
        "left",
        "length",
        "status",
        "next",
        "free",
        "begin",
        "int64_t",
        "linux",
        "asm",
    ],
)
def test_arguments_may_be_called_as_a_program_calls_its_own(name, tmp_path):
    """Then variables get other names, and in C so do parameters."""
    _, text, fields = WORKED["cap below 0"]
    keys = (name, f"{name}_length")
    lines = [
        {keys[0]: [3, -1, 9], keys[1]: 4, "output": [3, -1, 4]},
        {keys[0]: [-5], keys[1]: -9, "output": [-9]},
        {keys[0]: [7, 0], keys[1]: -2, "output": [-2, -2]},
        {keys[0]: [100, 8], keys[1]: 50, "output": [50, 8]},
    ]
    given = take(lines)
    made = make(candidate(given, text, **fields), given)
    assert made.right, made.code
    code = c_function(made.program, made.layout, "A program.", [])
    function = load_c_function(code, made.layout, tmp_path)
    assert all(outcome.right for outcome in check(function, given))


def test_a_loop_may_go_on_far_behind_the_list():
    """As many steps as the square: a list would be too short for them."""
    given = lists(running_max)
    fields = {"place": "first", "count": Count("list", 1, 1, 0, power=2)}
    made = make(candidate(given, MAXIMUM, **fields), given)
    assert made.right, made.code
    assert "** 2" in made.code


@needs_compiler
def test_texts_of_any_letters_stand_in_the_notes_and_calls(tmp_path):
    """Quotation marks, ends of lines, and what would end a comment."""
    odd = '"""\\ \n*/??/\\'
    given = take([(odd, odd[0]), ("ab", "a"), ("b" + odd, "b")])
    _, text, fields = WORKED["the first letter"]
    made = make(candidate(given, text, **fields), given)
    assert made.right
    found = finish(begin(given, Options()), [made])
    shown = dataclasses.replace(made, outcomes=made.outcomes[:1])
    notes = [f"For {odd!r} it gives {odd[0]!r}.", odd]
    code = python_function(made.program, made.layout, odd, notes, making.shown_calls(shown))
    for number, text in enumerate((found.python, code)):
        module = types.ModuleType(f"found{number}")
        exec(text, module.__dict__)
        runner = DocTestRunner()
        for test in DocTestFinder().find(module, module.__name__):
            runner.run(test)
        assert (runner.failures, runner.tries) == (0, 1)
    text = c_function(made.program, made.layout, odd, notes)
    assert load_c_function(text, made.layout, tmp_path)(odd) == '"'


def test_the_running_maximum_reads_as_a_person_would_write_it():
    made = made_of("running maximum")
    body = made.code.split("def program")[1].strip().split("\n")[2:]
    assert body == [
        "    if min(items, default=1) < 1:",
        '        raise ValueError("items has to hold numbers from 1 on")',
        "    memory = [*items, 0]",
        "    largest = 0",
        "    for i in range(len(items)):",
        "        largest = max(memory[i], largest)",
        "        memory[i] = largest",
        "    return memory[:len(items)]",
    ]


def test_a_sum_is_held_and_given_back():
    made = made_of("sum")
    assert made.code.endswith("    return total\n")
    assert made.function([7, 8, 9]) == 24
    assert made.function([]) == 0


def test_what_the_layout_cannot_hold_is_refused_by_the_function():
    function = made_of("running maximum").function
    with pytest.raises(ValueError, match="items has to hold numbers from 1 on"):
        function([3, 0])


def test_the_module_says_what_was_tested_and_its_call_is_true():
    begun = begin(WORKED["running maximum"][0], Options())
    found = finish(begun, [made_of("running maximum")])
    assert "Right on 5 of 5 (100 %) of the examples." in found.python
    assert found.question is None
    module = types.ModuleType("found")
    exec(found.python, module.__dict__)
    runner = DocTestRunner()
    for test in DocTestFinder().find(module, "found"):
        runner.run(test)
    assert runner.failures == 0
    assert runner.tries == 1
    assert found([2, 9, 4]) == [2, 9, 9]
    assert "The same in C" in found.report


def on_one_line(values):
    return pairs_in(json.dumps(values))


def two_on_a_line(values):
    texts = [*map(json.dumps, values)]
    rows = [", ".join(texts[i : i + 2]) for i in range(0, len(texts), 2)]
    return pairs_in("[" + ",\n".join(rows) + "]")


def with_one_number(values):
    """However it came about: lines are for messages alone."""
    given = on_one_line(values)
    pairs = tuple(dataclasses.replace(pair, line=1) for pair in given.pairs)
    return dataclasses.replace(given, pairs=pairs)


@needs_compiler
@pytest.mark.parametrize(
    ("read", "count"),
    [
        (on_one_line, 3),
        (on_one_line, 8),
        (on_one_line, 24),
        (two_on_a_line, 22),
        (with_one_number, 24),
    ],
)
def test_figures_count_examples_however_many_stand_on_a_line(read, count):
    lists = [[1 + i % 9, 1 + i // 9, *range(1, 1 + i % 4)] for i in range(count)]
    lists[2] = [9, 2] * 20  # too large for the search
    given = read([{"input": x, "output": running_max(x)} for x in lists])
    begun, fields = begin(given, Options()), {"place": "first", "count": STEPS}
    held_out = count // 5 if count >= HELD_OUT_FROM else 0
    assert len(begun.held_out) == held_out
    assert [pair.inputs for pair in begun.large] == [([9, 2] * 20,)]
    assert begun.words()[-1].startswith(f"{count - held_out - 1} examples to search with")
    found = finish(begun, [make(candidate(given, MAXIMUM, **fields), given)])
    unseen = held_out + 1
    told = (
        f"Right on {count} of {count} (100 %) of the examples. The search did not see {unseen} "
        f"of them: {unseen} of {unseen} (100 %)."
    )
    for text in (found.python, found.c, found.report):
        assert told in " ".join(text.replace(" * ", " ").split())
    assert f"The same in C: right on {count} of {count} (100 %)" in found.report
    assert found.wrong_in_c is None


@pytest.mark.parametrize("read", [on_one_line, two_on_a_line, with_one_number])
def test_a_search_gets_the_same_however_many_stand_on_a_line(read):
    """Of memories in one document, too, which are taken as lists; see `reading`."""
    values = [
        {"input": [*x, 0], "output": [*(2 * y for y in x), 0], "mask": [*(1 for _ in x), 0]}
        for x in ([1 + (7 * i + j) % 6 for j in range(i % 40 + 1)] for i in range(42))
    ]
    begun, alone = (
        begin(given, Options())
        for given in (read(values), pairs_in(json.dumps(values, indent=1)))
    )
    for one, other in zip(begun.problems, alone.problems, strict=True):
        assert one.layout == other.layout
        assert [x.inputs for x in one.large] == [x.inputs for x in other.large] != []
        for mine, theirs in zip(one.batch, other.batch, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert [x.inputs for x in begun.held_out] == [x.inputs for x in alone.held_out]


@pytest.mark.parametrize("answer", [4, None])
def test_a_c_text_that_does_something_else_is_told_as_wrong(monkeypatch, answer):
    given, made = WORKED["sum"][0], made_of("sum")

    def load(*_):
        def run(items):
            if items == [2]:
                if answer is None:
                    raise ValueError("the C function returned 3")
                return answer
            return sum(items)

        return run

    monkeypatch.setattr(in_c, "load_c_function", load)
    found = finish(begin(given, Options()), [made])
    gives = repr(answer or "ValueError: the C function returned 3")
    assert found.wrong_in_c == f"for example 2 Python gives 2, C {gives}"
    told = f"WRONG in C: right on 4 of 5 (80.0 %) of the examples; {found.wrong_in_c}."
    assert found.report.endswith(told)
    assert told in " ".join(found.c.replace(" * ", " ").split())
    assert "Right on 5 of 5" not in found.c
    assert "Right on 5 of 5 (100 %)" in found.python


def test_its_json_holds_the_wires_and_they_compile():
    begun, made = begin(WORKED["running maximum"][0], Options()), made_of("running maximum")
    value = json.loads(finish(begun, [made]).json)
    assert value["function"]["signature"] == "def program(items: list[int]) -> list[int]"
    assert value["tests"] == {"examples": 5, "right": 5, "compared": made.same}
    assert value["ask"] is None
    config, table = wiring_from_json(value["machine"])
    again = read_wiring(compile_wiring(config, table))
    np.testing.assert_array_equal(again.sources, made.candidate.table.sources)


def test_programs_that_agree_on_the_examples_are_told_apart():
    ascending = take([([1, 2, 5], [1, 2, 5]), ([3], [3]), ([2, 2], [2, 2])])
    made = [
        make(candidate(ascending, text, place="first", count=STEPS), ascending)
        for text in (COPYING, MAXIMUM)
    ]
    assert all(one.right for one in made)
    inputs = [([1],), ([1, 2],), ([2, 1],), ([3, 1, 2],)]
    asked = question(made[0], made[1:], inputs)
    assert asked.programs == 2
    assert asked.asked.inputs == ([2, 1],)
    assert asked.asked.answers == [([2, 1], 1), ([2, 2], 1)]
    assert "Add program([2, 1]) with the right answer as one more example" in str(asked)
    assert asked.to_json()["inputs"] == [[2, 1]]
    # Another text of the same program is not another opinion.
    assert question(made[0], [made[1], made[1], made[0]], inputs) == asked
    assert question(made[0], [made[0]], inputs) is None
    assert best_of(made) is made[0]


def test_from_examples_to_a_function():
    """Two letters and three: enough, if only moving and comparing is possible."""
    found = synthesize([(["d", "e"], "e"), (["a", "b", "c"], "b"), (["x", "y"], "y")], seed=1)
    assert found.made.right
    assert found(["a", "b", "c"]) == "b"
    assert re.search(r"def program\(items: list\[str\]\) -> str", found.python)
    assert load_function(found.python)(["d", "e"]) == "e"


def test_without_time_it_says_what_may_help():
    examples = [([3, 1], [1, 3]), ([2, 5, 4], [2, 4, 5])]
    with pytest.raises(
        SoftmachineError, match=r"no program was found in 0 minutes\. What may help: more time"
    ):
        synthesize(examples, minutes=0.0)


def test_what_may_help_with_memories_depends_on_what_was_seen():
    lines = [{"input": [i, 0], "output": [2, 0], "size": 1} for i in range(1, 9)]
    task = Given(examples="\n".join(map(json.dumps, lines)))
    seen = {"validations": 9, "best_error": 0.5, "right_to": 0}
    late, near, far, twice = (
        " ".join(for_memories(task, gates, **(seen | more)))
        for gates, more in (
            (PAPER_GATES, {"validations": 1}),
            (PAPER_GATES, {"right_to": 1}),
            (PAPER_GATES, {}),
            (("READ", "READ", "WRITE", "ZERO"), {}),
        )
    )
    assert "more --minutes" in late
    assert "--steps-per-size 2" in near
    assert "a gate twice" in far
    assert "a gate twice" not in twice
    assert "another --seed" in twice


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"minutes": math.nan}, "minutes must be 0 or more, not nan"),
        ({"seed": 10**20}, "seed must be from 0"),
        ({"memory": 10**9}, "memory must be at most 4,096"),
        ({"registers": 0}, "registers must be at least 1"),
        ({"gates": ["FOO"]}, "there is no gate 'FOO'"),
    ],
)
def test_odd_options_are_refused(options, words):
    with pytest.raises((SoftmachineError, ValueError), match=re.escape(words)):
        synthesize([([3, 1], [1, 3]), ([2, 5, 4], [2, 4, 5])], **options)


def test_what_may_help_depends_on_what_was_seen():
    few = begin(lists(sum), Options())
    many = begin(take([([i, 1, 2], i) for i in range(1, 40)]), Options())
    searched = Totals(attempts=900, tried=10**6, error=0.04)
    wrong = dataclasses.replace(
        made_of("sum"),
        outcomes=(Outcome(Pair(3, ([2, 2],), 4), 5, False),),
    )
    options = Options(gates=("READ", "ADD", "WRITE", "ZERO"))
    told = {
        "short": why_nothing(few, Findings([], []), options),
        "close": why_nothing(many, Findings([], [], searched), options),
        "wrong": why_nothing(few, Findings([], [wrong], searched), options),
        "far": why_nothing(few, Findings([], [], searched._replace(error=0.5)), Options()),
    }
    helps = {name: text.split("What may help: ")[1] for name, text in told.items()}
    assert len(set(helps.values())) == 4
    assert helps["short"].startswith("more time")
    assert helps["close"].startswith("another --seed")
    assert helps["wrong"].startswith("more short examples of the kind that it misses")
    assert "--gates" in helps["far"]
    assert (
        "the closest misses 1 of 5 examples, first example 3: 5 in place of 4" in told["wrong"]
    )
    assert "1,000,000 loops that were tried the closest has 4% of the cells" in told["close"]
