"""A program written in C99."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from softmachine.programs.c_unbounded import GROW, MEMORY, RUN, unbounded
from softmachine.programs.c_unbounded import HELPERS as UNBOUNDED_HELPERS
from softmachine.programs.expressions import Syntax, steps_formula
from softmachine.programs.languages.python import WIDTH, assignment
from softmachine.programs.naming import first_values
from softmachine.programs.program import Program
from softmachine.programs.statements import statements
from softmachine.programs.syntax_tree import (
    Assign,
    AssignCell,
    If,
    Jump,
    Repeat,
    Statement,
    Switch,
    While,
)
from softmachine.programs.values import LEAST_CELLS, Value
from softmachine.tasks.steps import StepRule


def _wrap(text: str, value: Value) -> str:
    """Return a sum reduced to 0..n-1, by one comparison if it cannot be far outside."""
    plus = sum(factor for _, factor in value.terms if factor > 0)
    minus = -sum(factor for _, factor in value.terms if factor < 0)
    number = value.constant
    # Is the sum in -n..2n-1 for every n from LEAST_CELLS on? Atoms are in 0..n-1.
    low = number >= -LEAST_CELLS if minus == 0 else minus == 1 and number >= -1
    high = number <= LEAST_CELLS if plus <= 1 else plus == 2 and number <= 1
    return f"{'wrap' if low and high else 'modulo'}({text}, n)"


SYNTAX = Syntax(
    wrap=_wrap,
    gates={
        "MIN": "smaller({}, {})",
        "MAX": "larger({}, {})",
        "LESS-THAN": "({} < {})",
        "LESS-OR-EQUAL-THAN": "({} <= {})",
        "EQUALITY-TEST": "({} == {})",
    },
    both=" && ",
)

NO_FAILURE = "!memory->status"
"""The condition that an unbounded program has not failed: no number was too large so far."""

HELPERS = {
    "wrap": """\
/* x, from -n to 2n - 1, brought into 0 to n - 1. */
static inline int64_t wrap(int64_t x, int64_t n) {
    return x < 0 ? x + n : x < n ? x : x - n;
}""",
    "modulo": """\
/* The remainder of x, from 0 to n - 1. */
static inline int64_t modulo(int64_t x, int64_t n) {
    return (x % n + n) % n;
}""",
    "smaller": """\
static inline int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}""",
    "larger": """\
static inline int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}""",
}


def c_code(
    program: Program, summary: str, notes: Sequence[str], entry: str | None = None
) -> str:
    """Return the text of a C99 file with ``int run(int64_t *cells, size_t length)``.

    Arguments:
        program: what the function does.
        summary: the first line of the comment at the top.
        notes: the paragraphs after it.
        entry: of an unbounded program, the function to write in place of ``run``. It calls
            ``change(&memory, steps)``, and so says itself how many steps there are.

    Raises:
        SoftmachineError: the program has a gate that cannot be written as code, or a sum that
            could overflow 64 bits.
    """
    head = [f"/* {_plain(summary)}"]
    for note in notes:
        wrapped = textwrap.wrap(_plain(note), WIDTH - 3, break_on_hyphens=False)
        head += [" *", *(f" * {line}" for line in wrapped)]
    headers = ["stddef.h", "stdint.h"]
    headers += ["stdlib.h", "string.h"] if program.unbounded else []
    head += [" */", "", *(f"#include <{name}>" for name in headers)]
    parts = _unbounded(program, entry) if program.unbounded else _bounded(program)
    return "\n\n".join(["\n".join(head), *parts]) + "\n"


def _bounded(program: Program) -> list[str]:
    """Return the functions of a program whose list is the whole memory."""
    found = statements(program, SYNTAX)
    body = _lines(found, 1, program)
    code = "\n".join(body)
    helpers = [text for name, text in HELPERS.items() if f"{name}(" in code]
    lines = [
        "/* Changes the memory in place and returns 0. Leaves it as it is and returns 1",
        "   if it has too few cells or too many, 2 if one holds less than 0 or more than",
        "   length - 1.",
        " */",
        "int run(int64_t *memory, size_t length);",
        "",
        "int run(int64_t *memory, size_t length) {",
        f"    if (length < {LEAST_CELLS} || length > ((size_t)-1 >> 8)) {{",
        "        return 1;",
        "    }",
        "    const int64_t n = (int64_t)length;",
        "    for (int64_t i = 0; i < n; i++) {",
        "        if (memory[i] < 0 || memory[i] >= n) {",
        "            return 2;",
        "        }",
        "    }",
        *_declarations(program, found, code),
    ]
    return [*helpers, "\n".join([*lines, *body, "}"])]


def _unbounded(program: Program, entry: str | None) -> list[str]:
    """Return the functions of a program whose list is followed by zeros."""
    syntax = unbounded(SYNTAX)
    found = statements(program, syntax)
    body = _lines(found, 1, program)
    code = "\n".join(body)
    helpers = HELPERS | UNBOUNDED_HELPERS
    declared = _declarations(program, found, code, steps_given=entry is not None)
    counted = re.search(r"\bsteps\b", "\n".join([*declared, code]))
    code = "\n".join([*declared, code, entry or ""])
    used = [text for name, text in helpers.items() if f"{name}(" in code]
    if "store(" in code:
        used.insert(0, GROW)
    if body and body[-1] == "    return;":
        body = body[:-1]
    change = [
        "/* Does what the machine does, in a memory that is as large as it has to be. */",
        f"static void change(struct memory *memory{', int64_t steps' if entry else ''}) {{",
        *declared,
        *body,
        *([] if body else ["    (void)memory;"]),
        *(["    (void)steps;"] if entry and not counted else []),
        "}",
    ]
    return [MEMORY, *used, "\n".join(change), entry or RUN]


def _declarations(
    program: Program, found: Sequence[Statement], code: str, *, steps_given: bool = False
) -> list[str]:
    """Return the lines that compute the number of steps and declare the variables."""
    lines = []
    if not steps_given and program.counts_steps and re.search(r"\bsteps\b", code):
        lines += _steps(program.steps, program.unbounded)
    names = sorted({s.name for s in _walk(found) if isinstance(s, Assign)})
    first = first_values(program)
    held = list(dict.fromkeys([*first, *names]))
    lines += [f"    int64_t {name} = {first.get(name, 0)};" for name in held]
    if any(isinstance(s, Switch) for s in _walk(found)):
        states = ", ".join(_state(state.name) for state in program.states)
        lines += [f"    enum {{ {states} }} state;"]
    return lines


def _plain(text: str) -> str:
    """Return text that cannot begin or end a comment, nor a trigraph."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


