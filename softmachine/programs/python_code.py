"""A program as Python."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from softmachine.programs.naming import first_values
from softmachine.programs.program import Program
from softmachine.programs.statements import (
    Assign,
    Choose,
    If,
    Put,
    Repeat,
    Statement,
    Syntax,
    While,
    Word,
    statements,
    steps_formula,
)
from softmachine.programs.values import LEAST_CELLS, Value
from softmachine.tasks.steps import StepRule

WIDTH = 96


class Call(NamedTuple):
    """What a program was seen to do with one list."""

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
"""How formulas read where numbers become as large as they need to."""

RANK = '''\
def rank(value: int) -> tuple[bool, int]:
    """Return what numbers are compared by: those below 0 are larger than all others."""
    return value < 0, value'''


def syntax_of(program: Program) -> Syntax:
    """Return how a program's formulas read in Python."""
    return UNBOUNDED if program.unbounded else SYNTAX


def _single(value: Value) -> bool:
    return value.is_constant and value.constant >= 0


def python_code(
    program: Program, summary: str, notes: Sequence[str], call: Call | None = None
) -> str:
    """Return a module with a function ``run(cells: list[int]) -> list[int]``.

    Arguments:
        program: what the function does.
        summary: the first line of the docstring.
        notes: its paragraphs.
        call: an example for the function's docstring, which has to be true.
    """
    body = _lines(statements(program, syntax_of(program)), 1)
    lines = [f'"""{_plain(summary)}', ""]
    for note in notes:
        lines += [*textwrap.wrap(_plain(note), WIDTH - 4), ""]
    lines[-1] = '"""'
    if not program.unbounded:
        return "\n".join([*lines, "", "", *_bounded(program, body, call)]) + "\n"
    parts = _unbounded(program, body, call)
    if any("rank(" in line for line in body) or any("key=rank" in line for line in body):
        parts = [RANK.split("\n"), *parts]
    imports = ["from collections import defaultdict"]
    if any("itertools." in line for part in parts for line in part):
        imports = ["import itertools", *imports]
    lines += ["", *imports]
    for part in parts:
        lines += ["", "", *part]
    return "\n".join(lines) + "\n"


def _docstring(summary: str, call: Call | None) -> list[str]:
    """Return the docstring of ``run``."""
    if call is None:
        return [f'    """{summary}"""']
    shown = [f"    >>> run({list(call.cells)})", f"    {list(call.answer)}"]
    return [f'    """{summary}', "", *shown, '    """']


def _bounded(program: Program, body: list[str], call: Call | None) -> list[str]:
    """Return ``run`` for lists that are whole memories."""
    lines = [
        "def run(memory: list[int]) -> list[int]:",
        *_docstring("Return the memory afterwards; the one given is left as it is.", call),
        "    memory, n = list(memory), len(memory)",
        f"    if n < {LEAST_CELLS} or not all(0 <= value < n for value in memory):",
        f'        raise ValueError("expected at least {LEAST_CELLS} cells, each 0 to n - 1")',
    ]
    if program.counts_steps and re.search(r"\bsteps\b", "\n".join(body)):
        lines += _steps(program.steps)
    lines += [f"    {name} = {value}" for name, value in first_values(program).items()]
    return [*lines, *body]


def _unbounded(program: Program, body: list[str], call: Call | None) -> list[list[str]]:
    """Return ``run`` for lists with zeros behind them, and the function that it calls."""
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
    work += [f"    {name} = {value}" for name, value in first_values(program).items()]
    if body and body[-1] == "    return memory":
        body = body[:-1]
    back = [line.replace("return memory", "return") for line in body]
    return [head, [*work, *back]]


def _plain(text: str) -> str:
    """Return text that cannot end the docstring: paths and commits come from outside."""
    return text.replace("\\", "\\\\").replace('"""', "'" * 3)


def _steps(steps: StepRule) -> list[str]:
    """Return the lines that compute how many steps there are."""
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
    """Return the lines that compute how many steps there are, of a list with zeros behind."""
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
    """Return how many items fit into n cells."""
    cells = f"max(n - {steps.place}, 0)" if steps.place else "n"
    return f"{cells} // {steps.divisor}" if steps.divisor > 1 else cells


def _counted(steps: StepRule, quantity: str) -> list[str]:
    formula, negative = steps_formula(steps)
    lines = [f"    quantity = {quantity}"] if steps.factor else []
    return [*lines, f"    steps = max({formula}, 0)" if negative else f"    steps = {formula}"]


