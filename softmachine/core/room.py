"""Checks that a computation fits into memory, by arithmetic, before any array is allocated."""

from __future__ import annotations

import contextlib
import re
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from softmachine.core.choices import LARGEST_INT
from softmachine.core.errors import SoftmachineError


def size_of(make: Callable[[], Any]) -> int:
    """Return the bytes of all arrays that a function returns, without allocating them.

    Raises OverflowError if an array is larger than JAX can represent.
    """
    try:
        leaves = jax.tree.leaves(jax.eval_shape(make))
    except (TypeError, ValueError) as error:
        # Some JAX functions raise these for a dimension that is too large, and name it.
        if any(int(number) > LARGEST_INT for number in re.findall(r"\d{10,99}", str(error))):
            raise OverflowError(str(error)) from error
        raise
    return sum(leaf.dtype.itemsize * int(np.prod(leaf.shape, dtype=object)) for leaf in leaves)


def check_room(needed: Callable[[], int], steps: int, what: str) -> None:
    """Raise SoftmachineError if a computation needs more memory or steps than are possible.

    Arguments:
        needed: returns a lower bound on the bytes it needs; may raise OverflowError.
        steps: the number of machine steps it takes.
        what: the computation, as the subject of the error message.
    """
    if steps > LARGEST_INT:
        raise SoftmachineError(
            f"{what} takes {steps:,} steps; at most {LARGEST_INT:,} are possible"
        )
    there = available()
    try:
        least = needed()
    except OverflowError as error:
        raise SoftmachineError(f"{what} is too large for any memory") from error
    if least > there:
        raise SoftmachineError(
            f"{what} needs at least {_show(least)} of memory; {_show(there)} are available"
        )


def available() -> int:
    """Return an upper bound on the bytes that this process can allocate for arrays."""
    device = jax.local_devices()[0]
    limits = []
    if device.platform == "cpu":
        limits += [_of_system(), _of_process()]
    else:
        with contextlib.suppress(Exception):  # few backends report it
            limits.append((device.memory_stats() or {}).get("bytes_limit"))
    return min((limit for limit in limits if limit is not None), default=2**63)


def _of_system() -> int | None:
    """Return the bytes of free memory and swap; None if the system does not report them."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        values = {
            name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)
        }
        return 1024 * (values["MemAvailable"] + values["SwapFree"])
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _of_process() -> int | None:
    """Return the bytes left of the process's address space; None without a limit."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        pages = 0
    return max(most - pages * resource.getpagesize(), 0)


def _show(count: int) -> str:
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count:,} bytes"
