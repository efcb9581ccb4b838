"""How XLA compiles the programs that run machines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import equinox as eqx
import jax

ON_CPU: dict[str, str | bool] = {
    # Keeps optimization barriers. XLA drops them on CPU before it decides what to fuse, and
    # fuses sums into all that use them, each computed again for every element.
    "xla_disable_hlo_passes": "cse_barrier_expander",
    # Every core is a device and has its own work: nothing is to be gained from threads.
    "xla_cpu_enable_concurrency_optimized_scheduler": False,
    "xla_cpu_multi_thread_eigen": False,
}


@cache
def options() -> dict[str, str | bool]:
    """Return ``compiler_options`` for `jax.jit` on the devices at hand: some on CPU.

    None that this version of XLA does not know.
    """
    if jax.default_backend() != "cpu":
        return {}
    return {name: value for name, value in ON_CPU.items() if _is_known(name, value)}


def filter_jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what `equinox.filter_jit` gives, with `options`."""
    # Equinox passes further arguments on to jax.jit, which its types leave out.
    return eqx.filter_jit(function, compiler_options=options())  # pyright: ignore[reportCallIssue]


def _is_known(name: str, value: str | bool) -> bool:
    """Whether XLA compiles anything with an option."""
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
