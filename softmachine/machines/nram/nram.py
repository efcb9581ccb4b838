"""The Neural Random-Access Machine (Kurach, Andrychowicz & Sutskever 2016, arXiv 1511.06392).

R registers r_1, ..., r_R and M memory cells each hold a distribution over the integers
0..M-1. At every step a controller that sees only how likely each register is to be 0 wires up Q
gates m_1, ..., m_Q (the paper's modules): which values each takes, what goes back into the
registers, and whether to stop.

This file is the definition, for one example, with the paper's symbols and in its order. What
trains and evaluates is `packed.py`: the same numbers for many examples at once.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Few, Positive, check_fields
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.cells import Cells
from softmachine.core.specs.spec import Stream, Whole
from softmachine.machines.machine import STOPPED, Cell, Clock, MachineConfig
from softmachine.machines.nram.controller import (
    MLP,
    Dense,
    NRAMControllerConfig,
    RecurrentController,
    build_controller,
    dense,
)
from softmachine.machines.nram.gates import (
    PAPER_GATES,
    Distribution,
    Gate,
    Memory,
    find_gates,
    read,
    write,
)
from softmachine.machines.nram.hard import most_likely, run_hard_batch
from softmachine.machines.nram.observation import trace_fields
from softmachine.machines.nram.rows import RowTable, row_table
from softmachine.machines.registry import machine


class NRAMState(NamedTuple):
    """One example's state."""

    controller: PyTree
    registers: Float[Array, "registers values"]
    """r_1, ..., r_R; entry (i, j) is P(r_i = j)."""
    memory: Float[Array, "cells values"]
    """The paper's M; entry (i, j) is the probability that cell i holds j."""


class NRAMOutput(NamedTuple):
    """The outputs of one step, as the loss sees them."""

    memory: Float[Array, "... cells values"]
    """The memory after the step."""
    stop: Float[Array, "*batch"]
    """Logit of the willingness to stop after this step (the paper's x_t)."""
    entropy: Float[Array, "*batch"]
    """Sum of the entropies of all choices, in nats."""
    registers: Float[Array, "... registers values"]
    """The registers after the step."""


class Wiring(NamedTuple):
    """The choices of the controller at one step."""

    choices: dict[int, Float[Array, "_"]]
    """For each row of `NRAM.rows`, by its number, a distribution over its sources: the softmax
    of a_i and b_i for each gate in turn, then that of c_i for each register."""
    stop: Float[Array, ""]
    entropy: Float[Array, ""]


