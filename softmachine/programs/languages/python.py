"""A program written in Python."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from softmachine.programs.assignments import assignments
from softmachine.programs.expressions import Expressions, Syntax, steps_formula
from softmachine.programs.naming import first_values
from softmachine.programs.program import Program
from softmachine.programs.statements import statements
from softmachine.programs.syntax_tree import (
    Assign,
    AssignCell,
    For,
    If,
    Jump,
    Repeat,
    Statement,
    Switch,
    While,
)
from softmachine.programs.tidy import with_counters
from softmachine.programs.values import LEAST_CELLS, Value
from softmachine.tasks.steps import StepRule

WIDTH = 79
"""Characters in a line of generated code, if it can be wrapped."""


class Call(NamedTuple):
    """A call of a program that was seen: a list and what became of it."""

    cells: Sequence[int]
    answer: Sequence[int]


SYNTAX = Syntax(
    wrap=lambda text, value: f"{text} % n" if _single(value) else f"({text}) % n",
    gates={
        "MIN": "min({}, {})",
        "MAX": "max({}, {})",
        "LESS-THAN": "int({} < {})",
        "LESS-OR-EQUAL-THAN": "int({} <= {})",
        "EQUALITY-TEST": "int({} == {})",
    },
    both=" and ",
)


UNBOUNDED = dataclasses.replace(
    SYNTAX,
    wrap=lambda text, _: text,
    unbounded=True,
    rank="rank({})",
    ranked={"MIN": "min({}, {}, key=rank)", "MAX": "max({}, {}, key=rank)"},
)
"""The syntax where numbers are integers of any size; see `Syntax.unbounded`."""

RANK = '''\
def rank(value: int) -> tuple[bool, int]:
    """Return what numbers are compared by: those below 0 are larger than all others."""
    return value < 0, value'''


def syntax_of(program: Program) -> Syntax:
    """Return the Python syntax for the expressions of a program."""
    return UNBOUNDED if program.unbounded else SYNTAX


def _single(value: Value) -> bool:
    """Return whether a value is written as a single number."""
    return value.is_constant and value.constant >= 0


def python_code(
    program: Program, summary: str, notes: Sequence[str], call: Call | None = None
) -> str:
    """Return the text of a module with a function ``run(cells: list[int]) -> list[int]``.

    Arguments:
        program: what the function does.
        summary: the first line of the module's docstring.
        notes: the paragraphs after it.
        call: shown in the function's docstring as a doctest, and so has to be true.

    Raises:
        SoftmachineError: the program has a gate that cannot be written as code.
    """
    found, first = with_counters(statements(program, syntax_of(program)), first_values(program))
    body = statement_lines(found, 1)
    lines = [f'"""{plain(summary)}', ""]
    for note in notes:
        lines += [*textwrap.wrap(plain(note), WIDTH - 4), ""]
    lines[-1] = '"""'
    if not program.unbounded:
        return "\n".join([*lines, "", "", *_bounded(program, first, body, call)]) + "\n"
    parts = _unbounded(program, first, body, call)
    if any("rank(" in line for line in body) or any("key=rank" in line for line in body):
        parts = [RANK.split("\n"), *parts]
    imports = ["from collections import defaultdict"]
    if any("itertools." in line for part in parts for line in part):
        imports = ["import itertools", *imports]
    lines += ["", *imports]
    for part in parts:
        lines += ["", "", *part]
    return "\n".join(lines) + "\n"


def state_lines(program: Program) -> list[list[str]]:
    """Return for each state of a program the lines that do its step, without indentation.

    Raises SoftmachineError if the program has a gate that cannot be written as code.
    """
    expressions = Expressions(program, syntax_of(program))
    return [statement_lines(assignments(expressions, state), 0) for state in program.states]


def _docstring(summary: str, call: Call | None) -> list[str]:
    """Return the docstring of ``run``."""
    if call is None:
        return [f'    """{summary}"""']
    shown = [f"    >>> run({list(call.cells)})", f"    {list(call.answer)}"]
    return [f'    """{summary}', "", *shown, '    """']


def _bounded(
    program: Program, first: Mapping[str, int], body: list[str], call: Call | None
) -> list[str]:
    """Return the lines of ``run`` for a list that is the whole memory."""
    lines = [
        "def run(memory: list[int]) -> list[int]:",
        *_docstring("Return the memory afterwards; the one given is left as it is.", call),
        "    memory, n = list(memory), len(memory)",
        f"    if n < {LEAST_CELLS} or not all(0 <= value < n for value in memory):",
        f'        raise ValueError("expected at least {LEAST_CELLS} cells, each 0 to n - 1")',
    ]
    if program.counts_steps and re.search(r"\bsteps\b", "\n".join(body)):
        lines += _steps(program.steps)
    lines += [f"    {name} = {value}" for name, value in first.items()]
    return [*lines, *body]


