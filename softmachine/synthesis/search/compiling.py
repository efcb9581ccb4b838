"""Compiling functions of the search by Numba, whose import others need not wait for."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numba


def native(function: Callable) -> Callable:
    """Compile a function, without what may have been put around it to check annotations."""
    return numba.njit(cache=True, nogil=True)(inspect.unwrap(function))
