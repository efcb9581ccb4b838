"""An NRAM whose gates are chosen, too: a soft choice among all kinds of gates in every slot.

The paper's Q gates are fixed; here there are S slots, in each of which one of G kinds of gates
works, and the controller chooses which. So there are fewer wires, and every wrong gate mixes
into the value of its slot until the choice is made.

Source: a proposal in a note to this project, that the controller attend over the gates and take
the weighted sum of all their outputs. Nothing is published under this name; the nearest is the
machine of Bunel et al. 2016 (arXiv 1605.07969), whose instruction is a softmax over a few.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from softmachine.core.choices import Few, Positive
from softmachine.core.fields import Field
from softmachine.machines.machine import STOPPED, Buffer, Clock
from softmachine.machines.nram.gates import find_gates, write
from softmachine.machines.nram.hard import most_likely
from softmachine.machines.nram.nram import NRAM, NRAMConfig, NRAMState, Wiring
from softmachine.machines.nram.rows import RowTable, row_table
from softmachine.machines.registry import machine


class SoftGateNRAM(NRAM):
    """A Neural Random-Access Machine that chooses the gate of each of its S slots."""

    # Pyright does not know that modules are frozen.
    config: SoftGateNRAMConfig = eqx.field(  # pyright: ignore[reportIncompatibleVariableOverride]
        static=True
    )
    temperature: Buffer
    """tau; phase ``cooling`` lowers it."""

    def run_gates(
        self, wiring: Wiring, state: NRAMState
    ) -> tuple[Float[Array, "slots values"], Float[Array, "cells values"]]:
        """Run the slots one after another; return r_1 ... r_R, out_1 ... out_S, and the memory.

        Slot s takes its arguments as gate m_s of an NRAM does, from the registers and the
        slots before it, V_s. All kinds of gates m_1, ..., m_G work on them::

            A = V_s softmax(a_s),   B = V_s softmax(b_s),   g = softmax(gamma_s / tau)
            out_s = sum over k of g_k m_k(A, B)

        A gate of one argument takes A. WRITE, as one of them, changes the memory as far as it
        is chosen, and READ finds what was there before it::

            memory_i <- (1 - g_WRITE A_i) memory_i + g_WRITE A_i B
        """
        slots, memory = state.registers, state.memory
        kinds, table = self.gates, self.rows
        for rows, row in zip(table.of_gate, table.of_kinds, strict=True):
            arguments = [wiring.choices[row] @ slots for row in rows]
            g = wiring.choices[row]
            # Alone, or XLA would copy each slot's sums into all that it goes into, and so on.
            arguments = list(jax.lax.optimization_barrier(arguments))
            results = [self.result(m, arguments[: m.arity], memory) for m in kinds]
            results = jax.lax.optimization_barrier(results)
            slots = jnp.concatenate([slots, self.clip(g @ jnp.stack(results))[None]])
            for g_k, m in zip(g, kinds, strict=True):
                if m.memory == "write":
                    memory = self.clip(write(memory, g_k * arguments[0], arguments[1]))
        return slots, memory

    def logits(self, hidden: Float[Array, "hidden ..."]) -> Float[Array, "logits ..."]:
        """Return the logits of all choices; those of gates are gamma_s / tau."""
        logits, table = super().logits(hidden), self.rows
        numbers = table.logit_numbers[list(table.of_kinds)]
        numbers = numbers[numbers < table.logit_count]
        return logits.at[numbers].divide(self.temperature().astype(logits.dtype))

    # What others ask of a machine.

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare, besides what an NRAM shows, which gate each slot chooses."""
        names = {"gate": list(self.rows.gate_names), "kind": list(self.config.gates)}
        kinds = Field(
            "kinds",
            "distribution",
            ("gate", "kind"),
            "circuit",
            "Which gate works in each slot.",
            names,
        )
        return (*super().trace_fields(), kinds)

    def observe_step(
        self, state: NRAMState, encoded: None = None, clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return, besides what an NRAM shows, which gate each slot chooses."""
        _, wiring = self.control(state, clock)
        kinds = jnp.stack([wiring.choices[row] for row in self.rows.of_kinds])
        return super().observe_step(state, encoded, clock) | {"kinds": kinds}


class DrawnGateNRAM(SoftGateNRAM):
    """One that in training draws a gate for each slot; in a test it takes the most likely.

    The gradient is that of the mixture of all (`straight_through`).
    """

    def wire(self, hidden: Float[Array, " hidden"], clock: Clock = STOPPED) -> Wiring:
        """Return all choices, those of gates straight through."""
        wiring = super().wire(hidden, clock)
        if not self.config.hard:
            logits, key = self.rows.split(self.logits(hidden)), None
            for place, row in enumerate(self.rows.of_kinds):
                if clock.training:
                    key = jax.random.fold_in(clock.key, place)
                wiring.choices[row] = straight_through(logits[row], key)
        return wiring


def straight_through(
    logits: Float[Array, " gates"], key: PRNGKeyArray | None
) -> Float[Array, " gates"]:
    """Return one gate alone, with the gradient of the softmax.

    With a key the gate is drawn, each as often as its probability, by adding Gumbel noise to
    the logits; without one it is the most likely. Source: Jang, Gu and Poole 2017 (arXiv
    1611.01144), section 2.2.
    """
    if key is not None:
        logits = logits + jax.random.gumbel(key, logits.shape, logits.dtype)
    soft = jax.nn.softmax(logits)
    return most_likely(logits) + (soft - jax.lax.stop_gradient(soft))


@machine("soft-gate-nram")
@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftGateNRAMConfig(NRAMConfig):
    """Sizes of an NRAM that chooses its gates, and how it chooses them."""

    slots: Few = 4
    """S: how many gates work in a step, one after another. Each is one of ``gates``."""
    temperature: Positive = 1.0
    """tau, at first: above 1 it evens the choice of gates out, below 1 it sharpens it."""
    straight_through: bool = False
    """While training one gate is drawn for each slot, instead of mixing all; its gradient is
    that of the mixture. In a test it is the most likely one."""

    def __post_init__(self) -> None:
        """Check the numbers, and that no gate is offered twice."""
        super().__post_init__()
        twice = {name for name in self.gates if self.gates.count(name) > 1}
        if twice:
            raise ValueError(
                f"soft-gate-nram gates must differ, as every slot can choose each of them; "
                f"{', '.join(sorted(twice))} is there more than once"
            )
        if not any(gate.arity for gate in find_gates(self.gates)):
            raise ValueError("soft-gate-nram gates need one that takes an argument")

    def build(
        self, input_size: int = 0, output_size: int = 0, *, key: PRNGKeyArray
    ) -> SoftGateNRAM:
        """Return a machine for memories of any number of cells; both sizes are ignored."""
        plain = super().build(input_size, output_size, key=key)
        temperature = Buffer(jnp.asarray(self.temperature, jnp.float32))
        kind = DrawnGateNRAM if self.straight_through else SoftGateNRAM
        return kind(plain.controller, plain.output, plain.stop, self, temperature)

    @property
    def rows(self) -> RowTable:
        """The choices of a step."""
        return row_table(find_gates(self.gates), self.registers, self.slots)
