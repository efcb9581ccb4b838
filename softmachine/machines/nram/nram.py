"""The Neural Random-Access Machine (Kurach, Andrychowicz & Sutskever 2016, arXiv 1511.06392).

A machine of R registers and M memory cells, each holding a distribution over the integers
0..M-1. At every step a controller that sees only how likely each register is 0 wires up the
gates: which values each gate takes, what goes back into the registers, and whether to stop.

Arrays of distributions run over the values before any batch, so that a batch, moved to the
last axis by `run_batch`, is what the processor's vector units work along.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache, partial
from typing import ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from softmachine.core.choices import Count, Few, Positive, check_fields
from softmachine.core.fields import Field
from softmachine.machines.machine import Buffer, Machine, MachineConfig
from softmachine.machines.nram.circuits import Choices, Plan, choose, gate_results, run_gates
from softmachine.machines.nram.gates import PAPER_GATES, find_gates
from softmachine.machines.parts.linear import glorot, once_differentiable
from softmachine.machines.registry import machine


class NRAMState(NamedTuple):
    """One example's state."""

    controller: PyTree
    registers: Float[Array, "registers values"]
    memory: Float[Array, "cells values"]


class NRAMOutput(NamedTuple):
    """What one step gives."""

    memory: Float[Array, "... cells values"]
    """The memory after the step."""
    stop: Float[Array, "*batch"]
    """Logit of the willingness to stop after this step (the paper's x_t)."""
    entropy: Float[Array, "*batch"]
    """Sum of the entropies of all choices, in nats."""
    registers: Float[Array, "... registers values"]
    """The registers after the step."""


class Wiring(NamedTuple):
    """What the controller chose at one step."""

    choices: Choices
    """Distributions over registers and gates: each gate's arguments in turn, then what goes
    into each register."""
    stop: Float[Array, ""]
    entropy: Float[Array, ""]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NRAMControllerConfig:
    """What kind of controller, and how large."""

    kind: Literal["mlp", "lstm", "gru"] = "mlp"
    """``mlp``: two hidden ReLU layers. ``lstm``, ``gru``: one, then the cells."""
    hidden: Count = 64
    """Units of each layer."""

    def __post_init__(self) -> None:
        """Check the size."""
        check_fields(self)


