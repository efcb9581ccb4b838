"""Which devices compute, and how the members of a population are spread over them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax


def use_all_cores() -> int:
    """Make each CPU core a JAX device; return the number of devices.

    Changes JAX's global configuration, so it is never called on import. It has to come
    before JAX's first computation; after that it only returns the number of devices. The
    environment variable ``JAX_NUM_CPU_DEVICES``, where set, is left in charge.
    """
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        # RuntimeError: JAX has already started, its devices are what they are.
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", _cores())
    return len(jax.devices())


class MemberLayout(NamedTuple):
    """How a population is spread over devices."""

    devices: Sequence[Any]
    members: int
    """A multiple of the number of devices, or 1: then the batch is divided over them."""
    together: int
    """How many of a device's members take their updates in lockstep, as one batched
    computation, before the next ones have their turn; divides the members of a device."""


_allowed: list[Sequence[Any]] = []


@contextlib.contextmanager
def one_device() -> Iterator[None]:
    """Let this whole process use one device, the first, until the context ends."""
    _allowed.append(jax.local_devices()[:1])
    try:
        yield
    finally:
        _allowed.pop()


def local_devices() -> Sequence[Any]:
    """Return the devices of this process that may be used: all, but within `one_device`."""
    return _allowed[-1] if _allowed else jax.local_devices()


def layout_for(members: int, batch: int, *, cached_examples: int = 0) -> MemberLayout:
    """Return how to spread ``members`` over the local devices.

    Where they cannot be divided evenly, the layout has more slots than there are members.

    A CPU core is busy with one member and trains its members in turn, or, if they can be
    computed as one larger batch, some at a time, as many as make ``cached_examples``. Other
    devices train all of theirs in lockstep.
    """
    if members == 1:
        return MemberLayout(devices_for(batch), 1, 1)
    devices = local_devices()[:members]
    each = -(-members // len(devices))
    together = each
    if devices[0].platform == "cpu":
        # Never one by itself: XLA makes another program of a loop that has one turn, whose
        # numbers differ in their last bits.
        each = max(2, each)
        most = max(1, cached_examples // batch)
        together = max(n for n in range(1, most + 1) if each % n == 0)
    return MemberLayout(devices, each * len(devices), together)


def devices_for(batch: int) -> Sequence[Any]:
    """Return as many local devices as divide a batch evenly, at most all."""
    devices = local_devices()
    for count in range(min(batch, len(devices)), 0, -1):
        if batch % count == 0:
            return devices[:count]
    return devices[:1]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