def _state(name: str) -> str:
    """Return the enumeration constant of a state."""
    return name.upper()


def _steps(steps: StepRule, unbounded: bool) -> list[str]:
    """Return the lines that compute the number of steps.

    ``unbounded``: the list is followed by zeros, so that the search for a 0 always ends.
    """
    formula, negative = steps_formula(steps)
    n = "memory->length" if unbounded else "n"
    lines = []
    if steps.factor and steps.of == "array":
        address = f"quantity + {steps.place}" if steps.place else "quantity"
        cell = f"load(memory, {address})" if unbounded else f"memory[{address}]"
        inside = "" if unbounded else f"{address} < n && "
        lines += [
            "    int64_t quantity = 0;",
            f"    while ({inside}{cell} != 0) {{",
            "        quantity++;",
            "    }",
        ]
    elif steps.factor:
        items = f"({n} < {steps.place} ? 0 : {n} - {steps.place})" if steps.place else n
        quantity = {
            "cell": f"load(memory, {steps.place})" if unbounded else f"memory[{steps.place}]",
            "length": f"{items} / {steps.divisor}" if steps.divisor > 1 else items,
        }[steps.of]
        lines += [f"    const int64_t quantity = {quantity};"]
    lines += [f"    int64_t steps = {formula};"]
    return lines if not negative else [*lines, "    steps = steps < 0 ? 0 : steps;"]


def _walk(found: Sequence[Statement]) -> Iterator[Statement]:
    """Yield all statements, nested ones too."""
    for statement in found:
        yield statement
        if isinstance(statement, If):
            yield from _walk([*statement.body, *statement.otherwise])
        elif isinstance(statement, While | Repeat):
            yield from _walk(statement.body)
        elif isinstance(statement, Switch):
            for _, body in statement.cases:
                yield from _walk(body)


def _lines(found: Sequence[Statement], depth: int, program: Program) -> list[str]:
    """Return the lines of statements, indented by a depth."""
    indent, lines = "    " * depth, []

    def block(head: str, body: Sequence[Statement]) -> list[str]:
        return [f"{indent}{head} {{", *_lines(body, depth + 1, program), f"{indent}}}"]

    for statement in found:
        if isinstance(statement, Assign):
            lines += _noted(f"{indent}{assignment(statement)};", statement.comment)
        elif isinstance(statement, AssignCell):
            put = "store(memory, {}, {});" if program.unbounded else "memory[{}] = {};"
            text = indent + put.format(statement.address, statement.expression)
            lines += _noted(text, statement.comment)
        elif isinstance(statement, If):
            condition = statement.condition
            lines += block(f"if ({condition})", statement.body)
            if statement.otherwise:
                lines[-1] += " else {"
                lines += [*_lines(statement.otherwise, depth + 1, program), f"{indent}}}"]
        elif isinstance(statement, While):
            condition = statement.condition
            if program.unbounded:
                condition = f"{NO_FAILURE} && {condition}" if condition else NO_FAILURE
            head = f"while ({condition})" if condition else "for (;;)"
            lines += block(head, statement.body)
        elif isinstance(statement, Repeat):
            condition = "step < steps" + (f" && {NO_FAILURE}" if program.unbounded else "")
            head = f"for (int64_t step = {statement.taken}; {condition}; step++)"
            lines += block(head, statement.body)
        elif isinstance(statement, Switch):
            for j, (name, body) in enumerate(statement.cases):
                last = j == len(statement.cases) - 1
                head = "" if last else f"if (state == {_state(name)}) "
                lines += [f"{indent}{head}{{" if not j else f"{lines.pop()} else {head}{{"]
                lines += [f"{indent}    /* {name} */"] if last else []
                lines += [*_lines(body, depth + 1, program), f"{indent}}}"]
        elif isinstance(statement, Jump):
            back = "return;" if program.unbounded else "return 0;"
            text = {"return": back, "goto": f"state = {_state(statement.state)};"}
            lines += [indent + text.get(statement.kind, f"{statement.kind};")]
    return lines


def _noted(line: str, comment: str) -> list[str]:
    """Return a line with its comment, behind it if there is room, else above."""
    if not comment:
        return [line]
    if len(line) + 7 + len(comment) <= WIDTH:
        return [f"{line} /* {comment} */"]
    indent = " " * (len(line) - len(line.lstrip()))
    above = textwrap.wrap(comment, WIDTH - len(indent) - 6)
    return [*(f"{indent}/* {part} */" for part in above), line]
