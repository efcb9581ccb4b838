"""Whether there is memory for something, by arithmetic, before anything is made of it."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from softmachine.core.choices import LARGEST_INT
from softmachine.core.errors import SoftmachineError


def size_of(make: Callable[[], Any]) -> int:
    """Return the bytes of all arrays that a function returns, without making them.

    Raises OverflowError if an array is larger than JAX can tell.
    """
    try:
        leaves = jax.tree.leaves(jax.eval_shape(make))
    except (OverflowError, TypeError, ValueError) as error:
        # What JAX makes of a dimension beyond its integers depends on the function.
        raise OverflowError(str(error)) from error
    return sum(leaf.dtype.itemsize * int(np.prod(leaf.shape, dtype=object)) for leaf in leaves)


def check_room(needed: Callable[[], int], steps: int, what: str) -> None:
    """Raise SoftmachineError if something needs more memory or steps than there can be.

    Arguments:
        needed: returns the bytes that it takes at the least; may raise OverflowError.
        steps: how many steps of a machine it takes.
        what: what it is, for the message.
    """
    if steps > LARGEST_INT:
        raise SoftmachineError(
            f"{what} takes {steps:,} steps, and no more than {LARGEST_INT:,} can be counted"
        )
    there = available()
    try:
        least = needed()
    except OverflowError as error:
        raise SoftmachineError(f"{what} is too large for any memory") from error
    if least > there:
        raise SoftmachineError(
            f"{what} needs {_show(least)} of memory or more, and there are {_show(there)}"
        )


def available() -> int:
    """Return the bytes that computations of this process can take at most."""
    device = jax.local_devices()[0]
    limits = []
    if device.platform == "cpu":
        limits += [_of_system(), _of_process()]
    else:
        with contextlib.suppress(Exception):  # few backends tell
            limits.append((device.memory_stats() or {}).get("bytes_limit"))
    return min((limit for limit in limits if limit is not None), default=2**63)


def _of_system() -> int | None:
    """Return free memory and swap; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        values = {
            name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)
        }
        return 1024 * (values["MemAvailable"] + values["SwapFree"])
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _of_process() -> int | None:
    """Return what is left of the address space that the process may use; None for no limit."""
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
