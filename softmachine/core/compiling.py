"""Just-in-time compilation with a bound on how many compiled programs are kept in memory.

A compiled program takes some hundred memory maps, of which Linux allows a process 65,530, and
some ten megabytes. JAX compiles one program per input shape and keeps all of them, so a process
that meets many sizes would run out of maps and crash. The package therefore compiles with
`filter_jit`, which keeps only the most recently used programs, and rounds lengths of inputs up
to a `bucket`, so that several lengths share one program.
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
    # Keeps optimization barriers. On CPU, XLA drops them before it decides what to fuse. It
    # would then fuse a sum into each of its consumers and recompute it for every element.
    "xla_disable_hlo_passes": "cse_barrier_expander",
    # Every core is a JAX device with work of its own: threads would gain nothing.
    "xla_cpu_enable_concurrency_optimized_scheduler": False,
    "xla_cpu_multi_thread_eigen": False,
    # Devices wait for each other in collective operations. By default XLA ends the process
    # after 40 seconds, and on a busy computer a core may have to wait for longer.
    "xla_cpu_collective_call_terminate_timeout_seconds": 3600,
}
ONCE_ON_CPU: dict[str, str | bool | int] = {
    # What runs once or twice, such as a trace, takes longer to compile than to run: an NRAM's
    # trace takes 60 % of its time so. (At a thousand steps of an NTM it is even.)
    "xla_backend_optimization_level": 0,
}
MOST_PROGRAMS = 32
"""How many compiled programs are kept, of all functions together."""
MOST_MAPS = 20_000
"""The number of memory maps above which everything that JAX has compiled is dropped.

JAX also caches programs of single operations on single shapes. They are small, but nothing else
bounds their number."""
SMALLEST_BUCKET = 16
"""The smallest length that `bucket` returns."""


@functools.cache
def options(*, tuned: bool = True) -> dict[str, str | bool | int]:
    """Return the ``compiler_options`` for `jax.jit`: those of `ON_CPU` on CPU, else none.

    Of a program that is not ``tuned``, those of `ONCE_ON_CPU`. Options that the installed
    version of XLA does not know are left out.
    """
    if jax.default_backend() != "cpu":
        return {}
    wanted = ON_CPU if tuned else ONCE_ON_CPU
    return {name: value for name, value in wanted.items() if _is_known(name, value)}


def bucket(length: int) -> int:
    """Return a length rounded up to a power of two, at least 16, so that few are compiled.

    >>> [bucket(length) for length in (1, 16, 17, 100, 128)]
    [16, 16, 32, 128, 128]
    """
    return max(SMALLEST_BUCKET, 1 << (length - 1).bit_length())


def filter_jit(function: Callable[..., Any], *, tuned: bool = True) -> Callable[..., Any]:
    """Compile a function: arrays among its arguments are traced, everything else is static.

    Like `equinox.filter_jit`, except that all functions together keep only the `MOST_PROGRAMS`
    most recently used programs. A program that is running when it is evicted runs to its end.

    Arguments:
        function: the function; its static arguments must be hashable. Define it once, at the
            top level of a module: a function object made anew is compiled anew.
        tuned: whether to compile for speed, as loops that run often need, or in little time.

    Returns:
        A function with the same signature.
    """

    @functools.wraps(function)
    def compiled(*args: Any, **kwargs: Any) -> Any:
        arrays, static = eqx.partition((args, kwargs), eqx.is_array)
        if any(isinstance(x, Tracer) for x in jax.tree.leaves(arrays)):
            return function(*args, **kwargs)
        return _program(function, arrays, static, tuned)(arrays)

    return compiled


class _Program:
    """One function, compiled for one set of static arguments and one set of array shapes."""

    def __init__(self, function: Callable[..., Any], static: PyTree, tuned: bool) -> None:
        others: list[PyTree] = [None]

        # Must not refer to self: a reference cycle would delay freeing the program.
        def run(arrays):
            args, kwargs = eqx.combine(arrays, static)
            results, others[0] = eqx.partition(function(*args, **kwargs), eqx.is_array)
            return results

        run.__name__ = run.__qualname__ = getattr(function, "__name__", "run")
        self.run = jax.jit(run, compiler_options=options(tuned=tuned))
        self._others = others

    def __call__(self, arrays: PyTree) -> Any:
        """Return the function's results."""
        results = self.run(arrays)
        return eqx.combine(results, self._others[0])  # known once the function was traced


_programs: OrderedDict[Hashable, _Program] = OrderedDict()
_lock = threading.Lock()


def _program(
    function: Callable[..., Any], arrays: PyTree, static: PyTree, tuned: bool
) -> _Program:
    """Return the program for these arguments and mark it as the most recently used."""
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
    """Drop all compiled programs if the process has more than `MOST_MAPS` memory maps.

    A dropped program is compiled again when it is needed. `filter_jit` calls this itself; code
    that compiles a lot in other ways should call it now and then.
    """
    with _lock:
        _make_room()


def _make_room() -> None:
    if memory_maps() > MOST_MAPS:
        _programs.clear()
        jax.clear_caches()


def memory_maps() -> int:
    """Return the number of memory maps of this process; 0 where the system does not tell."""
    try:
        return Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:
        return 0


def _is_known(name: str, value: str | bool | int) -> bool:
    """Whether the installed version of XLA accepts a compiler option."""
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