def _unbounded(
    program: Program, first: Mapping[str, int], body: list[str], call: Call | None
) -> list[list[str]]:
    """Return the lines of ``run`` and of the function it calls, for lists followed by zeros."""
    counts = program.counts_steps and re.search(r"\bsteps\b", "\n".join(body))
    by_length = bool(counts) and program.steps.of == "length"
    head = [
        "def run(cells: list[int]) -> list[int]:",
        *_docstring("Return the list afterwards; the one given is left as it is.", call),
        "    if not cells or not all(isinstance(cell, int) and cell >= 0 for cell in cells):",
        '        raise ValueError("expected a list of integers from 0 on, at least one")',
        "    memory = defaultdict(int, enumerate(cells))  # behind the list there are zeros",
        "    change(memory, len(cells))" if by_length else "    change(memory)",
        "    return [memory[i] for i in range(len(cells))]",
    ]
    work = [
        "def change(memory: dict[int, int]" + (", n: int" if by_length else "") + ") -> None:",
        '    """Do what the machine does, in a memory that is as large as it has to be."""',
    ]
    if counts:
        work += _steps_unbounded(program.steps)
    work += [f"    {name} = {value}" for name, value in first.items()]
    if body and body[-1] == "    return memory":
        body = body[:-1]
    back = [line.replace("return memory", "return") for line in body]
    return [head, [*work, *back]]


def plain(text: str) -> str:
    """Return text escaped so that it cannot end a docstring; paths come from outside."""
    return text.replace("\\", "\\\\").replace('"""', "'" * 3)


def _steps(steps: StepRule) -> list[str]:
    """Return the lines that compute the number of steps."""
    start = f"{steps.place}, " if steps.place else ""
    quantity = {
        "cell": f"memory[{steps.place}]",
        "array": f"next((i for i in range({start}n) if memory[i] == 0), n)",
        "length": _items(steps),
        "nothing": "",
    }[steps.of]
    if steps.of == "array" and steps.place:
        quantity += f" - {steps.place}"
    return _counted(steps, quantity)


def _steps_unbounded(steps: StepRule) -> list[str]:
    """Return the lines that compute the number of steps, for a list followed by zeros."""
    start = f"{steps.place}" if steps.place else ""
    first_zero = f"next(i for i in itertools.count({start}) if memory[i] == 0)"
    quantity = {
        "cell": f"memory[{steps.place}]",
        "array": f"{first_zero} - {steps.place}" if steps.place else first_zero,
        "length": _items(steps),
        "nothing": "",
    }[steps.of]
    return _counted(steps, quantity)


def _items(steps: StepRule) -> str:
    """Return the expression for how many items fit into n cells."""
    cells = f"max(n - {steps.place}, 0)" if steps.place else "n"
    return f"{cells} // {steps.divisor}" if steps.divisor > 1 else cells


def _counted(steps: StepRule, quantity: str) -> list[str]:
    """Return the lines that compute the number of steps from a quantity."""
    formula, negative = steps_formula(steps)
    lines = [f"    quantity = {quantity}"] if steps.factor else []
    return [*lines, f"    steps = max({formula}, 0)" if negative else f"    steps = {formula}"]


def _range(loop: For, steps: str) -> str:
    """Return the values that a loop's variable takes."""
    if loop.step == 1:
        # As many turns as there are steps left, from the start on.
        stop = steps_left(steps, loop.taken - loop.start)
        return f"range({loop.start}, {stop})" if loop.start else f"range({stop})"
    count = steps_left(steps, loop.taken)
    times = count if re.fullmatch(r"[\w.]+(\([\w.]*\))?", count) else f"({count})"
    step = str(abs(loop.step))
    change = times if step == "1" else f"{step} * {times}"
    sign = "+" if loop.step > 0 else "-"
    stop = f"{loop.start} {sign} {change}" if loop.start or loop.step < 0 else change
    stop = stop.removeprefix("0 - ") if stop.startswith("0 + ") else stop
    return f"range({loop.start}, {stop}, {loop.step})"


def steps_left(steps: str, taken: int) -> str:
    """Return the expression for how many steps are left after some.

    ``steps`` is a name, or a sum that may end with a number: ``len(items) + 1``.
    """
    found = re.fullmatch(r"(.*) ([+-]) (\d+)", steps)
    text, number = (found[1], int(found[2] + found[3])) if found else (steps, 0)
    if re.fullmatch(r"\d+", steps):
        return str(int(steps) - taken)
    number -= taken
    return f"{text} {'+' if number > 0 else '-'} {abs(number)}" if number else text