def _lines(found: Sequence[Statement], depth: int) -> list[str]:
    indent, lines = "    " * depth, []
    for i, statement in enumerate(found):
        if isinstance(statement, Assign):
            lines += _noted(f"{indent}{assignment(statement)}", statement.comment)
        elif isinstance(statement, Put):
            text = f"{indent}memory[{statement.address}] = {statement.formula}"
            lines += _noted(text, statement.comment)
        elif isinstance(statement, If):
            lines += _if(statement, depth)
        elif isinstance(statement, While):
            lines += [f"{indent}while {statement.condition or 'True'}:"]
            lines += _lines(statement.body, depth + 1)
        elif isinstance(statement, Repeat):
            count = f"steps - {statement.taken}" if statement.taken else "steps"
            lines += [f"{indent}for _ in range({count}):", *_lines(statement.body, depth + 1)]
        elif isinstance(statement, Choose):
            lines += [f"{indent}match state:"]
            for name, body in statement.cases:
                lines += [f'{indent}    case "{name}":', *_lines(body, depth + 2)]
                lines += [] if body else [f"{indent}        pass"]
        elif isinstance(statement, Word):
            word = statement.word
            endless = word == "return" and i and _endless(found[i - 1])
            text = {"return": "return memory", "goto": f'state = "{statement.state}"'}
            lines += [] if endless else [indent + text.get(word, word)]
    return lines


def _if(statement: If, depth: int, *, short: bool = True) -> list[str]:
    """Return an if-statement; ``short``: a choice between two states in one line."""
    indent, body, otherwise = "    " * depth, statement.body, statement.otherwise
    if (
        short
        and len(body) == len(otherwise) == 1
        and all(isinstance(s, Word) and s.word == "goto" for s in (body[0], otherwise[0]))
    ):
        names = [s.state for s in (body[0], otherwise[0]) if isinstance(s, Word)]
        line = f'{indent}state = "{names[0]}" if {statement.condition} else "{names[1]}"'
        if len(line) <= WIDTH:
            return [line]
    lines = [f"{indent}if {statement.condition}:", *_lines(body, depth + 1)]
    if len(otherwise) == 1 and isinstance(otherwise[0], If):
        first, *rest = _if(otherwise[0], depth, short=False)
        if first.startswith(f"{indent}if "):
            return [*lines, f"{indent}elif {first.removeprefix(f'{indent}if ')}", *rest]
    return lines + ([f"{indent}else:", *_lines(otherwise, depth + 1)] if otherwise else [])


def _next(found: Sequence[Statement]) -> str:
    """Return which state comes next as an expression, if that is all that is decided."""
    if len(found) == 1 and isinstance(found[0], Word) and found[0].word == "goto":
        return f'"{found[0].state}"'
    if len(found) == 1 and isinstance(found[0], If):
        one, other = _next(found[0].body), _next(found[0].otherwise)
        if one and other:
            one = f"({one})" if " if " in one else one
            return f"{one} if {found[0].condition} else {other}"
    return ""


def assignment(statement: Assign) -> str:
    """Return ``x = ...``, or ``x += 1``, without what ends a line."""
    name, formula = statement.name, statement.formula
    changed = re.fullmatch(rf"{name} ([+-]) (\w+)", formula)
    return f"{name} {changed[1]}= {changed[2]}" if changed else f"{name} = {formula}"


def _endless(statement: Statement) -> bool:
    """Return whether nothing after a statement is ever reached."""
    return (
        isinstance(statement, While) and not statement.condition and not _breaks(statement.body)
    )


def _breaks(body: Sequence[Statement]) -> bool:
    return any(
        (isinstance(s, Word) and s.word == "break")
        or (isinstance(s, If) and (_breaks(s.body) or _breaks(s.otherwise)))
        for s in body
    )


def _noted(line: str, comment: str) -> list[str]:
    """Return a line with its comment, behind it or above."""
    if not comment:
        return [line]
    if len(line) + 4 + len(comment) <= WIDTH:
        return [f"{line}  # {comment}"]
    indent = " " * (len(line) - len(line.lstrip()))
    above = textwrap.wrap(comment, WIDTH - len(indent) - 2)
    return [*(f"{indent}# {part}" for part in above), line]
