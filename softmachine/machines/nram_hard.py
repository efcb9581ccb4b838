"""An NRAM made hard: every choice its most likely one, every value an integer.

Each access to the memory costs one operation, and the memory is an array of integers, so that
it may have a million cells. Source: Kurach et al. 2016 (arXiv 1511.06392), section 3.4.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from softmachine.machines.gates import find_gates
from softmachine.machines.nram import NRAM


class HardState(NamedTuple):
    """One example's state."""

    controller: PyTree
    registers: Int[Array, " registers"]
    memory: Int[Array, " cells"]
    steps: Int[Array, ""]
    """Steps taken so far."""
    stopped: Bool[Array, ""]


class HardWiring(NamedTuple):
    """What is wired to what in one step."""

    sources: Int[Array, " rows"]
    """For every row of choices, the slot it takes; see `NRAM.plan`."""
    stop: Bool[Array, ""]


def hard_state(machine: NRAM, memory: Int[Array, " cells"]) -> HardState:
    """Return the state before the first step: all registers 0, the memory as given."""
    return HardState(
        machine.controller.init_state(),
        jnp.zeros(machine.config.registers, jnp.int32),
        jnp.asarray(memory, jnp.int32),
        jnp.zeros((), jnp.int32),
        jnp.zeros((), bool),
    )


def hard_wiring(machine: NRAM, hidden: Float[Array, " hidden"]) -> HardWiring:
    """Return the most likely choices, and whether stopping is more likely than not."""
    plan = machine.plan
    logits = machine.prepare().output(hidden).reshape(plan.inside.shape)
    best = jnp.argmax(jnp.where(plan.inside, logits, -jnp.inf), axis=1)
    return HardWiring(best, machine.stop(hidden)[0] > 0)


def work(
    machine: NRAM,
    sources: Int[Array, " rows"],
    registers: Int[Array, " registers"],
    memory: Int[Array, " cells"],
) -> tuple[Int[Array, " registers"], Int[Array, " cells"]]:
    """Let all gates work under a wiring; return registers and memory afterwards."""
    cells, row = len(memory), 0
    known = list(registers)
    for gate in find_gates(machine.config.gates):
        arguments = []
        for i in range(gate.arity):
            arguments.append(jnp.stack(known)[sources[row + i]])
        row += 2 if gate.arity else 0
        if gate.memory == "read":
            result = memory[arguments[0]]
        elif gate.memory == "write":
            memory = memory.at[arguments[0]].set(arguments[1])
            returns = machine.config.write_returns == "value"
            result = arguments[1] if returns else jnp.zeros_like(arguments[1])
        else:
            result = gate.hard(*arguments, values=cells)
        known.append(result)
    return jnp.stack(known)[sources[row:]], memory


def hard_step(machine: NRAM, state: HardState) -> HardState:
    """Take one step; a machine that has stopped stays as it is."""
    zeros = (state.registers == 0).astype(jnp.float32)
    controller, hidden = machine.controller(state.controller, zeros)
    wiring = hard_wiring(machine, hidden)
    registers, memory = work(machine, wiring.sources, state.registers, state.memory)
    after = HardState(controller, registers, memory, state.steps + 1, wiring.stop)
    return jax.tree.map(lambda new, old: jnp.where(state.stopped, old, new), after, state)


def run_hard(
    machine: NRAM, memory: Int[Array, " cells"], steps: Int[Array, ""] | int
) -> HardState:
    """Run until the machine stops, or for so many steps; return the last state."""

    def goes_on(state):
        return ~state.stopped & (state.steps < steps)

    start = hard_state(machine, memory)
    return jax.lax.while_loop(goes_on, lambda state: hard_step(machine, state), start)
