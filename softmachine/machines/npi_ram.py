"""A programmer-interpreter on a soft random-access machine, so that it can learn from answers.

A programmer-interpreter (`softmachine.machines.npi`) learns from traces of calls, a neural
random-access machine (`softmachine.machines.nram`) from inputs and outputs. Here the core of
the one calls the gates of the other, an operation in each step, and everything that it decides
is a distribution: so the right memory at the end can teach it, too.

Programs end by calling another, or themselves (a tail call), or they end the run. Then no stack
is needed: a call is a fresh start of the core, as far as it is called. With every choice
decided, what is left is the programmer-interpreter, whose programs can be run and proved.

Source: a proposal in a note to this project. Nothing is published under this name; the nearest
are the machine of Bunel et al. 2016 (arXiv 1605.07969), which tunes compiled programs by
gradients, and Neural Program Lattices (Li et al. 2017), which a few traces and many outcomes
teach.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Count, Few, check_fields
from softmachine.core.fields import STOPPING, Field
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.cells import Cells
from softmachine.core.specs.spec import Stream, Whole
from softmachine.machines.machine import STOPPED, Cell, Clock, MachineConfig
from softmachine.machines.npi import NPI, NPIConfig
from softmachine.machines.nram.gates import PAPER, Distribution, Memory, write
from softmachine.machines.nram.nram import NRAMOutput
from softmachine.machines.registry import machine

NOTHING, OPERATION = 0, 1
"""The programs that call nothing, and that let a gate work; all others are a core's own."""
READ, WRITE = (next(i for i, m in enumerate(PAPER) if m.memory == x) for x in ("read", "write"))
COMPUTING = tuple(i for i, m in enumerate(PAPER) if not m.memory)
"""The numbers of gates that have nothing to do with the memory."""
LEAST = 1e-6
"""The lowest probability of stopping, and of going on, that a logit is made of."""


class NPIRAMState(NamedTuple):
    """One example's state."""

    core: Float[Array, "2 layers hidden"]
    running: Float[Array, " programs"]
    """How likely each program is to be the one that runs."""
    registers: Float[Array, "registers values"]
    memory: Float[Array, "cells values"]


class Decision(NamedTuple):
    """What the core decides in a step, as probabilities."""

    end: Float[Array, ""]
    programs: Float[Array, " programs"]
    gates: Float[Array, " gates"]
    x: Float[Array, " registers"]
    """The register of the gate's first argument, A."""
    y: Float[Array, " registers"]
    """That of its second, B."""
    z: Float[Array, " registers+1"]
    """Where its result goes; the last: nowhere, as that of WRITE."""