class NRAM(Cell):
    """A Neural Random-Access Machine."""

    controller: MLP | RecurrentController
    output: Dense
    """From the controller's output to the logits of all choices."""
    stop: Dense
    """From the controller's output to x_t, the logit of stopping."""
    config: NRAMConfig = eqx.field(static=True)

    def advance(
        self, state: NRAMState, encoded: None = None, clock: Clock = STOPPED
    ) -> tuple[NRAMState, NRAMOutput]:
        """Take one step (sections 3 to 3.3); its parts follow, in the paper's order."""
        del encoded
        controller, wiring = self.control(state, clock)
        slots, memory = self.run_gates(wiring, state)
        r = self.next_registers(wiring, slots)
        output = NRAMOutput(memory, wiring.stop, wiring.entropy, r)
        return NRAMState(controller, r, memory), output

    def control(self, state: NRAMState, clock: Clock = STOPPED) -> tuple[PyTree, Wiring]:
        """Return the controller's next state and its choices for this step.

        It is given P(r_1 = 0), ..., P(r_R = 0) and nothing else, or it would depend on M.
        """
        zeros = state.registers[:, 0]
        controller, hidden = self.controller(state.controller, zeros)
        return controller, self.wire(hidden, clock)

    def wire(self, hidden: Float[Array, " hidden"], clock: Clock = STOPPED) -> Wiring:
        """Return the softmax of all a_i, b_i and c_i, and the logit x_t of stopping."""
        del clock
        logits = self.rows.split(self.logits(hidden))
        choices = {row: jax.nn.softmax(x) for row, x in logits.items()}
        entropies = [
            -jnp.sum(choices[row] * jax.nn.log_softmax(x)) for row, x in logits.items()
        ]
        if self.config.hard:
            choices = {row: most_likely(x) for row, x in logits.items()}
        return Wiring(choices, self.stop_logit(hidden), jnp.sum(jnp.stack(entropies)))

    def run_gates(
        self, wiring: Wiring, state: NRAMState
    ) -> tuple[Float[Array, "slots values"], Float[Array, "cells values"]]:
        """Run the gates one after another; return r_1 ... r_R, o_1 ... o_Q, and the memory.

        The arguments of gate m_i are mixtures of the registers and of earlier gates' results::

            Eq. 1:  o_i = m_i((r_1, ..., r_R, o_1, ..., o_{i-1}) softmax(a_i),
                              (r_1, ..., r_R, o_1, ..., o_{i-1}) softmax(b_i))

        Its result is distributed as that of the integer gate, for arguments drawn independently
        from the mixtures (`Gate.soft`)::

            Eq. 2:  P(m_i(A, B) = c) = sum over a, b of P(A = a) P(B = b) [m_i(a, b) = c]

        READ and WRITE are given the memory, too (section 3.2).
        """
        slots, memory = state.registers, state.memory
        for m_i, rows in zip(self.gates, self.rows.of_gate, strict=True):
            arguments = [wiring.choices[row] @ slots for row in rows]
            o_i = self.result(m_i, arguments, memory)
            if m_i.memory == "write":
                memory = self.clip(write(memory, *arguments))
            slots = jnp.concatenate([slots, self.clip(o_i)[None]])
        return slots, memory

    def result(self, m_i: Gate, arguments: list[Distribution], memory: Memory) -> Distribution:
        """Return what a gate gives for its arguments, and for the memory before it works."""
        if m_i.memory == "read":
            return read(memory, *arguments)
        if m_i.memory == "write" and self.config.write_returns == "value":
            return arguments[1]
        if m_i.memory == "write":
            return jnp.zeros_like(memory[0]).at[0].set(1.0)
        return m_i.soft(*arguments, values=len(memory)).astype(memory.dtype)

    def next_registers(
        self, wiring: Wiring, slots: Float[Array, "slots values"]
    ) -> Float[Array, "registers values"]:
        """Return what goes back into the registers, into all at once.

        ``Eq. 3:  r_i <- (r_1, ..., r_R, o_1, ..., o_Q) softmax(c_i)``
        """
        r = jnp.stack([wiring.choices[c_i] @ slots for c_i in self.rows.of_registers])
        return self.clip(renormalize(r))

    def stop_logit(self, hidden: Float[Array, " hidden"]) -> Float[Array, ""]:
        """Return x_t, the logit of the willingness f_t to stop after this step (section 3.3).

        That a machine stops after step t has the probability p_t; after step T it has stopped.
        What is minimised is how unlikely the memory M_t then makes the right values y_j of its
        cells::

            f_t = sigmoid(x_t)
            p_t = f_t (1 - f_1) ... (1 - f_{t-1}),    p_T = (1 - f_1) ... (1 - f_{T-1})

            Eq. 4:  cost = - sum over t of p_t (sum over j of log M_t[j, y_j])

        The cost needs all steps: `softmachine.core.specs.cells.Cells.loss`.
        """
        return self.stop(hidden)[0]

    def init_state(
        self, inputs: Int[Array, " cells"], *, key: PRNGKeyArray | None = None
    ) -> NRAMState:
        """Return the state before the first step: all registers 0, the memory as given.

        ``inputs`` holds one integer in 0..cells-1 per cell.
        """
        del key
        values, dtype = len(inputs), self.output.weight.dtype
        r = jnp.zeros((self.config.registers, values), dtype).at[:, 0].set(1.0)
        memory = jax.nn.one_hot(inputs, values, dtype=dtype)
        return NRAMState(self.controller.init_state(), r, memory)

    def logits(self, hidden: Float[Array, "hidden ..."]) -> Float[Array, "logits ..."]:
        """Return the logits of all choices, for the soft machine and the hard one."""
        logits = self.output(hidden)
        bound = self.config.logit_clip
        return logits if bound is None else jnp.clip(logits, -bound, bound)

    def clip(self, x: Array) -> Array:
        """Return ``x``, with its gradient clipped to ± C_1 (appendix B)."""
        return clip_gradient(self.config.clip_gradients, x)

    @property
    def gates(self) -> tuple[Gate, ...]:
        """m_1, ..., m_Q."""
        return find_gates(self.config.gates)

    @property
    def rows(self) -> RowTable:
        """The choices of a step."""
        return self.config.rows

    # What others ask of a machine.

    def input_shape(self) -> tuple[str]:
        """Return the shape of one example's inputs."""
        return ("cells",)

    def encode(self, inputs: PyTree) -> None:
        """Return nothing: there is no input per step."""
        del inputs

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare memory and registers, and the circuit of each step."""
        return trace_fields(self.rows, self._shown_choices(), self.config.registers)

    def observe_state(self, state: NRAMState) -> dict[str, Array]:
        """Return memory and registers."""
        return {"memory": state.memory, "registers": state.registers}

    def observe_step(
        self, state: NRAMState, encoded: None = None, clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return the choices, the gates' results, and the willingness to stop."""
        del encoded
        _, wiring = self.control(state, clock)
        slots, _ = self.run_gates(wiring, state)
        choices = self.rows.as_table(jnp.concatenate([*wiring.choices.values()]), 0.0)
        return {
            "choices": choices[self._shown_choices(), : len(slots)],
            "gates": slots[self.config.registers :],
            "willing": jax.nn.sigmoid(wiring.stop),
            "entropy": wiring.entropy,
        }

    def _shown_choices(self) -> Int[np.ndarray, " shown"]:
        """Return the numbers of the rows that have slots as sources."""
        return np.setdiff1d(np.flatnonzero(self.rows.sources), self.rows.of_kinds)

    @property
    def test_options(self) -> NRAMTestOptions:
        """Whether the machine is soft or hard now."""
        return self.config.test_options

    def with_test_options(self, options: NRAMTestOptions) -> NRAM:
        """Return the same parameters in the hard form, or in the soft one."""
        config = dataclasses.replace(self.config, hard=options.hard)
        return dataclasses.replace(self, config=config)

    def run_hard(
        self,
        memories: Int[Array, "batch cells"],
        steps: Int[Array, " batch"],
        cells: Int[Array, " batch"] | None = None,
    ) -> Int[Array, "batch cells"]:
        """Return the memories that the hard form leaves; see `run_hard_batch`."""
        return run_hard_batch(self, memories, steps, cells).memory


