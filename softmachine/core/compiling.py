"""How the programs that run machines are compiled, and how many of them are kept.

A compiled program takes some hundred memory maps, of which Linux gives a process 65,530, and
some ten megabytes. JAX keeps every program that it has compiled for a function, and every size
of an input is a program of its own: a process that meets many sizes would die. So the package
compiles with `filter_jit`, which keeps the programs that were used last, and those that take
a length of inputs take it rounded up to a `bucket`.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
from jax.core import Tracer
from jaxtyping import PyTree

ON_CPU: dict[str, str | bool | int] = {
    # Keeps optimization barriers. XLA drops them on CPU before it decides what to fuse, and
    # fuses sums into all that use them, each computed again for every element.
    "xla_disable_hlo_passes": "cse_barrier_expander",
    # Every core is a device and has its own work: nothing is to be gained from threads.
    "xla_cpu_enable_concurrency_optimized_scheduler": False,
    "xla_cpu_multi_thread_eigen": False,
    # Devices that compute together wait for each other; after 40 seconds XLA would end the
    # process, and on a busy machine a core can be kept waiting for longer.
    "xla_cpu_collective_call_terminate_timeout_seconds": 3600,
}
MOST_PROGRAMS = 32
"""So many are kept, of all functions together: a population can be scored at as many sizes."""
MOST_MAPS = 20_000
"""With more memory maps than that, everything that JAX has compiled is dropped: what it keeps
by itself is small, one operation on one shape, but nothing bounds it well enough."""
SMALLEST_BUCKET = 16


@functools.cache
def options() -> dict[str, str | bool | int]:
    """Return ``compiler_options`` for `jax.jit` on the devices at hand: some on CPU.

    None that this version of XLA does not know.
    """
    if jax.default_backend() != "cpu":
        return {}
    return {name: value for name, value in ON_CPU.items() if _is_known(name, value)}


def bucket(length: int) -> int:
    """Return a length rounded up, so that there are few of them: to a power of two.

    >>> [bucket(length) for length in (1, 16, 17, 100, 128)]
    [16, 16, 32, 128, 128]
    """
    return max(SMALLEST_BUCKET, 1 << (length - 1).bit_length())


def filter_jit(function: Callable[..., Any], *, tuned: bool = True) -> Callable[..., Any]:
    """Return a function, compiled: arrays are traced, everything else is known beforehand.

    As `equinox.filter_jit`, but all functions together keep no more than `MOST_PROGRAMS`
    programs, those that were used last. One in use elsewhere is dropped when its user is done.

    Arguments:
        function: the function; what is no array among its arguments must be hashable. Made
            once: another function that does the same has programs of its own.
        tuned: compile with `options`, as loops over the steps of a machine are.
    """

    @functools.wraps(function)
    def compiled(*args: Any, **kwargs: Any) -> Any:
        arrays, static = eqx.partition((args, kwargs), eqx.is_array)
        if any(isinstance(x, Tracer) for x in jax.tree.leaves(arrays)):
            return function(*args, **kwargs)
        return _program(function, arrays, static, tuned)(arrays)

    return compiled


class _Program:
    """One function, compiled for arguments of one make."""

    def __init__(self, function: Callable[..., Any], static: PyTree, tuned: bool) -> None:
        others: list[PyTree] = [None]

        # It must not refer to this object: nothing in a circle is dropped at once.
        def run(arrays):
            args, kwargs = eqx.combine(arrays, static)
            results, others[0] = eqx.partition(function(*args, **kwargs), eqx.is_array)
            return results

        run.__name__ = run.__qualname__ = getattr(function, "__name__", "run")
        self.run = jax.jit(run, compiler_options=options() if tuned else None)
        self._others = others

    def __call__(self, arrays: PyTree) -> Any:
        """Return what the function gives."""
        results = self.run(arrays)
        return eqx.combine(results, self._others[0])  # which are known once it was traced


_programs: OrderedDict[Hashable, _Program] = OrderedDict()
_lock = threading.Lock()


def _program(
    function: Callable[..., Any], arrays: PyTree, static: PyTree, tuned: bool
) -> _Program:
    """Return the program for arguments; it is now the one that was used last."""
    leaves, structure = jax.tree.flatten(static)
    shapes = tuple((x.shape, x.dtype) for x in jax.tree.leaves(arrays))
    key = (function, structure, tuple(leaves), shapes)
    with _lock:
        if key not in _programs:
            _make_room()
            _programs[key] = _Program(function, static, tuned)
            while len(_programs) > MOST_PROGRAMS:
                _programs.popitem(last=False)
        _programs.move_to_end(key)
        return _programs[key]


def make_room() -> None:
    """Drop everything that was compiled if there are more than `MOST_MAPS` memory maps.

    What is dropped is compiled again when it is needed. `filter_jit` calls this itself;
    whoever compiles much in other ways should call it now and then.
    """
    with _lock:
        _make_room()


def _make_room() -> None:
    if memory_maps() > MOST_MAPS:
        _programs.clear()
        jax.clear_caches()


def memory_maps() -> int:
    """Return how many memory maps this process has; 0 where that is not to be found out."""
    try:
        return Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:
        return 0


def _is_known(name: str, value: str | bool | int) -> bool:
    """Whether XLA compiles anything with an option."""
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
