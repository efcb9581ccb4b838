"""Shared set-up: two CPU devices, every annotated shape checked; a machine made by hand."""

import os
import subprocess
import sys
import tempfile

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
# The tests compile much and compute little.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "XLA_FLAGS" not in os.environ:
    # Halves the time to compile. XLA aborts on a flag that it does not know: ask it first.
    _flags = {"XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false"}
    _asked = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"],
        env=os.environ | _flags,
        capture_output=True,
        check=False,
    )
    os.environ |= _flags if _asked.returncode == 0 else {"XLA_FLAGS": ""}
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # One cache for all workers and for the processes that tests start.
    _cache = tempfile.TemporaryDirectory(prefix="softmachine-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

import pytest
from jaxtyping import install_import_hook

_hook = install_import_hook("softmachine", "beartype.beartype")


@pytest.fixture(scope="module", autouse=True)
def _room_for_programs():
    """Tests compile much in ways of their own."""
    yield
    from softmachine import compiling

    compiling.make_room()


@pytest.fixture(scope="session")
def access_machine():
    """An NRAM wired by hand that solves Access at every size, soft and hard.

    Register r1 stays 0. Each step reads where r2 points, writes that to cell r1 and keeps it
    in r2; after a step that r2 did not begin as 0, the second, the machine stops.
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from softmachine.machines.circuits import LARGEST_LOGIT
    from softmachine.machines.nram import NRAMConfig, NRAMControllerConfig

    config = NRAMConfig(
        registers=2,
        gates=("READ", "ONE", "INC", "WRITE"),
        controller=NRAMControllerConfig(hidden=8),
    )
    machine = jax.tree.map(jnp.zeros_like, config.build(key=jax.random.key(0)))
    slots = ["r1", "r2", *config.gates]
    wires = {
        "READ a": "r2",
        "INC a": "r1",
        "WRITE a": "r1",
        "WRITE b": "READ",
        "r1": "r1",
        "r2": "READ",
    }
    order = machine.plan.order.reshape(-1, len(slots))
    bias = jnp.full_like(machine.output.bias, -LARGEST_LOGIT)
    for row, name in enumerate(machine.choice_names()):
        if name in wires:
            bias = bias.at[order[row, slots.index(wires[name])]].set(LARGEST_LOGIT)
    # Unit 0 of both layers is how likely r2 is 0.
    return eqx.tree_at(
        lambda m: (
            m.controller.first.weight,
            m.controller.second.weight,
            m.output.bias,
            m.stop.weight,
            m.stop.bias,
        ),
        machine,
        (
            machine.controller.first.weight.at[0, 1].set(1.0),
            machine.controller.second.weight.at[0, 0].set(1.0),
            bias,
            machine.stop.weight.at[0, 0].set(-60.0),
            jnp.full_like(machine.stop.bias, 30.0),
        ),
    )
