"""A program as a function with a person's own arguments, in Python."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from softmachine.programs.languages.python import (
    RANK,
    UNBOUNDED,
    WIDTH,
    plain,
    statement_lines,
    steps_left,
)
from softmachine.programs.naming import first_values
from softmachine.programs.program import Program
from softmachine.programs.statements import statements
from softmachine.programs.syntax_tree import RETURN, Assign, AssignCell, For, Repeat, Statement
from softmachine.programs.tidy import inlined, map_statements, texts, walk, with_counters
from softmachine.synthesis.layout import Layout
from softmachine.synthesis.padding import padding_of


class Shown(NamedTuple):
    """A call that is shown in the docstring, and so has to be true."""

    inputs: Sequence[Any]
    answer: Any


def python_function(
    program: Program,
    layout: Layout,
    summary: str,
    notes: Sequence[str],
    shown: Sequence[Shown],
    *,
    held: bool = False,
) -> str:
    """Return the text of a module with a function ``program`` of a person's arguments.

    Arguments:
        program: what the function does to a memory.
        layout: how arguments and answer lie in a memory, and how many steps there are.
        summary: the first line of the module's docstring.
        notes: the paragraphs after it.
        shown: calls for the function's docstring.
        held: whether an answer that the last loop stores again and again is left in its
            variable; nothing proves that this is the same.

    Raises:
        SoftmachineError: the program has a gate that cannot be written as code.
    """
    found, first = with_counters(statements(program, UNBOUNDED), first_values(program))
    found = found[:-1] if found[-1:] == [RETURN] else found
    found = inlined(_with_arguments(found, layout))
    padding = padding_of(found, layout)
    body = [*_checks(layout), *_memory(layout, padding)]
    steps = steps_text(layout)
    if any(re.search(r"\bsteps\b", text) for s in walk(found) for text in texts(s)):
        body.append(f"    steps = {steps}")
        steps = "steps"
    body += [f"    {name} = {value}" for name, value in first.items()]
    back = _answer(layout, padding is not None)
    if any(s == RETURN for s in walk(found)):
        # The program may end in several places, each of which gives the answer.
        body += statement_lines(_without_comments(found), 1, steps)
        body = _with_ends(body, back)
    else:
        found, back = _held(found, back) if held else (found, back)
        found, back = _given_back(found, back, layout)
        body += [*statement_lines(_without_comments(found), 1, steps), *back]
    head = _module_head(summary, notes, "\n".join(body))
    lines = [*head, "", "", _signature(layout), *_docstring(summary, shown), *body]
    return "\n".join(lines) + "\n"


def _module_head(summary: str, notes: Sequence[str], code: str) -> list[str]:
    """Return what stands before the function: the docstring, and what its code needs."""
    lines = [f'"""{plain(summary)}']
    for note in notes:
        lines += ["", *textwrap.wrap(plain(note), WIDTH - 4)]
    lines = [*lines, '"""'] if notes else [lines[0] + '"""']
    imports = [
        text
        for word, text in (
            ("itertools.", "import itertools"),
            ("defaultdict(", "from collections import defaultdict"),
        )
        if word in code
    ]
    lines += ["", *imports] if imports else []
    if "rank(" in code or "key=rank" in code:
        lines += ["", "", *RANK.split("\n")]
    return lines


def _docstring(summary: str, shown: Sequence[Shown]) -> list[str]:
    """Return the lines of the function's docstring, with calls."""
    lines = [f'    """{textwrap.shorten(plain(summary), WIDTH - 12)}']
    for call in shown:
        arguments = ", ".join(map(repr, call.inputs))
        lines += ["", _quoted(f"    >>> program({arguments})"), _quoted(f"    {call.answer!r}")]
    return [*lines, '    """'] if shown else [lines[0] + '"""']


def _held(found: list[Statement], back: list[str]) -> tuple[list[Statement], list[str]]:
    """Return a program whose last loop leaves the answer in a variable, and what gives it."""
    loop = found[-1] if found else None
    if not isinstance(loop, For | Repeat):
        return found, back
    stores = [s for s in walk(loop.body) if isinstance(s, AssignCell)]
    if len(stores) != 1 or stores[0] not in loop.body or stores[0].address != "0":
        return found, back
    kept = [s for s in loop.body if s is not stores[0]]
    back = [line.replace("memory[0]", stores[0].expression) for line in back]
    return [*found[:-1], loop._replace(body=kept)], back


def _given_back(
    found: list[Statement], back: list[str], layout: Layout
) -> tuple[list[Statement], list[str]]:
    """Return a program that gives back what it would store last, and what gives it."""
    last = found[-1] if found else None
    if not isinstance(last, AssignCell) or last.address != "0" or layout.place != "front":
        return found, back
    alone = re.search(r"( return |[\[(])memory\[0\]($|[\])])", back[0])
    single = re.fullmatch(r"[\w.]+|\w+[\[(][^\[\]()]*[\])]", last.expression)
    text = last.expression if single or alone else f"({last.expression})"
    return found[:-1], [back[0].replace("memory[0]", text)]


