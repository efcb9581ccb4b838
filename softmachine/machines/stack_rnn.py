"""Stack-RNN and List-RNN (Joulin & Mikolov 2015, arXiv 1503.01007).

A controller reads the tops of some stacks, and moves each of them by a mixture of actions: push
a value, pop, or leave it. With a list in place of each stack, the list slides under a fixed
head. `STACK_RNN_PRESETS` holds the paper's own machine, whose cells are single numbers, and the
stack of vectors of Delétang et al. 2023 (arXiv 2207.02098).
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from softmachine.core.choices import Bounds, Count, Few, Share, check_fields
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import STOPPED, Cell, Clock, MachineConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.parts.layers import ACTIVATIONS, Controller
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot
from softmachine.machines.registry import machine

ACTIONS = {"stack": ("push", "pop"), "list": ("insert", "left", "right")}
"""What each kind of memory can do, besides nothing at all."""

HARD = 0x68617264
"""Folded into an example's key for whether its actions are hard in training."""


class StackRNNState(NamedTuple):
    """One example's state."""

    controller: PyTree
    memory: Float[Array, "stacks columns rows"]
    """s_t of each stack, the top first; of lists, L_t."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StackRNNTestOptions:
    """How a trained Stack-RNN acts in a test."""

    hard: bool = False
    """Take the most likely action of each stack alone; pushed values stay real numbers."""


@machine("stack-rnn")
@dataclasses.dataclass(frozen=True, kw_only=True)
class StackRNNConfig(MachineConfig):
    """Sizes of a Stack-RNN, and every choice on which its sources differ."""

    controller: ControllerConfig = ControllerConfig(
        kind="feedforward", hidden=40, activation="sigmoid"
    )
    """With the kind ``rnn`` the controller also sees its own last output (R in Eq. 6)."""
    memory: Literal["stack", "list"] = "stack"
    stacks: Few = 10
    """How many stacks, or lists."""
    memory_rows: Count = 200
    """p: how many cells each has. What is pushed beyond them is lost."""
    memory_columns: Count = 1
    """How many numbers a cell holds."""
    read_rows: Few = 2
    """k: how many cells the controller reads: from the top of a stack, or around the head of a
    list, of an even number one more on the right."""
    stay: bool = False
    """Whether there is an action that does nothing (no-op)."""
    push_activation: Literal["sigmoid", "tanh", "linear"] = "sigmoid"
    """What a pushed value goes through."""
    empty: Annotated[float, Bounds(least=-10, most=10)] = -1.0
    """What cells hold before anything was pushed, and what comes in at the ends. With sigmoid
    values and -1 the controller can tell an empty stack from all that was pushed."""
    output_activation: Literal["linear", "relu"] = "linear"
    """What the controller's output goes through before the output layer."""
    biases: bool = False
    """Whether layers have biases, those of the controller included."""
    first_weights: Literal["sum-of-three", "glorot"] = "sum-of-three"
    """Each the sum of three numbers uniform in ±0.1, as in the published code; or Glorot's."""
    hard_share: Share = 0.0
    """The share of training examples on which actions are hard, with the gradient of soft ones
    (straight through). So one learns to count softly and hard at once. Not in the papers."""
    hard: bool = False
    """See `StackRNNTestOptions`."""

    def __post_init__(self) -> None:
        """Check sizes and choices."""
        check_fields(self)
        last = self.first_read + self.read_rows
        if last > self.memory_rows:
            raise ValueError(
                f"StackRNN read_rows ({self.read_rows}) must not exceed memory_rows "
                f"({self.memory_rows}): of a {self.memory} cells up to number {last} are read"
            )

    @property
    def first_read(self) -> int:
        """The first cell that the controller reads; the others follow it."""
        if self.memory == "stack":
            return 0
        return head_row(self.memory_rows) - (self.read_rows - 1) // 2

    @property
    def actions(self) -> tuple[str, ...]:
        """What can be done to a stack, or a list, in the order of the action weights."""
        return (*ACTIONS[self.memory], *(("stay",) if self.stay else ()))

    @property
    def published_as(self) -> str:
        """What the paper would call the machine: ``stack-rnn`` or ``list-rnn``."""
        return f"{self.memory}-rnn"

    @property
    def test_options(self) -> StackRNNTestOptions:
        """How the machine acts now."""
        return StackRNNTestOptions(hard=self.hard)

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> StackRNN:
        """Return a machine for inputs and outputs of the given widths."""
        keys = jax.random.split(key, 4)
        feedback = self.stacks * self.read_rows * self.memory_columns
        controller = self.controller.build(input_size, feedback, key=keys[0])
        hidden = controller.output_size
        controls = self.stacks * (len(self.actions) + self.memory_columns)
        built = StackRNN(
            controller=controller,
            controls=LoopLinear(glorot(hidden, controls, key=keys[1]), jnp.zeros(controls)),
            output=Linear(glorot(hidden, output_size, key=keys[2]), jnp.zeros(output_size)),
            config=self,
        )
        if self.first_weights == "sum-of-three":
            built = _with_small_weights(built, keys[3])
        return built if self.biases else _without_biases(built)


