"""Loading and running generated programs."""

from __future__ import annotations

import ast
import ctypes
import functools
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np

from softmachine.core.c_compiler import c_compiler
from softmachine.core.errors import SoftmachineError
from softmachine.core.time_limit import NEVER, TimeLimit
from softmachine.programs.naming import STEPS_LEFT

MOST_TURNS, TURNS_A_NUMBER = 1_000_000, 10
"""A call of a loaded program whose loops turn more often, and more often than so many times for
each number that it was given, with no number of steps to end them, counts as one that does not
end."""
MOST_SHOWN = 24
"""A list with more items than this is not written out."""

ProgramFunction = Callable[[list[int]], list[int]]
"""A loaded program: takes a memory, and returns what it becomes."""


def load_python(code: str, limit: TimeLimit = NEVER) -> ProgramFunction:
    """Execute the text of a Python program and return its ``run``; see `load_named`."""
    return load_named(code, "run", limit)


def load_named(code: str, name: str, limit: TimeLimit = NEVER) -> Callable[..., Any]:
    """Execute the text of a Python program and return one of its functions.

    It raises RuntimeError if loops without a number of turns do not end, or if lists are built
    of more cells than that; see `MOST_TURNS`. One that counts the steps that are left down has
    such a number, and may turn as often as it takes.

    Arguments:
        code: the text.
        name: the function.
        limit: after which every call and every such loop raises TimeIsOverError.
    """
    turns, steps, most = 0, 0, MOST_TURNS

    def turn(*, counted: bool) -> None:
        nonlocal turns, steps
        if counted:
            steps += 1
        else:
            turns += 1
        if turns > most:
            raise RuntimeError(f"it does not end: {most:,} turns of a loop")
        if not (turns + steps) % 1_000:
            limit.check()

    def each(cells: Iterable[int]) -> Iterator[int]:
        for cell in cells:
            turn(counted=False)
            yield cell

    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension) and ast.unparse(node.iter).startswith("range("):
            node.iter = ast.Call(ast.Name(EACH, ast.Load()), [node.iter], [])
        if isinstance(node, ast.While):
            counted = ast.keyword("counted", ast.Constant(_counts_down(node)))
            call = ast.Call(ast.Name(TURN, ast.Load()), [], [counted])
            node.body.insert(0, ast.Expr(call))
    namespace: dict[str, Any] = {TURN: turn, EACH: each}
    exec(compile(ast.fix_missing_locations(tree), "<program>", "exec"), namespace)
    function = namespace[name]

    @functools.wraps(function)
    def called(*arguments: Any) -> Any:
        nonlocal turns, steps, most
        limit.check()
        numbers = sum(len(x) for x in arguments if isinstance(x, Sized))
        turns, steps, most = 0, 0, max(MOST_TURNS, TURNS_A_NUMBER * numbers)
        return function(*arguments)

    return called


TURN, EACH = "_turn_of_a_loop", "_each_of_a_range"
"""What a loaded program calls in every turn of a ``while`` loop, and around a list's range."""


def _counts_down(loop: ast.While) -> bool:
    """Return whether a loop counts steps down, and ends when none is left."""
    parts = [ast.unparse(node) for node in ast.walk(loop) if isinstance(node, ast.stmt)]
    ends = ast.unparse(loop.test) == f"{STEPS_LEFT} != 0"
    ends = ends or any(x.startswith(f"if {STEPS_LEFT} == 0:\n    return") for x in parts)
    return ends and f"{STEPS_LEFT} -= 1" in parts


def shortened(values: Sequence[object]) -> str:
    """Return a list as text; of a long one the first items, and how many there are."""
    shown = ", ".join(map(str, values[:MOST_SHOWN]))
    more = f", ... ({len(values):,} in all)" if len(values) > MOST_SHOWN else ""
    return f"[{shown}{more}]"


def load_c(code: str, directory: Path) -> ProgramFunction | None:
    """Compile the text of a C program and return its ``run``; None if there is no compiler.

    The function takes and returns lists, as that of the Python program does. It raises
    ValueError if the program returns an error status.

    Arguments:
        code: the text.
        directory: where the source and the compiled library are written.

    Raises:
        SoftmachineError: the compiler reports an error or a warning.
    """
    library = compile_c(code, directory)
    if library is None:
        return None
    function = library.run
    function.argtypes = [ctypes.POINTER(ctypes.c_int64), ctypes.c_size_t]
    function.restype = ctypes.c_int

    def run(memory: list[int]) -> list[int]:
        cells = np.array(memory, np.int64)
        status = function(cells.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), len(cells))
        if status:
            raise ValueError(f"the C program returned {status}")
        return cells.tolist()

    return run


def compile_c(code: str, directory: Path) -> ctypes.CDLL | None:
    """Compile the text of a C program, and load it; None if there is no compiler.

    Raises SoftmachineError if the compiler reports an error or a warning.
    """
    compiler = c_compiler()
    if compiler is None:
        return None
    source, library = directory / "program.c", directory / "program.so"
    source.write_text(code)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    done = subprocess.run(
        [*compiler, *flags, "-o", str(library), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SoftmachineError(f"{shlex.join(compiler)} refused the C program: {done.stderr}")
    return ctypes.CDLL(str(library))
