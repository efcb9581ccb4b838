"""Running programs from their text."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from softmachine.core.errors import SoftmachineError

Run = Callable[[list[int]], list[int]]


def load_python(code: str) -> Run:
    """Return the function ``run`` of a Python program."""
    namespace: dict[str, Any] = {}
    exec(compile(code, "<program>", "exec"), namespace)
    return namespace["run"]


def c_compiler() -> str | None:
    """Return the C compiler: what ``CC`` names, cc, gcc or clang; None without any."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    return None


def load_c(code: str, directory: Path) -> Run | None:
    """Compile a C program in a directory; return its ``run``, None without a compiler.

    The function takes and returns lists, as the Python program does; it raises ValueError if
    the program refuses a memory.

    Raises SoftmachineError if the compiler refuses the program.
    """
    compiler = c_compiler()
    if compiler is None:
        return None
    source, library = directory / "program.c", directory / "program.so"
    source.write_text(code)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    done = subprocess.run(
        [compiler, *flags, "-o", str(library), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SoftmachineError(f"{compiler} refused the C program: {done.stderr}")
    function = ctypes.CDLL(str(library)).run
    function.argtypes = [ctypes.POINTER(ctypes.c_int64), ctypes.c_size_t]
    function.restype = ctypes.c_int

    def run(memory: list[int]) -> list[int]:
        cells = np.array(memory, np.int64)
        status = function(cells.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), len(cells))
        if status:
            raise ValueError(f"the C program returned {status}")
        return cells.tolist()

    return run