def _quoted(line: str) -> str:
    """Return a line as it stands in a docstring that is read back as this line."""
    return line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _without_comments(found: Sequence[Statement]) -> list[Statement]:
    """Return statements without the gates that they come from."""
    return map_statements(
        found, lambda s: s._replace(comment="") if isinstance(s, Assign | AssignCell) else s
    )


def _with_arguments(found: Sequence[Statement], layout: Layout) -> list[Statement]:
    """Return statements that use an argument's name for its cell, before any cell changes."""
    cells = _front(layout)
    statements = list(found)
    for place, statement in enumerate(statements):
        if not isinstance(statement, Assign):
            break

        def text(cell: re.Match[str]) -> str:
            number = int(cell[1])
            inside = cells[number] if number < len(cells) else cell[0]
            single = re.fullmatch(r"-?\w+|memory\[\d+\]|len\(\w+\)", inside)
            return inside if single else f"({inside})"

        changed = re.sub(r"memory\[(\d+)\]", text, statement.expression)
        whole = re.fullmatch(r"\((len\(\w+\) \+ \d+)\)( [+-] \d+)?", changed)
        if whole:  # a sum of two numbers behind a length
            changed = steps_left(whole[1], -int((whole[2] or "0").replace(" ", "")))
        statements[place] = statement._replace(expression=changed)
    return statements


def _with_ends(body: list[str], back: list[str]) -> list[str]:
    """Return a body in which every end of the program gives the answer."""
    found: list[str] = []
    for line in body:
        if line.strip() == "return memory":
            indent = line[: len(line) - len(line.lstrip())]
            found += [indent + text.removeprefix("    ") for text in back]
        else:
            found.append(line)
    return [*found, *back]


def _signature(layout: Layout) -> str:
    arguments = [f"{n}: {k}" for n, k in zip(layout.names, layout.kinds, strict=True)]
    line = f"def program({', '.join(arguments)}) -> {layout.answer}:"
    if len(line) <= WIDTH + 12:
        return line
    return "\n".join(
        ["def program(", *(f"    {a}," for a in arguments), f") -> {layout.answer}:"]
    )


def steps_text(layout: Layout) -> str:
    """Return the number of steps as an expression of the arguments."""
    count, names = layout.count, layout.names
    quantity = {
        "number": "",
        "list": f"len({names[count.place]})",
        "argument": names[count.place],
        "lists": " + ".join(f"len({names[i]})" for i in layout.arrays),
    }[count.of]
    if not quantity or not count.each:
        return str(max(count.extra, 0) ** count.power)
    if count.each > 1:
        quantity = f"({quantity})" if "+" in quantity else quantity
        quantity = f"{count.each} * {quantity}"
    if count.extra:
        quantity = f"{quantity} {'+' if count.extra > 0 else '-'} {abs(count.extra)}"
    if count.power == 1:
        return quantity
    single = quantity.startswith("len(") and quantity.endswith(")")
    return f"{quantity if single else f'({quantity})'} ** {count.power}"


def _checks(layout: Layout) -> list[str]:
    """Return the lines that refuse arguments that the layout cannot hold."""
    conditions, words = [], []
    for i in layout.numbers:
        if layout.kinds[i] == "int" and not (layout.coded[i] and layout.shifted):
            least = 1 if layout.coded[i] else 0
            conditions.append(f"{layout.names[i]} < {least}")
            words.append(f"{layout.names[i]} has to be {least} or more")
    for i in layout.arrays:
        name = layout.names[i]
        if layout.kinds[i] != "list[int]" or (layout.coded[i] and layout.shifted):
            continue
        least = 1 if layout.zero_ended else 0
        conditions.append(f"min({name}, default={least}) < {least}")
        words.append(f"{name} has to hold numbers from {least} on")
    if not conditions:
        return []
    return [
        f"    if {' or '.join(conditions)}:",
        f'        raise ValueError("{"; ".join(words)}")',
    ]


def _memory(layout: Layout, padding: int | None) -> list[str]:
    """Return the lines that lay the arguments out; ``padding``: zeros behind, None: no end."""
    lines = []
    if layout.shifted:
        parts = [_numbers_of(layout, i) for i, coded in enumerate(layout.coded) if coded]
        lines.append(f"    base = min([0, {', '.join(parts)}]) - 1")
    cells = _front(layout)
    for i in layout.arrays:
        cells.append(_array(layout, i))
        cells += ["0"] * layout.zero_ended
    cells += ["0"] * (padding or 0)
    text = f"[{', '.join(cells)}]"
    alone = len(cells) == 1 and cells[0].startswith("*(")
    text = f"[{cells[0][2:-1]}]" if alone else text
    if padding is None:
        text = f"defaultdict(int, enumerate({text}))"
    return [*lines, f"    memory = {text}"]


