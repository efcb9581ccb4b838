"""How XLA compiles the programs that run machines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import equinox as eqx
import jax


@cache
def options() -> dict[str, str | bool]:
    """Return ``compiler_options`` for `jax.jit` on the devices at hand.

    On CPU, optimization barriers are kept. XLA drops them there before it decides which
    operations to fuse, and fuses sums into all that use them, each computed again for every
    element. And what can run at once is not spread over threads: every core is a device and
    has its own work.
    """
    if jax.default_backend() != "cpu":
        return {}
    return {
        "xla_disable_hlo_passes": "cse_barrier_expander",
        "xla_cpu_enable_concurrency_optimized_scheduler": False,
        "xla_cpu_multi_thread_eigen": False,
    }


def filter_jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what `equinox.filter_jit` gives, with `options`."""
    # Equinox passes further arguments on to jax.jit, which its types leave out.
    return eqx.filter_jit(function, compiler_options=options())  # pyright: ignore[reportCallIssue]
