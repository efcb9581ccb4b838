"""A program as a function with a person's own arguments, in C."""

from __future__ import annotations

import ctypes
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softmachine.programs.languages.c import c_code
from softmachine.programs.program import Program
from softmachine.programs.running import compile_c
from softmachine.synthesis.domain import as_kind
from softmachine.synthesis.function import address_text
from softmachine.synthesis.layout import Layout, number
from softmachine.synthesis.making import Function

WORDS = frozenset(
    re.findall(
        r"\w+",
        "auto break case char const continue default do double else enum extern float for goto"
        " if inline int long register restrict return short signed sizeof static struct switch "
        "typedef union unsigned void volatile while alignas alignof bool constexpr false "
        "nullptr static_assert thread_local true typeof typeof_unqual asm linux unix load "
        "store place grow bounded smaller larger smaller_rank larger_rank change program run "
        "calloc malloc free memcpy size_t int64_t uint64_t memory list cells next begin count "
        "status base answer length i",
    )
)
"""Words that no parameter in C can have: the language's, up to C23, others that compilers have,
and the names that the text uses."""


def parameter_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names for the parameters in C: the arguments', told from those the text uses.

    >>> parameter_names(["count", "prices"])
    ('count_', 'prices')
    """
    found: list[str] = []
    for name in names:
        lengths = {f"{other}_length" for other in (*found, *names)}
        while name in (*WORDS, *lengths, *found):
            name += "_"
        found.append(name)
    return tuple(found)


def c_function(program: Program, layout: Layout, summary: str, notes: Sequence[str]) -> str:
    """Return the text of a C99 file with a function ``program``.

    A list is an array of ``int64_t`` and its length; letters are their code points. A list that
    is the answer is written to ``answer``, whose room is ``*length`` before and which holds so
    many elements afterwards.

    Raises SoftmachineError if the program cannot be written in C.
    """
    layout = dataclasses.replace(layout, names=parameter_names(layout.names))
    return c_code(program, summary, notes, "\n".join(_entry(layout)))


def _entry(layout: Layout) -> list[str]:
    """Return the lines of the function: checks, the memory, what is done to it, the answer."""
    size = "(int64_t){}_length"
    room = ", 4 if there is no room." if layout.many else "."
    head = _head(layout)
    return [
        "/* Returns 0, and the answer in *answer. Returns 2 if an argument is out of range,",
        f"   3 if a number became too large or there is no more memory{room}",
        " */",
        f"{head};",
        "",
        f"{head} {{",
        *_range_checks(layout),
        *(_base_lines(layout) if layout.shifted else []),
        *_memory_lines(layout, size),
        f"    change(&memory, {_steps(layout)});",
        "    int status = memory.status;",
        *_answer_lines(layout, size),
        "    free(memory.cells);",
        "    free(memory.others);",
        "    return status;",
        "}",
    ]


def _head(layout: Layout) -> str:
    parameters = []
    for i, name in enumerate(layout.names):
        if i in layout.arrays:
            parameters += [f"const int64_t *{name}", f"size_t {name}_length"]
        else:
            parameters.append(f"int64_t {name}")
    parameters += ["int64_t *answer", *(["size_t *length"] if layout.many else [])]
    return f"int program({', '.join(parameters)})"


def _base_lines(layout: Layout) -> list[str]:
    """Return the lines that find the number below all that are coded."""
    lines = ["    int64_t base = 0;"]
    for i, name in enumerate(layout.names):
        if layout.coded[i] and i in layout.arrays:
            lines += [
                f"    for (size_t i = 0; i < {name}_length; i++) {{",
                f"        base = {name}[i] < base ? {name}[i] : base;",
                "    }",
            ]
        elif layout.coded[i]:
            lines.append(f"    base = {name} < base ? {name} : base;")
    return [*lines, "    base--;"]


def _memory_lines(layout: Layout, size: str) -> list[str]:
    """Return the lines that lay the arguments out; ``size``: the length of an array."""
    names, arrays = layout.names, layout.arrays

    def coded(i: int, value: str) -> str:
        return f"{value} - base" if layout.coded[i] and layout.shifted else value

    beside = layout.front + layout.zero_ended * len(arrays)
    whole = " + ".join([str(beside), *(size.format(names[i]) for i in arrays)])
    lines = [
        f"    const int64_t cells = {whole};",
        "    int64_t *list = calloc((size_t)cells + 1, sizeof *list);",
        "    struct memory memory = {list, cells, NULL, 0, 0, 0};",
        "    if (!memory.cells) {",
        "        return 3;",
        "    }",
        "    int64_t *next = memory.cells;",
    ]
    front = ["0"] * layout.own_cell
    front += [coded(i, names[i]) for i in layout.numbers]
    front += ["-base"] * layout.zero
    for what, i in layout.addresses:
        front.append(address_text(layout, i, end=what == "end", size=size))
    lines += [f"    *next++ = {cell};" for cell in front]
    for i in arrays:
        lines += [
            f"    for (size_t i = 0; i < {names[i]}_length; i++) {{",
            f"        *next++ = {coded(i, f'{names[i]}[i]')};",
            "    }",
            *(["    *next++ = 0;"] if layout.zero_ended else []),
        ]
    return [*lines, "    (void)next;"]


def _range_checks(layout: Layout) -> list[str]:
    lines = []
    for i, name in enumerate(layout.names):
        free = layout.coded[i] and layout.shifted
        ended = layout.coded[i] or (layout.zero_ended and i in layout.arrays)
        least = "-LARGEST" if free else str(int(ended))
        value = f"{name}[i]" if i in layout.arrays else name
        test = f"if ({value} < {least} || {value} > LARGEST) {{"
        if i in layout.arrays:
            lines += [
                f"    for (size_t i = 0; i < {name}_length; i++) {{",
                f"        {test}",
                "            return 2;",
                "        }",
                "    }",
            ]
        else:
            lines += [f"    {test}", "        return 2;", "    }"]
    return lines


def _steps(layout: Layout) -> str:
    count = layout.count
    quantity = {
        "number": "",
        "list": f"(int64_t){layout.names[count.place]}_length" if layout.names else "",
        "argument": layout.names[count.place] if layout.names else "",
        "lists": " + ".join(f"(int64_t){layout.names[i]}_length" for i in layout.arrays),
    }[count.of]
    if not quantity or not count.each:
        return str(max(count.extra, 0) ** count.power)
    text = f"{count.each} * ({quantity}) + {count.extra}".replace("+ -", "- ")
    return " * ".join([f"({text})"] * count.power) if count.power > 1 else text


def _answer_lines(layout: Layout, size: str) -> list[str]:
    shift = " + base" if layout.answer_coded and layout.shifted else ""
    begin = {
        "front": "0",
        "first": str(layout.front),
        "behind": address_text(layout, -1, size=size),
    }[layout.place]
    if not layout.many:
        return [
            "    if (status == 0) {",
            f"        *answer = load(&memory, {begin}){shift};",
            "    }",
        ]
    rule = layout.length
    name = layout.names[rule.place] if layout.names else ""
    lines = [f"    const int64_t begin = {begin};"]
    if rule.of == "mark" and layout.zero_ended:
        lines += [
            "    int64_t count = 0;",
            "    while (status == 0 && load(&memory, begin + count) != 0) {",
            "        count++;",
            "    }",
        ]
    else:
        text = {
            "mark": f"load(&memory, {layout.front - 1}) - begin",
            "number": str(rule.offset),
            "list": f"(int64_t){name}_length + {rule.offset}",
            "argument": f"{name} + {rule.offset}",
        }[rule.of]
        lines += [f"    int64_t count = {re.sub(r'[+] -', '- ', text)};"]
        lines += ["    count = count < 0 ? 0 : count;"]
    return [
        *lines,
        "    if (status == 0 && (uint64_t)count > *length) {",
        "        status = 4;",
        "    }",
        "    for (int64_t i = 0; status == 0 && i < count; i++) {",
        f"        answer[i] = load(&memory, begin + i){shift};",
        "    }",
        "    *length = (size_t)count;",
    ]


def load_c_function(code: str, layout: Layout, directory: Path) -> Function | None:
    """Compile the text and return its function for Python values; None without a compiler.

    Raises SoftmachineError if the compiler reports an error or a warning.
    """
    library = compile_c(code, directory)
    if library is None:
        return None
    function = library.program
    function.restype = ctypes.c_int
    pointer = ctypes.POINTER(ctypes.c_int64)

    def run(*inputs: Any) -> Any:
        arguments: list[Any] = []
        kept = []
        for i, value in enumerate(inputs):
            if i in layout.arrays:
                cells = np.array([number(part) for part in value], np.int64)
                kept.append(cells)
                arguments += [cells.ctypes.data_as(pointer), ctypes.c_size_t(len(cells))]
            else:
                arguments.append(ctypes.c_int64(int(value)))
        room = (
            16
            + 4 * sum(map(len, kept))
            + sum(int(x) for x in inputs if isinstance(x, int) and x > 0)
        )
        room = min(room, 1_000_000)
        answer, length = np.zeros(room, np.int64), ctypes.c_size_t(room)
        arguments.append(answer.ctypes.data_as(pointer))
        arguments += [ctypes.byref(length)] if layout.many else []
        status = function(*arguments)
        if status:
            raise ValueError(f"the C function returned {status}")
        count = length.value if layout.many else 1
        return as_kind(answer[:count].tolist(), layout.answer)

    return run