def _front(layout: Layout) -> list[str]:
    """Return the expressions of the cells before the arrays."""
    cells = ["0"] * layout.own_cell
    for i in layout.numbers:
        shifted = layout.coded[i] and layout.shifted
        name = layout.names[i]
        text = f"int({name})" if layout.kinds[i] == "bool" else name
        cells.append(f"{text} - base" if shifted else text)
    cells += ["-base"] * layout.zero
    return cells + [address_text(layout, i, end=w == "end") for w, i in layout.addresses]


def _array(layout: Layout, i: int) -> str:
    if not (layout.coded[i] and layout.shifted):
        return _numbers_of(layout, i)
    value = "ord(x)" if "str" in layout.kinds[i] else "x"
    return f"*({value} - base for x in {layout.names[i]})"


def _numbers_of(layout: Layout, i: int) -> str:
    """Return the numbers of an argument, as a part of a list."""
    name, kind = layout.names[i], layout.kinds[i]
    if "str" in kind:
        return f"*map(ord, {name})"
    return (
        f"*map(int, {name})"
        if kind == "list[bool]"
        else f"*{name}"
        if kind == "list[int]"
        else name
    )


def address_text(
    layout: Layout, argument: int, *, end: bool = False, size: str = "len({})"
) -> str:
    """Return the address of an array (of what is behind all: -1), as an expression."""
    number, parts = layout.front, []
    for i in layout.arrays:
        if i == argument and not end:
            break
        parts.append(size.format(layout.names[i]))
        if i == argument:
            break
        number += layout.zero_ended
    return " + ".join([*parts, str(number)] if number or not parts else parts)


def _answer(layout: Layout, listed: bool) -> list[str]:
    """Return the lines that give the answer back; ``listed``: the memory is a list."""
    shifted = layout.answer_coded and layout.shifted
    if not layout.many or layout.place == "front":  # a single cell
        begin = address_text(layout, -1) if layout.place == "behind" else "0"
        text = f"memory[{begin}] + base" if shifted else f"memory[{begin}]"
        text = f"chr({text})" if "str" in layout.answer else text
        text = f"bool({text})" if "bool" in layout.answer else text
        return [f"    return {f'[{text}]' if layout.answer.startswith('list') else text}"]
    lines: list[str] = []
    begin = {
        "front": "0",
        "first": str(layout.front),
        "behind": address_text(layout, -1),
    }[layout.place]
    if layout.length.of == "mark":
        lines, end = _marked_end(layout, listed, begin)
    else:
        end = _end(layout, begin)
    if listed:
        start = "" if begin == "0" else begin
        cells, value = f"memory[{start}:{end}]", "x"
    else:
        cells, value = (
            f"range({begin}, {end})" if begin != "0" else f"range({end})",
            "memory[i]",
        )
    value = f"{value} + base" if shifted else value
    each = {
        "list[str]": f"chr({value})",
        "str": f"chr({value})",
        "list[bool]": f"bool({value})",
    }
    text = each.get(layout.answer, value)
    name = "x" if listed else "i"
    if layout.answer == "str":
        plain = listed and not shifted
        inside = f"map(chr, {cells})" if plain else f"{text} for {name} in {cells}"
        return [*lines, f'    return "".join({inside})']
    if listed and text == "x":
        return [*lines, f"    return {cells}"]
    return [*lines, f"    return [{text} for {name} in {cells}]"]


def _end(layout: Layout, begin: str) -> str:
    """Return the address behind the answer."""
    rule = layout.length
    name = layout.names[rule.place] if layout.names else ""
    quantity = {"number": "", "list": f"len({name})", "argument": name}[rule.of]
    offset = rule.offset
    found = re.fullmatch(r"(?:(.*) \+ )?(\d+)", begin)
    if found:
        offset += int(found[2])
        parts = [part for part in (found[1], quantity) if part]
    else:
        parts = [part for part in (begin, quantity) if part]
    text = " + ".join(parts)
    if not text:
        return str(max(offset, 0))
    return f"{text} {'+' if offset > 0 else '-'} {abs(offset)}" if offset else text


def _marked_end(layout: Layout, listed: bool, begin: str) -> tuple[list[str], str]:
    if not layout.zero_ended:
        return [], f"memory[{layout.front - 1}]"
    if listed:
        return [], f"memory.index(0{'' if begin == '0' else ', ' + begin})"
    count = "itertools.count()" if begin == "0" else f"itertools.count({begin})"
    return [f"    end = next(i for i in {count} if memory[i] == 0)"], "end"