class NPIRAM(Cell):
    """A core, its programs, and the gates of an NRAM."""

    core: NPI
    config: NPIRAMConfig = eqx.field(static=True)

    def advance(
        self, state: NPIRAMState, encoded: None = None, clock: Clock = STOPPED
    ) -> tuple[NPIRAMState, NRAMOutput]:
        """Take the core's steps of one step of the task.

        The outputs are as after one step of an NRAM. Where the run ends among these steps, the
        memory is the one at its end; what goes on does so with the memory after all.
        """
        del encoded, clock

        def one(carry, _):
            state, going, ended = carry
            state, f, entropy = self.core_step(state)
            ended = ended + going * f * state.memory
            return (state, going * (1 - f), ended), entropy

        begin = (state, jnp.ones((), state.memory.dtype), jnp.zeros_like(state.memory))
        (state, going, ended), entropies = jax.lax.scan(
            one, begin, None, self.config.core_steps
        )
        memory = ended + going * state.memory
        bounded = jnp.clip(going, LEAST, 1 - LEAST)
        stop = jnp.log1p(-bounded) - jnp.log(bounded)
        output = NRAMOutput(memory, stop, jnp.sum(entropies), state.registers)
        return state, output

    def core_step(
        self, state: NPIRAMState
    ) -> tuple[NPIRAMState, Float[Array, ""], Float[Array, ""]]:
        """Return the state after a step of the core, how likely the run ends, and the entropy.

        With e the probability to end, pi that of each program, g of each gate, and x, y, z of
        the registers that it takes and gives to::

            A = sum of x_i r_i,   B = sum of y_i r_i
            r_i <- (1 - w_i) r_i + w_i sum over k of g_k m_k(A, B) / (1 - g_WRITE),
                   w_i = pi_OP (1 - g_WRITE) z_i
            memory_i <- (1 - v A_i) memory_i + v A_i B,   v = pi_OP g_WRITE z_nowhere

            q_j = e pi_j of every program j of the core,   f = e (pi_NOP + pi_OP)
            running <- (1 - sum of q) running + q,   h, c <- (1 - sum of q) (h, c)
        """
        core, logits = self.decide(state)
        decided, entropy = self._probabilities(logits)
        a, b = decided.x @ state.registers, decided.y @ state.registers
        operates = decided.programs[OPERATION]
        result = self._results(decided.gates, a, b, state.memory)
        computes = 1 - decided.gates[WRITE]
        changed = operates * decided.z[:-1, None]
        registers = (1 - changed * computes) * state.registers + changed * result
        writes = operates * decided.gates[WRITE] * decided.z[-1]
        memory = write(state.memory, writes * a, b)
        called = decided.end * decided.programs.at[: OPERATION + 1].set(0.0)
        stays = 1 - jnp.sum(called)
        state = NPIRAMState(stays * core, stays * state.running + called, registers, memory)
        f = decided.end * (decided.programs[NOTHING] + operates)
        return state, f, entropy

    def decide(
        self, state: NPIRAMState
    ) -> tuple[Float[Array, "2 layers hidden"], Float[Array, " outputs"]]:
        """Return the core's next state and its logits, from what it sees.

        That is P(r_1 = 0), ..., P(r_R = 0), as by the controller of an NRAM, and the program
        that runs; programs take no arguments.
        """
        zero = state.registers[:, 0]
        seen = jnp.stack([1 - zero, zero], axis=1).ravel()
        none = jnp.zeros(sum(self.config.arguments), seen.dtype)
        inputs = jnp.concatenate([seen, none, state.running])
        core, features = self.core.advance(state.core, self.core.encode(inputs))
        return core, self.core.decode(features)

    def _probabilities(
        self, logits: Float[Array, " outputs"]
    ) -> tuple[Decision, Float[Array, ""]]:
        """Return all choices, and the sum of their entropies, in nats.

        Those of a gate and its registers count as far as it is called.
        """
        ends = [1, self.config.programs, *self.config.arguments]
        end, *choices = jax.lax.split(logits, ends)
        logs = [jax.nn.log_softmax(x) for x in choices]
        programs, *others = [-jnp.sum(jnp.exp(x) * x) for x in logs]
        e = jax.nn.sigmoid(end[0])
        ending = -e * jax.nn.log_sigmoid(end[0]) - (1 - e) * jax.nn.log_sigmoid(-end[0])
        decided = Decision(e, *[jnp.exp(x) for x in logs])
        entropy = ending + programs + decided.programs[OPERATION] * sum(others)
        return decided, entropy

    def _results(
        self, g: Float[Array, " gates"], a: Distribution, b: Distribution, memory: Memory
    ) -> Distribution:
        """Return the sum over all gates but WRITE of ``g_k m_k(A, B)``.

        Those that compute are one product of matrices: with P(A = a) P(B = b), for all pairs.
        """
        joint = (a[:, None] * b).ravel()
        tables = jnp.asarray(_tables(len(a)), a.dtype)
        results = (joint @ tables).reshape(len(COMPUTING), len(a))
        return g[jnp.array(COMPUTING)] @ results + g[READ] * (a @ memory)

    def init_state(
        self, inputs: Int[Array, " cells"], *, key: PRNGKeyArray | None = None
    ) -> NPIRAMState:
        """Return the state before the first step: the main program begins, all registers 0."""
        del key
        values, dtype = len(inputs), self.core.end.weight.dtype
        registers = jnp.zeros((self.config.registers, values), dtype).at[:, 0].set(1.0)
        running = jnp.zeros(self.config.programs, dtype).at[self.config.main].set(1.0)
        memory = jax.nn.one_hot(inputs, values, dtype=dtype)
        return NPIRAMState(self.core.init_state(), running, registers, memory)

    # What others ask of a machine.

    def input_shape(self) -> tuple[str]:
        """Return the shape of one example's inputs."""
        return ("cells",)

    def encode(self, inputs: PyTree) -> None:
        """Return nothing: there is no input per step."""
        del inputs

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare memory, registers and the running program."""
        return (
            Field("memory", "distribution", ("cell", "value"), "memory", "What cells hold."),
            Field(
                "registers",
                "distribution",
                ("register", "value"),
                "registers",
                "What registers hold.",
            ),
            Field("running", "weighting", ("program",), "core", "Which program runs."),
            Field(
                "willing", "probability", (), STOPPING, "How likely the run ends in the step."
            ),
            Field("core", "matrix", ("part", "layer", "hidden"), "core", aside=True),
        )

    def observe_step(
        self, state: NPIRAMState, encoded: None = None, clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return how likely the run ends."""
        return {"willing": jax.nn.sigmoid(self.advance(state, encoded, clock)[1].stop)}