def renormalize(
    distributions: Float[Array, "n values ..."],
) -> Float[Array, "n values ..."]:
    """Divide distributions by their sums, with the gradient of the identity (appendix B).

    Rounding would let sums drift away from 1 in the course of many steps.
    """
    sums = jnp.sum(distributions, axis=1, keepdims=True)
    return distributions + jax.lax.stop_gradient(distributions / sums - distributions)


def clip_gradient(limit: float | None, x: Array) -> Array:
    """Return ``x``, with its gradient clipped to ± ``limit``."""
    return x if limit is None else _clipping(limit, x)


@jax.custom_vjp
def _clipping(limit, x):
    del limit
    return x


_clipping.defvjp(
    lambda limit, x: (x, limit),
    lambda limit, bar: (None, jnp.clip(bar, -limit, limit)),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NRAMTestOptions:
    """How a trained NRAM is tested: soft or hard."""

    hard: bool = False
    """Replace every softmax by its argmax."""


@machine("nram")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NRAMConfig(MachineConfig):
    """Sizes of an NRAM, and the choices that the paper leaves open."""

    works: ClassVar[str] = "on a memory of cells, handed over whole"

    registers: Few = 5
    gates: tuple[str, ...] = PAPER_GATES
    """Names of the gates in the order in which they work; a name may occur several times."""
    controller: NRAMControllerConfig = NRAMControllerConfig()
    write_returns: Literal["zero", "value"] = "zero"
    """The result of WRITE, which later gates and registers may take; the paper's is zero."""
    clip_gradients: Positive | None = 1.0
    """Gradients of values and memory are clipped to ± this inside back-propagation."""
    logit_clip: Positive | None = None
    """Bound of the logits of choices; the paper has none. What goes
    beyond it gets no gradient, and of several sources beyond it none is more likely than
    another: the hard machine takes the first of them. Machines of schema 2 have 30."""
    hard: bool = False
    """Whether every softmax is replaced by its argmax."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        if not self.gates:
            raise ValueError("nram gates must name at least one gate")
        find_gates(self.gates)

    @property
    def test_options(self) -> NRAMTestOptions:
        """Whether the machine is soft or hard."""
        return NRAMTestOptions(hard=self.hard)

    def fits(self, inputs: Stream[Any] | Whole[Any], outputs: Stream[Any] | Whole[Any]) -> bool:
        """Return whether a task hands over a memory of integers, and wants it back."""
        memories = isinstance(inputs.spec, Cells) and isinstance(outputs.spec, Cells)
        return memories and not inputs.per_step and not outputs.per_step

    def build(self, input_size: int = 0, output_size: int = 0, *, key: PRNGKeyArray) -> NRAM:
        """Return a machine for memories of any number of cells; both sizes are ignored."""
        del input_size, output_size
        controller_key, output_key, stop_key = jax.random.split(key, 3)
        hidden = self.controller.hidden
        return NRAM(
            controller=build_controller(self.controller, self.registers, key=controller_key),
            output=dense(hidden, self.rows.logit_count, key=output_key),
            stop=dense(hidden, 1, key=stop_key),
            config=self,
        )

    @property
    def rows(self) -> RowTable:
        """The choices of a step."""
        return row_table(find_gates(self.gates), self.registers)