class StackRNN(Cell):
    """A controller with stacks, or with lists; `StackRNNConfig` says which."""

    controller: Controller
    """U, P and R of Eq. 6: what the stacks' tops are multiplied with is its feedback."""
    controls: LoopLinear
    """A, then D: the actions of all stacks, then the values that are pushed."""
    output: Linear
    """V."""
    config: StackRNNConfig = eqx.field(static=True)

    def init_state(
        self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None
    ) -> StackRNNState:
        """Return the state before the first step, all cells empty; arguments are ignored."""
        del inputs, key
        config = self.config
        shape = (config.stacks, config.memory_columns, config.memory_rows)
        empty = jnp.full(shape, config.empty, self._dtype)
        return StackRNNState(self.controller.init_state(), empty)

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the inputs' share of the controller, in the type of the parameters."""
        return self.controller.project(jnp.asarray(inputs, self._dtype))

    def advance(
        self,
        state: StackRNNState,
        encoded: Float[Array, "layers width"],
        clock: Clock = STOPPED,
    ) -> tuple[StackRNNState, Float[Array, " hidden"]]:
        """Take one step: read the tops, control, act on all stacks.

        ``h_t = sigma(U x_t + sum over s of P_s s_{t-1}[0:k] + R h_{t-1})``. Outputs are made of
        h_t: what is pushed in a step is seen in the next one.
        """
        controller, hidden = self._control(state, encoded)
        actions, values = self.instruct(hidden)
        if clock.training and self.config.hard_share:
            key = clock.key_of_example(HARD)
            chosen = jax.random.bernoulli(key, self.config.hard_share)
            passed = actions + jax.lax.stop_gradient(harden(actions) - actions)
            actions = jnp.where(chosen, passed, actions)
        act = push_or_pop if self.config.memory == "stack" else slide
        memory = act(state.memory, actions, values, self.config.empty)
        return StackRNNState(controller, memory), hidden

    def instruct(
        self, hidden: Float[Array, " hidden"]
    ) -> tuple[Float[Array, "stacks actions"], Float[Array, "stacks columns"]]:
        """Return the weights of each stack's actions, and the value that is pushed on it.

        ``a_t = softmax(A h_t)``; the value is ``sigma(D h_t)``.
        """
        config = self.config
        controls = self.controls(hidden)
        split = config.stacks * len(config.actions)
        logits, values = (x.reshape(config.stacks, -1) for x in jnp.split(controls, [split]))
        actions = jax.nn.softmax(logits, axis=-1)
        if config.hard:
            actions = harden(actions)
        return actions, ACTIVATIONS[config.push_activation](values)

    def read(
        self, memory: Float[Array, "stacks columns rows"]
    ) -> Float[Array, "stacks columns read_rows"]:
        """Return what the controller sees of the memory: tops, or what is around the heads."""
        first = self.config.first_read
        return memory[:, :, first : first + self.config.read_rows]

    def decode(self, features: Float[Array, "... hidden"]) -> Float[Array, "... outputs"]:
        """Return output logits, ``V h_t``."""
        return self.output(ACTIVATIONS[self.config.output_activation](features))

    # What others ask of a machine.

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.controller.input_size)

    @property
    def memory_rows(self) -> int:
        """How many cells each stack has."""
        return self.config.memory_rows

    def with_memory_rows(self, rows: int) -> StackRNN:
        """Return the same parameters in a machine with another number of cells a stack."""
        config = dataclasses.replace(self.config, memory_rows=rows)
        return dataclasses.replace(self, config=config)

    @property
    def test_options(self) -> StackRNNTestOptions:
        """How the machine acts now."""
        return self.config.test_options

    def with_test_options(self, options: StackRNNTestOptions) -> StackRNN:
        """Return the same parameters with actions as they are, or hard."""
        config = dataclasses.replace(self.config, hard=options.hard)
        return dataclasses.replace(self, config=config)

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the stacks, what they are told, and the controller's output."""
        config = self.config
        name = config.memory
        labels = {
            name: [f"{name} {i + 1}" for i in range(config.stacks)],
            "action": config.actions,
        }
        cells = (name, "row") if config.memory_columns == 1 else (name, "row", "column")
        pushed = (name,) if config.memory_columns == 1 else (name, "column")
        head = f"The head is on row {head_row(config.memory_rows) + 1}."
        top = "The top is row 1." if name == "stack" else head
        value: Literal["scalar", "vector"] = "scalar" if len(pushed) == 1 else "vector"
        own = {name: labels[name]}
        return (
            Field("memory", "matrix", cells, "memory", f"What each cell holds. {top}", own),
            Field("actions", "distribution", (name, "action"), "control", "", labels),
            Field("values", value, pushed, "control", "What is pushed, if it is.", own),
            Field("controller", "vector", ("hidden",), "controller", aside=True),
        )

    def observe_state(self, state: StackRNNState) -> dict[str, Array]:
        """Return the memory, the cells of each stack from the top."""
        rows = jnp.swapaxes(state.memory, 1, 2)
        return {"memory": rows[..., 0] if self.config.memory_columns == 1 else rows}

    def observe_step(
        self,
        state: StackRNNState,
        encoded: Float[Array, "layers width"],
        clock: Clock = STOPPED,
    ) -> dict[str, Array]:
        """Return the actions, what is pushed, and the controller's output."""
        del clock
        _, hidden = self._control(state, encoded)
        actions, values = self.instruct(hidden)
        values = values[:, 0] if self.config.memory_columns == 1 else values
        return {"actions": actions, "values": values, "controller": hidden}

    def _control(
        self, state: StackRNNState, encoded: Float[Array, "layers width"]
    ) -> tuple[PyTree, Float[Array, " hidden"]]:
        """Return the controller's next state and its output, given input and tops."""
        tops = self.read(state.memory)
        return self.controller(state.controller, encoded, tops.reshape(-1))

    @property
    def _dtype(self) -> jnp.dtype:
        return self.controls.weight.dtype