def statement_lines(found: Sequence[Statement], depth: int, steps: str = "steps") -> list[str]:
    """Return the lines of statements, indented by a depth; ``steps`` is how many there are."""
    indent, lines = "    " * depth, []
    for i, statement in enumerate(found):
        if isinstance(statement, Assign):
            lines += _noted(f"{indent}{assignment(statement)}", statement.comment)
        elif isinstance(statement, AssignCell):
            text = f"{indent}memory[{statement.address}] = {statement.expression}"
            lines += _noted(text, statement.comment)
        elif isinstance(statement, If):
            lines += _if(statement, depth, steps)
        elif isinstance(statement, While):
            lines += [f"{indent}while {statement.condition or 'True'}:"]
            lines += statement_lines(statement.body, depth + 1, steps)
        elif isinstance(statement, Repeat):
            count = steps_left(steps, statement.taken)
            lines += [f"{indent}for _ in range({count}):"]
            lines += statement_lines(statement.body, depth + 1, steps)
        elif isinstance(statement, For):
            lines += [f"{indent}for {statement.name} in {_range(statement, steps)}:"]
            lines += statement_lines(statement.body, depth + 1, steps)
        elif isinstance(statement, Switch):
            lines += [f"{indent}match state:"]
            for name, body in statement.cases:
                lines += [
                    f'{indent}    case "{name}":',
                    *statement_lines(body, depth + 2, steps),
                ]
                lines += [] if body else [f"{indent}        pass"]
        elif isinstance(statement, Jump):
            word = statement.kind
            endless = word == "return" and i and _endless(found[i - 1])
            text = {"return": "return memory", "goto": f'state = "{statement.state}"'}
            lines += [] if endless else [indent + text.get(word, word)]
    return lines


def _if(statement: If, depth: int, steps: str, *, short: bool = True) -> list[str]:
    """Return an if-statement; with ``short`` a choice between two states takes one line."""
    indent, body, otherwise = "    " * depth, statement.body, statement.otherwise
    if (
        short
        and len(body) == len(otherwise) == 1
        and all(isinstance(s, Jump) and s.kind == "goto" for s in (body[0], otherwise[0]))
    ):
        names = [s.state for s in (body[0], otherwise[0]) if isinstance(s, Jump)]
        line = f'{indent}state = "{names[0]}" if {statement.condition} else "{names[1]}"'
        if len(line) <= WIDTH:
            return [line]
    lines = [f"{indent}if {statement.condition}:", *statement_lines(body, depth + 1, steps)]
    if len(otherwise) == 1 and isinstance(otherwise[0], If):
        first, *rest = _if(otherwise[0], depth, steps, short=False)
        if first.startswith(f"{indent}if "):
            return [*lines, f"{indent}elif {first.removeprefix(f'{indent}if ')}", *rest]
    return lines + (
        [f"{indent}else:", *statement_lines(otherwise, depth + 1, steps)] if otherwise else []
    )


def assignment(statement: Assign) -> str:
    """Return an assignment, ``x = ...`` or ``x += 1``, without a semicolon or comment."""
    name, formula = statement.name, statement.expression
    changed = re.fullmatch(rf"{name} ([+-]) (\w+)", formula)
    if changed:
        return f"{name} {changed[1]}= {changed[2]}"
    added = re.fullmatch(rf"([\w.\[\]]+) \+ {name}", formula)
    return f"{name} += {added[1]}" if added and name != added[1] else f"{name} = {formula}"


def _endless(statement: Statement) -> bool:
    """Return whether a statement is a loop that is never left by ``break``."""
    return (
        isinstance(statement, While) and not statement.condition and not _breaks(statement.body)
    )


def _breaks(body: Sequence[Statement]) -> bool:
    return any(
        (isinstance(s, Jump) and s.kind == "break")
        or (isinstance(s, If) and (_breaks(s.body) or _breaks(s.otherwise)))
        for s in body
    )


def _noted(line: str, comment: str) -> list[str]:
    """Return a line with its comment, behind it if there is room, else above."""
    if not comment:
        return [line]
    if len(line) + 4 + len(comment) <= WIDTH:
        return [f"{line}  # {comment}"]
    indent = " " * (len(line) - len(line.lstrip()))
    above = textwrap.wrap(comment, WIDTH - len(indent) - 2)
    return [*(f"{indent}# {part}" for part in above), line]
