"""The hard form of an NRAM: every softmax replaced by its argmax, every value an integer.

Each access to the memory costs one operation, and the memory is an array of integers, so that
it may have a million cells. Source: Kurach et al. 2016 (arXiv 1511.06392), section 3.4.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from softmachine.core.pytrees import PyTree
from softmachine.machines.nram.controller import MLP
from softmachine.machines.nram.gates import Gate
from softmachine.machines.nram.rows import RowTable

DECIDED = 30.0
"""The size of logits that are written into a machine: the chosen source has this one, all
others its negative, and so a probability of exp(-60), which is nothing."""


@runtime_checkable
class SoftForm(Protocol):
    """What the hard form needs of an NRAM: its parameters, its gates, its rows of choices."""

    @property
    def config(self) -> Any:
        """Sizes, and the gates in their order."""
        ...

    @property
    def controller(self) -> Any:
        """``(state, zeros) -> (state, hidden)``."""
        ...

    @property
    def output(self) -> Any:
        """The layer of the choices' logits."""
        ...

    @property
    def stop(self) -> Any:
        """The layer of the logit of stopping."""
        ...

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates in the order in which they work."""
        ...

    @property
    def rows(self) -> RowTable:
        """The choices of a step."""
        ...

    def logits(self, hidden: Float[Array, "hidden ..."]) -> Float[Array, "logits ..."]:
        """Return the logits of all choices."""
        ...


class HardState(NamedTuple):
    """One example's state, in integers."""

    controller: PyTree
    registers: Int[Array, " registers"]
    memory: Int[Array, " cells"]
    steps: Int[Array, ""]
    """Steps taken so far."""
    stopped: Bool[Array, ""]


class HardWiring(NamedTuple):
    """The wires of one step: a source for every row of choices."""

    sources: Int[Array, " rows"]
    """For every row of choices, the number of its slot; see `RowTable`."""
    stop: Bool[Array, ""]


def hard_state(machine: SoftForm, memory: Int[Array, " cells"]) -> HardState:
    """Return the state before the first step: all registers 0, the memory as given."""
    return HardState(
        machine.controller.init_state(),
        jnp.zeros(machine.config.registers, jnp.int32),
        jnp.asarray(memory, jnp.int32),
        jnp.zeros((), jnp.int32),
        jnp.zeros((), bool),
    )


def most_likely(logits: Float[Array, " sources"]) -> Float[Array, " sources"]:
    """Return the argmax of logits, as a one-hot distribution (section 3.4)."""
    return jax.nn.one_hot(jnp.argmax(logits), len(logits), dtype=logits.dtype)


def hard_wiring(machine: SoftForm, hidden: Float[Array, " hidden"]) -> HardWiring:
    """Return the most likely choices, and whether stopping is more likely than not."""
    logits = machine.rows.as_table(machine.logits(hidden), -jnp.inf)
    best = jnp.argmax(logits, axis=1)
    return HardWiring(best, machine.stop(hidden)[0] > 0)


def hard_wirings(machine: SoftForm) -> HardWiring:
    """Return the wiring for every pattern of zeros, of a controller without a state.

    Arrays have a leading axis of all 2^R patterns; see `pattern_number`.
    """
    assert isinstance(machine.controller, MLP)
    bits = pattern_bits(machine.config.registers).astype(machine.output.weight.dtype)
    _, hidden = machine.controller((), bits.T)
    return jax.vmap(partial(hard_wiring, machine), in_axes=1)(hidden)


def pattern_bits(registers: int) -> Float[Array, "patterns registers"]:
    """Return for every pattern of zeros which registers are 0; see `pattern_number`."""
    bits = jnp.arange(2**registers)[:, None] >> jnp.arange(registers) & 1
    return bits.astype(jnp.float32)


def pattern_number(registers: Int[Array, "*batch registers"]) -> Int[Array, "*batch"]:
    """Return the number of the pattern of zeros: register i counts 2^i if it is 0."""
    return jnp.sum((registers == 0) << jnp.arange(registers.shape[-1]), axis=-1)