@lru_cache(maxsize=8)
def _tables(values: int) -> Float[np.ndarray, "pairs results"]:
    """Return which value each gate gives for each pair of values, one-hot, gate by gate.

    Raises ValueError if one of them gives none of the values, as TWO does of two.
    """
    tables = [PAPER[i].table(values) for i in COMPUTING]
    given = [x.reshape(*x.shape, *[1] * (2 - x.ndim)) for x in tables]
    results = np.stack([np.broadcast_to(x, (values, values)) for x in given], axis=-1)
    return np.eye(values, dtype=np.float32)[results].reshape(values**2, -1)


@machine("npi-ram")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NPIRAMConfig(MachineConfig):
    """Programs and sizes of a programmer-interpreter on a soft random-access machine."""

    works: ClassVar[str] = "on a memory of cells, handed over whole"

    programs: Count = 3
    """How many programs there are, with that which calls nothing and the operation."""
    main: Count = 2
    """The number of the program that runs first."""
    registers: Few = 5
    core_steps: Count = 6
    """Steps of the core, each an operation, in each step of the task."""
    width: Count = 64
    """The size of the core's LSTM and of its other layers."""
    key: Count = 16
    """The size of a program's key."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        if not OPERATION < self.main < self.programs:
            raise ValueError(
                f"npi-ram main is the number of a program of the core, from 2 to "
                f"{self.programs - 1}; not {self.main}"
            )

    @property
    def arguments(self) -> tuple[int, ...]:
        """How many values each argument of the operation has."""
        return (len(PAPER), self.registers, self.registers, self.registers + 1)

    def fits(self, inputs: Stream[Any] | Whole[Any], outputs: Stream[Any] | Whole[Any]) -> bool:
        """Return whether a task hands over a memory of integers, and wants it back."""
        memories = isinstance(inputs.spec, Cells) and isinstance(outputs.spec, Cells)
        return memories and not inputs.per_step and not outputs.per_step

    def build(self, input_size: int = 0, output_size: int = 0, *, key: PRNGKeyArray) -> NPIRAM:
        """Return a machine for memories of any number of cells; both sizes are ignored."""
        del input_size, output_size
        core = NPIConfig(
            programs=self.programs,
            arguments=self.arguments,
            observation=self.width,
            embedding=self.width,
            key=self.key,
            fused=self.width,
            hidden=self.width,
            layers=1,
        )
        taken = sum(self.arguments)
        seen = 2 * self.registers + taken + self.programs
        return NPIRAM(core.build(seen, 1 + self.programs + taken, key=key), self)