def harden(actions: Float[Array, "stacks actions"]) -> Float[Array, "stacks actions"]:
    """Return all weight on the most likely action of each stack."""
    best = jnp.argmax(actions, axis=-1)
    return jax.nn.one_hot(best, actions.shape[-1], dtype=actions.dtype)


def push_or_pop(
    memory: Float[Array, "stacks columns rows"],
    actions: Float[Array, "stacks actions"],
    values: Float[Array, "stacks columns"],
    empty: float,
) -> Float[Array, "stacks columns rows"]:
    """Return stacks after a mixture of push, pop and, if there is a third action, nothing.

    ``s_t[0] = a[push] v + a[pop] s_{t-1}[1] + a[stay] s_{t-1}[0]`` (Eq. 4);
    ``s_t[i] = a[push] s_{t-1}[i-1] + a[pop] s_{t-1}[i+1] + a[stay] s_{t-1}[i]`` (Eq. 5).

    Under pop the lowest cell becomes ``empty``; under push its value is lost.
    """
    pushed = jnp.concatenate([values[:, :, None], memory[:, :, :-1]], axis=-1)
    popped = jnp.concatenate([memory[:, :, 1:], _ends(memory, empty)], axis=-1)
    return _mix(actions, pushed, popped, memory)


def slide(
    memory: Float[Array, "lists columns rows"],
    actions: Float[Array, "lists actions"],
    values: Float[Array, "lists columns"],
    empty: float,
) -> Float[Array, "lists columns rows"]:
    """Return lists after a mixture of insert, left, right and, if there is a fourth, nothing.

    ``L_t[i] = a[insert] z_i + a[left] L[i-1] + a[right] L[i+1] + a[stay] L[i]``, L as it was,
    with z_i the value at the head, ``L[i+1]`` left of it, ``L[i]`` right of it.

    What comes in at the ends is ``empty``: the paper does not say.
    """
    places, head = jnp.arange(memory.shape[-1]), head_row(memory.shape[-1])
    end = _ends(memory, empty)
    from_right = jnp.concatenate([memory[:, :, 1:], end], axis=-1)
    from_left = jnp.concatenate([end, memory[:, :, :-1]], axis=-1)
    beside = jnp.where(places < head, from_right, memory)
    inserted = jnp.where(places == head, values[:, :, None], beside)
    return _mix(actions, inserted, from_left, from_right, memory)