def run_gates(
    machine: SoftForm,
    sources: Int[Array, " rows"],
    registers: Int[Array, " registers"],
    memory: Int[Array, " cells"],
    running: Bool[Array, ""] | bool = True,
    cells: Int[Array, ""] | int | None = None,
) -> tuple[Int[Array, " registers"], Int[Array, " cells"]]:
    """Run all gates of a step in their order; return registers and memory afterwards.

    Arguments:
        machine: the machine.
        sources: the wires of the step.
        registers: the registers before.
        memory: the memory before.
        running: if not true, nothing changes. WRITE then writes back what it finds, one cell,
            which costs less than to select between two whole memories.
        cells: how many cells the memory has, if it is padded.
    """
    cells = len(memory) if cells is None else cells
    known, table = list(registers), machine.rows
    returns = machine.config.write_returns == "value"
    for place, rows in enumerate(table.of_gate):
        arguments = [jnp.stack(known)[sources[row]] for row in rows]
        kind = sources[table.of_kinds[place]] if table.of_kinds else 0
        results = []
        for number, gate in enumerate(table.candidates(place)):
            taken = arguments[: gate.arity]
            if gate.memory == "read":
                result = memory[taken[0]]
            elif gate.memory == "write":
                writes = running & (kind == number)
                written = jnp.where(writes, taken[1], memory[taken[0]])
                memory = memory.at[taken[0]].set(written)
                result = taken[1] if returns else jnp.zeros_like(taken[1])
            else:
                result = gate.hard(*taken, values=cells)
            results.append(result)
        known.append(jnp.stack(results)[kind] if table.of_kinds else results[0])
    after = jnp.stack(known)[sources[np.array(table.of_registers)]]
    return jnp.where(running, after, registers), memory


def hard_step(machine: SoftForm, state: HardState) -> HardState:
    """Take one step; a machine that has stopped stays as it is."""
    return _step(machine, None, state, ~state.stopped)


def _step(
    machine: SoftForm,
    wirings: HardWiring | None,
    state: HardState,
    running: Bool[Array, ""],
    cells: Int[Array, ""] | None = None,
) -> HardState:
    """Take one step if ``running``; ``wirings`` are those of all patterns, or None."""
    if wirings is None:
        zeros = (state.registers == 0).astype(machine.output.weight.dtype)
        controller, hidden = machine.controller(state.controller, zeros)
        wiring = hard_wiring(machine, hidden)
    else:
        controller, number = state.controller, pattern_number(state.registers)
        wiring = jax.tree.map(lambda x: x[number], wirings)
    registers, memory = run_gates(
        machine, wiring.sources, state.registers, state.memory, running, cells
    )
    return HardState(
        jax.tree.map(
            lambda new, old: jnp.where(running, new, old), controller, state.controller
        ),
        registers,
        memory,
        state.steps + running,
        jnp.where(running, wiring.stop, state.stopped),
    )


def run_hard(
    machine: SoftForm, memory: Int[Array, " cells"], steps: Int[Array, ""] | int
) -> HardState:
    """Run until the machine stops, for ``steps`` steps at most; return the last state."""
    states = run_hard_batch(machine, jnp.asarray(memory)[None], jnp.asarray(steps)[None])
    return jax.tree.map(lambda x: x[0], states)


def run_hard_batch(
    machine: SoftForm,
    memories: Int[Array, "batch cells"],
    steps: Int[Array, " batch"],
    cells: Int[Array, " batch"] | None = None,
) -> HardState:
    """Run each memory until the machine stops there, for its number of steps at most.

    ``cells``: how many cells each memory has, if not all; those after them stay as they are.

    A step costs the same for memories of any size. (Under `jax.vmap`, `run_hard` copies
    whole memories at every step: JAX chooses between two states for examples that are done.)

    Returns the last states, with a leading axis for the batch.
    """
    small = isinstance(machine.controller, MLP) and machine.config.registers <= MOST_TABULATED
    wirings = hard_wirings(machine) if small else None

    def running(state):
        return ~state.stopped & (state.steps < steps)

    def step(state):
        take = jax.vmap(partial(_step, machine, wirings))
        return take(state, running(state), cells)

    start = jax.vmap(partial(hard_state, machine))(memories)
    return jax.lax.while_loop(lambda state: jnp.any(running(state)), step, start)


MOST_TABULATED = 8
"""Up to this many registers, the wires of all 2^R patterns are computed before the first step,
and looked up in each."""
