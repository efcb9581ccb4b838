"""Loading and running generated programs."""

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

ProgramFunction = Callable[[list[int]], list[int]]
"""A loaded program: takes a memory, and returns what it becomes."""


def load_python(code: str) -> ProgramFunction:
    """Execute the text of a Python program and return its function ``run``."""
    namespace: dict[str, Any] = {}
    exec(compile(code, "<program>", "exec"), namespace)
    return namespace["run"]


def c_compiler() -> str | None:
    """Return the first C compiler on the path of ``$CC``, cc, gcc, clang; None if none is."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    return None


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
        [compiler, *flags, "-o", str(library), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SoftmachineError(f"{compiler} refused the C program: {done.stderr}")
    return ctypes.CDLL(str(library))