@machine("nram")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NRAMConfig(MachineConfig):
    """Sizes of an NRAM, and the choices that the paper leaves open."""

    registers: Few = 5
    gates: tuple[str, ...] = PAPER_GATES
    """Names of the gates in the order in which they work; one may stand twice."""
    controller: NRAMControllerConfig = NRAMControllerConfig()
    write_returns: Literal["zero", "value"] = "zero"
    """What WRITE gives to later gates and registers."""
    clip_gradients: Positive | None = 1.0
    """Gradients of values and memory are clipped to ± this inside back-propagation."""
    logit_clip: Positive | None = None
    """Bound of the logits of choices; the paper has none. What goes
    beyond it gets no gradient, and of several sources beyond it none is more likely than
    another: the hard machine takes the first of them. Machines of schema 2 have 30."""
    hard: bool = False
    """Whether every choice is its most likely one alone."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        if not self.gates:
            raise ValueError("nram gates must name at least one gate")
        find_gates(self.gates)

    def build(self, input_size: int = 0, output_size: int = 0, *, key: PRNGKeyArray) -> NRAM:
        """Return a machine; it works with any number of cells, whose sizes nobody looks at."""
        del input_size, output_size
        plan = _plan(self)
        controller_key, output_key, stop_key = jax.random.split(key, 3)
        hidden = self.controller.hidden
        return NRAM(
            controller=_build_controller(self.controller, self.registers, key=controller_key),
            output=_dense(hidden, plan.logits, key=output_key),
            stop=_dense(hidden, 1, key=stop_key),
            config=self,
        )


class NRAM(Machine):
    """A Neural Random-Access Machine.

    States may have one more axis, last: a batch.
    """

    controller: MLP | Recurrent
    output: Dense
    """Logits of the choices that there are."""
    stop: Dense
    config: NRAMConfig = eqx.field(static=True)

    batch_last: ClassVar[bool] = True

    def init_state(
        self, inputs: Int[Array, "*batch cells"], *, key: PRNGKeyArray | None = None
    ) -> NRAMState:
        """Return the state before the first step: all registers 0, the memory as given.

        ``inputs`` holds one integer in 0..cells-1 per cell.
        """
        del key
        cells, batch = inputs.shape[-1], inputs.shape[:-1]
        dtype = self.output.weight.dtype
        registers = jnp.zeros((self.config.registers, cells, *batch), dtype).at[:, 0].set(1.0)
        memory = jax.nn.one_hot(inputs.T, cells, axis=1, dtype=dtype)
        return NRAMState(self.controller.init_state(batch), registers, memory)

    def input_shape(self) -> tuple[str]:
        """Return the shape of one example's inputs."""
        return ("cells",)

    def encode(self, inputs: PyTree) -> None:
        """Return nothing: there is no input per step."""
        del inputs

    def advance(self, state: NRAMState, encoded: None = None) -> tuple[NRAMState, NRAMOutput]:
        """Take one step (the paper's section 3)."""
        del encoded
        clip = partial(_clip_gradient, self.config.clip_gradients)
        controller, wiring = self.control(state)
        # Pyright takes what stands under partial(custom_vjp) for a function to object.
        registers, memory = run_gates(  # pyright: ignore[reportGeneralTypeIssues]
            self.plan, wiring.choices, state.registers, state.memory
        )
        registers = clip(_renormalize(registers))
        features = NRAMOutput(memory, wiring.stop, wiring.entropy, registers)
        return NRAMState(controller, registers, memory), features

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare memory and registers, and the circuit of each step."""
        registers = [f"r{i + 1}" for i in range(self.config.registers)]
        gates, choices = self.gate_names(), self.shown_choice_names()

        def values_of(name, axis, group, description, labels=()):
            axes = (axis, "value")
            return Field(name, "distribution", axes, group, description, dict(labels))

        return (
            values_of("memory", "cell", "memory", "What each cell holds."),
            values_of(
                "registers",
                "register",
                "registers",
                "What each register holds.",
                {"register": registers},
            ),
            Field(
                "choices",
                "distribution",
                ("choice", "source"),
                "circuit",
                "Where arguments of gates and next values of registers come from.",
                {"choice": choices, "source": registers + gates},
            ),
            values_of("gates", "gate", "circuit", "What each gate gave.", {"gate": gates}),
            Field("willing", "probability", (), "stop", "Willingness to stop after the step."),
            Field("entropy", "scalar", (), "circuit", "Of all choices, in nats."),
        )

    def observe_state(self, state: NRAMState) -> dict[str, Array]:
        """Return memory and registers."""
        return {"memory": state.memory, "registers": state.registers}

    def observe_step(self, state: NRAMState, encoded: None = None) -> dict[str, Array]:
        """Return the choices that there are, what the gates gave, and about stopping."""
        del encoded
        _, wiring = self.control(state)
        return {
            "choices": self.plan.choice_table(wiring.choices)[self._shown_choices()],
            "gates": gate_results(self.plan, wiring.choices, state.registers, state.memory),
            "willing": jax.nn.sigmoid(wiring.stop),
            "entropy": wiring.entropy,
        }

    def shown_choice_names(self) -> list[str]:
        """Return what the choices are for of which there is more than none to choose."""
        names = self.choice_names()
        return [names[row] for row in self._shown_choices()]

    def _shown_choices(self) -> Int[np.ndarray, " shown"]:
        """Return the rows of choices that have something to choose from."""
        return np.flatnonzero(self.plan.inside.any(axis=1))

    def with_addressing(
        self,
        *,
        hard: bool | None = None,
        wrap: bool | None = None,
        sharpening_factor: float | None = None,
    ) -> NRAM:
        """Return the same parameters with every choice its most likely one alone, or not.

        Raises ValueError for the other two, which are an NTM's.
        """
        if wrap is not None or sharpening_factor is not None:
            raise ValueError("an NRAM has no shifts that could wrap, and no sharpening")
        config = self.config if hard is None else dataclasses.replace(self.config, hard=hard)
        return dataclasses.replace(self, config=config)

    @property
    def plan(self) -> Plan:
        """Where everything is."""
        return _plan(self.config)

    def prepare(self) -> NRAM:
        """Return the machine as `advance` needs it, its weights as a loop needs them."""
        if self.output.forward is not None:
            return self
        return jax.tree.map(
            lambda x: x.prepare() if isinstance(x, Dense) else x,
            self,
            is_leaf=lambda x: isinstance(x, Dense),
        )

    def control(self, state: NRAMState) -> tuple[PyTree, Wiring]:
        """Return the controller's next state and what it chooses for the step to come."""
        zeros, _ = jax.lax.split(state.registers, [1, len(state.memory) - 1], axis=1)
        controller, hidden = self.controller(state.controller, zeros[:, 0])
        return controller, self.wire(hidden)

    def gate_names(self) -> list[str]:
        """Return the names of the gates, with a number behind those that come again."""
        names = [gate.name for gate in find_gates(self.config.gates)]
        before = [names[:i].count(name) for i, name in enumerate(names)]
        return [f"{x} {n + 1}" if n else x for x, n in zip(names, before, strict=True)]

    def choice_names(self) -> list[str]:
        """Return what each row of `Wiring.choices` is for: ``ADD a``, ``ADD b``, ``r1``, ..."""
        names = [
            f"{name} {argument}"
            for name, gate in zip(self.gate_names(), find_gates(self.config.gates), strict=True)
            for argument in "ab"
            if gate.arity
        ]
        return names + [f"r{i + 1}" for i in range(self.config.registers)]

    def logits(self, hidden: Float[Array, "hidden ..."]) -> Float[Array, "logits ..."]:
        """Return the logits of all choices, by which soft and hard machine decide alike."""
        logits = self.output(hidden)
        clip = self.config.logit_clip
        return logits if clip is None else jnp.clip(logits, -clip, clip)

    def wire(self, hidden: Float[Array, "hidden ..."]) -> Wiring:
        """Return the controller's choices."""
        logits = self.logits(hidden)
        choices, entropy = choose(self.plan, logits)  # pyright: ignore
        if self.config.hard:
            choices = self.plan.most_likely(logits)
        return Wiring(choices, self.stop(hidden)[0], entropy)