def head_row(rows: int) -> int:
    """Return the cell of a list that is under the head: the middle one."""
    return rows // 2


def _mix(
    actions: Float[Array, "stacks actions"], *outcomes: Float[Array, "stacks columns rows"]
) -> Float[Array, "stacks columns rows"]:
    """Return outcomes weighted with the actions; the last one needs an action of its own."""
    weighted = [actions[:, i, None, None] * outcomes[i] for i in range(actions.shape[1])]
    return sum(weighted[1:], weighted[0])


def _ends(
    memory: Float[Array, "stacks columns rows"], empty: float
) -> Float[Array, "stacks columns 1"]:
    return jnp.full_like(memory[:, :, :1], empty)


def _is_layer(node: object) -> bool:
    return isinstance(node, Linear | LoopLinear)


def _with_small_weights(built: StackRNN, key: PRNGKeyArray) -> StackRNN:
    """Return a machine with all weights drawn anew: three numbers from ±0.1 added up."""
    leaves, treedef = jax.tree.flatten(built, is_leaf=_is_layer)
    for i, leaf in enumerate(leaves):
        if _is_layer(leaf):
            own = jax.random.fold_in(key, i)
            drawn = jax.random.uniform(own, (3, *leaf.weight.shape), minval=-0.1, maxval=0.1)
            leaves[i] = dataclasses.replace(leaf, weight=jnp.sum(drawn, axis=0))
    return jax.tree.unflatten(treedef, leaves)


def _without_biases(built: StackRNN) -> StackRNN:
    """Return a machine none of whose layers has a bias."""
    return jax.tree.map(
        lambda node: dataclasses.replace(node, bias=None) if _is_layer(node) else node,
        built,
        is_leaf=_is_layer,
    )


STACK_RNN_PRESETS: dict[str, StackRNNConfig] = {
    # The paper's machine for counting, and its public code.
    "joulin": StackRNNConfig(),
    # The paper's second machine, with the choices that it leaves open.
    "joulin-list": StackRNNConfig(memory="list", stacks=5, read_rows=3),
    # neural_networks_chomsky_hierarchy, with a softmax for each stack. There the first hidden
    # state is zero for ever, here it is trained, and weights are drawn by another rule.
    "chomsky": StackRNNConfig(
        controller=ControllerConfig(kind="rnn", hidden=256, activation="relu"),
        stacks=1,
        memory_rows=128,
        memory_columns=8,
        read_rows=1,
        stay=True,
        push_activation="linear",
        empty=0.0,
        output_activation="relu",
        biases=True,
        first_weights="glorot",
    ),
}
"""Configurations by the name of their source."""