@lru_cache
def _plan(config: NRAMConfig) -> Plan:
    return Plan(
        config.registers,
        find_gates(config.gates),
        config.clip_gradients,
        config.write_returns == "value",
    )


class Dense(eqx.Module):
    """An affine map ``y = W x + b`` of the first axis; a batch comes after it.

    With weights of several members, on a leading axis, the batch is theirs one after another.
    """

    weight: Float[Array, "*members outputs inputs"]
    bias: Float[Array, "*members outputs"]
    forward: Buffer | None = None
    """Weight, bias and a column of zeros side by side, ``(*members, outputs, inputs + 2)``."""
    backward: Buffer | None = None
    """The weight's, ``(*members, inputs, outputs)``."""

    def prepare(self) -> Dense:
        """Return the same with its weights as a loop needs them, forwards and backwards."""
        weight, bias = jax.lax.stop_gradient((self.weight, self.bias[..., None]))
        # Products take the inputs two at a time: with one for the bias alone they are slower.
        forward = jnp.concatenate([weight, bias, jnp.zeros_like(bias)], axis=-1)
        # Behind a barrier, or XLA would keep one layout and transpose in every step.
        both = jax.lax.optimization_barrier((forward, jnp.swapaxes(weight, -1, -2)))
        return Dense(self.weight, self.bias, *map(Buffer, both))

    def __call__(self, x: Float[Array, "inputs ..."]) -> Float[Array, "outputs ..."]:
        """Map ``x``."""
        if self.bias.ndim == 1:
            return self.weight @ x + self.bias.reshape(-1, *[1] * (x.ndim - 1))
        grouped = x.reshape(len(x), len(self.bias), -1)
        assert self.forward is not None
        assert self.backward is not None
        y = _affine(self.weight, self.bias, self.forward(), self.backward(), grouped)
        return y.reshape(len(y), -1)


def _dense(inputs: int, outputs: int, *, key: PRNGKeyArray) -> Dense:
    return Dense(glorot(inputs, outputs, key=key), jnp.zeros(outputs))


@jax.custom_vjp
def _affine(weight, bias, forward, backward, x):
    """Return each member's affine map of its part of the batch."""
    del weight, bias, backward
    # Two more inputs of 1, for the bias and the zeros: adding the bias to the product instead
    # would take a pass of its own.
    x = jnp.pad(x, [(0, 2), (0, 0), (0, 0)], constant_values=1)
    y = jax.lax.optimization_barrier(forward @ jnp.swapaxes(x, 0, 1))
    return jax.lax.optimization_barrier(jnp.swapaxes(y, 0, 1))


def _affine_forward(weight, bias, forward, backward, x):
    return _affine(weight, bias, forward, backward, x), (backward, x)


def _affine_back(saved, bar):
    # `forward` and `backward` are constants, so that a second derivative would lack a part.
    (backward, x), bar = once_differentiable((saved, bar))
    # The barrier comes first: after it the axes could only be swapped in a pass of their own.
    bar, x = jnp.swapaxes(jax.lax.optimization_barrier(bar), 0, 1), jnp.swapaxes(x, 0, 1)
    weight_bar = jnp.einsum("pob,pib->poi", bar, x)
    return weight_bar, jnp.sum(bar, axis=2), None, None, jnp.swapaxes(backward @ bar, 0, 1)


_affine.defvjp(_affine_forward, _affine_back)


class MLP(eqx.Module):
    """Two hidden ReLU layers, without a state."""

    first: Dense
    second: Dense

    def init_state(self, batch: tuple[int, ...] = ()) -> tuple[()]:
        """Return the empty state."""
        del batch
        return ()

    def __call__(
        self, state: tuple[()], zeros: Float[Array, "registers ..."]
    ) -> tuple[tuple[()], Float[Array, "hidden ..."]]:
        """Return the second layer's activations."""
        return state, jax.nn.relu(self.second(jax.nn.relu(self.first(zeros))))


class Recurrent(eqx.Module):
    """One hidden ReLU layer, then LSTM or GRU cells."""

    first: Dense
    below: Dense
    recurrent: Dense
    kind: str = eqx.field(static=True)

    def init_state(self, batch: tuple[int, ...] = ()) -> Float[Array, "parts hidden *batch"]:
        """Return zeros: hidden state and, for LSTM, cells."""
        hidden = self.first.bias.shape[-1]
        parts = 2 if self.kind == "lstm" else 1
        return jnp.zeros((parts, hidden, *batch), self.first.bias.dtype)

    def __call__(
        self,
        state: Float[Array, "parts hidden *batch"],
        zeros: Float[Array, "registers ..."],
    ) -> tuple[Float[Array, "parts hidden *batch"], Float[Array, "hidden ..."]]:
        """Take one step; return the next state and the hidden state."""
        outside = self.below(jax.nn.relu(self.first(zeros)))
        inside = self.recurrent(state[0])
        if self.kind == "lstm":
            put, keep, show, candidate = jnp.split(outside + inside, 4)
            cells = jax.nn.sigmoid(keep) * state[1]
            cells = cells + jax.nn.sigmoid(put) * jnp.tanh(candidate)
            hidden = jax.nn.sigmoid(show) * jnp.tanh(cells)
            return jnp.stack([hidden, cells]), hidden
        reset, update, candidate = jnp.split(outside, 3)
        reset_inside, update_inside, candidate_inside = jnp.split(inside, 3)
        reset = jax.nn.sigmoid(reset + reset_inside)
        update = jax.nn.sigmoid(update + update_inside)
        candidate = jnp.tanh(candidate + reset * candidate_inside)
        hidden = (1 - update) * candidate + update * state[0]
        return hidden[None], hidden


def _build_controller(
    config: NRAMControllerConfig, registers: int, *, key: PRNGKeyArray
) -> MLP | Recurrent:
    """Return a controller; LSTMs with a first bias of 1 for keeping."""
    hidden = config.hidden
    first_key, second_key, third_key = jax.random.split(key, 3)
    first = _dense(registers, hidden, key=first_key)
    if config.kind == "mlp":
        return MLP(first, _dense(hidden, hidden, key=second_key))
    gates = {"lstm": 4, "gru": 3}[config.kind] * hidden
    below = _dense(hidden, gates, key=second_key)
    if config.kind == "lstm":
        bias = below.bias.at[hidden : 2 * hidden].set(1.0)
        below = Dense(below.weight, bias)
    return Recurrent(first, below, _dense(hidden, gates, key=third_key), config.kind)


def _renormalize(distributions):
    """Divide by the sums; gradients pass as if nothing had happened (appendix B)."""
    sums = jnp.sum(distributions, axis=1, keepdims=True)
    return distributions + jax.lax.stop_gradient(distributions / sums - distributions)


def _clip_gradient(limit: float | None, x: Array) -> Array:
    return x if limit is None else _clipping(limit, x)


@jax.custom_vjp
def _clipping(limit, x):
    del limit
    return x


_clipping.defvjp(
    lambda limit, x: (x, limit),
    lambda limit, bar: (None, jnp.clip(bar, -limit, limit)),
)
