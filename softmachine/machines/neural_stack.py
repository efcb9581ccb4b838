"""Neural stack, queue and deque (Grefenstette et al. 2015, arXiv 1506.02516).

An LSTM beside a memory of vectors, each of which is there with a strength between 0 and 1. In
every step the controller says how strongly to pop, how strongly to push, and what. The memory
grows by a row in every step (a deque's by one at each end) and has no parameters.

Rows are kept with the newest first. Rows of strength 0 are as if they were not there, so that
the memory of a run can be as long as it gets from the start.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from softmachine.core.choices import Count, Share, check_fields
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import STOPPED, Cell, Clock, MachineConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.parts.layers import Controller
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot
from softmachine.machines.registry import machine

Strengths = Float[Array, " rows"]
"""s_t: how much of each row is there, the newest first; of a deque from top to bottom."""
Values = Float[Array, "columns rows"]
"""V_t, transposed: rows, the long axis, are contiguous."""
Structure = Literal["stack", "queue", "deque"]
ENDS = {"stack": ("top",), "queue": ("queue",), "deque": ("top", "bottom")}
"""Where each structure is used; a queue is pushed at one end and popped at the other."""


HARD = 0x68617264
"""Folded into an example's key for whether its strengths are rounded in training."""


class Moves(NamedTuple):
    """What the controller tells the memory in one step, for each end."""

    push: Float[Array, " ends"]
    """d_t, between 0 and 1."""
    pop: Float[Array, " ends"]
    """u_t, between 0 and 1."""
    values: Float[Array, "ends columns"]
    """v_t."""


class NeuralStackState(NamedTuple):
    """One example's state."""

    controller: PyTree
    memory: Values
    strengths: Strengths
    reads: Float[Array, "ends columns"]
    """r_t."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeuralStackTestOptions:
    """How a trained machine moves in a test."""

    hard: bool = False
    """Round the strengths of push and pop: then it is a stack (queue, deque) as programs have
    it, with the learned values in it."""


@machine("neural-stack")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NeuralStackConfig(MachineConfig):
    """Sizes of a neural stack, queue or deque."""

    structure: Structure = "stack"
    controller: ControllerConfig = ControllerConfig(kind="lstm", hidden=256)
    memory_columns: Count = 256
    """How many numbers a value has."""
    memory_rows: Count | None = None
    """How many rows are kept, the oldest are lost (of a deque those in the middle). None: as
    many as an example has steps, of a deque twice as many, so that none is ever lost."""
    output_columns: Count = 64
    """How many numbers o_t has. The paper does not say; its numbers of parameters are those of
    64, the width of its embeddings."""
    pop_bias: float = -1.0
    """Initial bias of the pop strength. Below 0 a stack is not popped empty in every step from
    the start, which would leave the decision to pop without a gradient (appendix B)."""
    hard_share: Share = 0.0
    """The share of training examples on which strengths are rounded, with the gradient of those
    that are not (straight through). Not in the paper."""
    hard: bool = False
    """See `NeuralStackTestOptions`."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)
        ends = len(ENDS[self.structure])
        if self.memory_rows is not None and self.memory_rows < ends:
            raise ValueError(
                f"NeuralStack memory_rows must be at least {ends} for a {self.structure}, one "
                f"for each end; not {self.memory_rows}"
            )

    @property
    def published_as(self) -> str:
        """What the paper calls the machine: ``neural-stack``, ``neural-queue``, ..."""
        return f"neural-{self.structure}"

    @property
    def test_options(self) -> NeuralStackTestOptions:
        """How the machine moves now."""
        return NeuralStackTestOptions(hard=self.hard)

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> NeuralStack:
        """Return a machine for inputs and outputs of the given widths."""
        keys = jax.random.split(key, 4)
        ends = len(ENDS[self.structure])
        feedback = ends * self.memory_columns
        controller = self.controller.build(input_size, feedback, key=keys[0])
        hidden, columns = controller.output_size, self.output_columns
        moves = 2 * ends + feedback
        bias = jnp.zeros(moves).at[ends : 2 * ends].set(self.pop_bias)
        return NeuralStack(
            controller=controller,
            moves=LoopLinear(glorot(hidden, moves, key=keys[1]), bias),
            before_output=Linear(glorot(hidden, columns, key=keys[2]), jnp.zeros(columns)),
            output=Linear(glorot(columns, output_size, key=keys[3]), jnp.zeros(output_size)),
            config=self,
        )


class NeuralStack(Cell):
    """A controller with a neural stack, queue or deque; `NeuralStackConfig` says which."""

    controller: Controller
    moves: LoopLinear
    """W_d, W_u and W_v with their biases."""
    before_output: Linear
    """W_o and b_o."""
    output: Linear
    config: NeuralStackConfig = eqx.field(static=True)

    def init_state(
        self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None
    ) -> NeuralStackState:
        """Return the state before the first step: an empty memory, nothing read.

        Raises ValueError if the memory is to be as long as the inputs, and there are none.
        """
        del key
        config, dtype = self.config, self.moves.weight.dtype
        ends, rows = len(ENDS[config.structure]), config.memory_rows
        if rows is None:
            if inputs is None:
                raise ValueError(
                    "this machine keeps a row for each step of an example: give it the inputs, "
                    "or say how many with memory_rows"
                )
            rows = ends * max(len(inputs), 1)
        return NeuralStackState(
            self.controller.init_state(),
            jnp.zeros((config.memory_columns, rows), dtype),
            jnp.zeros(rows, dtype),
            jnp.zeros((ends, config.memory_columns), dtype),
        )

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the inputs' share of the controller, in the type of the parameters."""
        return self.controller.project(jnp.asarray(inputs, self.moves.weight.dtype))

    def advance(
        self,
        state: NeuralStackState,
        encoded: Float[Array, "layers width"],
        clock: Clock = STOPPED,
    ) -> tuple[NeuralStackState, Float[Array, " hidden"]]:
        """Take one step: the controller sees x_t and r_{t-1}; then pop, push, read."""
        controller, hidden = self.controller(state.controller, encoded, state.reads.reshape(-1))
        moves = self.instruct(hidden)
        if clock.training and self.config.hard_share:
            key = clock.key_of_example(HARD)
            rounded = jax.random.bernoulli(key, self.config.hard_share)

            def passed(x: Array) -> Array:
                return jnp.where(rounded, x + jax.lax.stop_gradient(jnp.round(x) - x), x)

            moves = moves._replace(push=passed(moves.push), pop=passed(moves.pop))
        use = {"stack": use_stack, "queue": use_queue, "deque": use_deque}
        memory, strengths, weights = use[self.config.structure](
            state.memory, state.strengths, moves
        )
        reads = jnp.stack([memory @ each for each in weights])
        return NeuralStackState(controller, memory, strengths, reads), hidden

    def instruct(self, hidden: Float[Array, " hidden"]) -> Moves:
        """Return what the controller's output o'_t tells the memory.

        ``d = sigma(W_d o' + b_d)``, ``u = sigma(W_u o' + b_u)``, ``v = tanh(W_v o' + b_v)``.
        """
        config, ends = self.config, len(ENDS[self.config.structure])
        moves = self.moves(hidden)
        strengths = jax.nn.sigmoid(moves[: 2 * ends])
        if config.hard:
            strengths = jnp.round(strengths)
        values = jnp.tanh(moves[2 * ends :]).reshape(ends, -1)
        return Moves(strengths[:ends], strengths[ends:], values)

    def decode(self, features: Float[Array, "... hidden"]) -> Float[Array, "... outputs"]:
        """Return output logits, of ``o_t = tanh(W_o o'_t + b_o)``."""
        return self.output(jnp.tanh(self.before_output(features)))

    # What others ask of a machine.

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.controller.input_size)

    @property
    def test_options(self) -> NeuralStackTestOptions:
        """How the machine moves now."""
        return self.config.test_options

    def with_test_options(self, options: NeuralStackTestOptions) -> NeuralStack:
        """Return the same parameters with strengths as they are, or rounded."""
        config = dataclasses.replace(self.config, hard=options.hard)
        return dataclasses.replace(self, config=config)

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the memory, what is read of it, and what it is told."""
        ends = ENDS[self.config.structure]
        labels = {"end": ends}

        def of_ends(name, kind, axes, description, **more):
            axes, group = ("end", *axes), "moves"
            return Field(name, kind, axes, group, description, labels, **more)

        order = "from top to bottom" if len(ends) == 2 else "the newest first"
        return (
            Field("memory", "matrix", ("row", "column"), "memory", f"Values, {order}."),
            Field("strengths", "vector", ("row",), "memory", "How much of each row is there."),
            of_ends("read_weights", "weighting", ("row",), "Read", does=("read",) * len(ends)),
            of_ends("push", "probability", (), "How strongly a value is pushed."),
            of_ends("pop", "probability", (), "How much is popped before."),
            of_ends("values", "vector", ("column",), "What is pushed.", aside=True),
            of_ends("reads", "vector", ("column",), "What was read."),
        )

    def observe_state(self, state: NeuralStackState) -> dict[str, Array]:
        """Return the memory, a row per row, its strengths, and what was read."""
        weights = {
            "stack": lambda s: [read_weights(s, above(s))],
            "queue": lambda s: [read_weights(s, below(s))],
            "deque": lambda s: [read_weights(s, above(s)), read_weights(s, below(s))],
        }[self.config.structure](state.strengths)
        return {
            "memory": state.memory.T,
            "strengths": state.strengths,
            "read_weights": jnp.stack(weights),
            "reads": state.reads,
        }

    def observe_step(
        self,
        state: NeuralStackState,
        encoded: Float[Array, "layers width"],
        clock: Clock = STOPPED,
    ) -> dict[str, Array]:
        """Return what the controller tells the memory."""
        del clock
        _, hidden = self.controller(state.controller, encoded, state.reads.reshape(-1))
        return self.instruct(hidden)._asdict()


Used = tuple[Values, Strengths, list[Strengths]]
"""Memory and strengths after a step, and for each end how much of each row is read."""


def use_stack(memory: Values, strengths: Strengths, moves: Moves) -> Used:
    """Pop, push and read a stack (Eq. 1 to 3)."""
    strengths = pop(strengths, above(strengths), moves.pop[0])
    memory = _shifted(memory, moves.values[0])
    strengths = _shifted(strengths, moves.push[0])
    return memory, strengths, [read_weights(strengths, above(strengths))]


def use_queue(memory: Values, strengths: Strengths, moves: Moves) -> Used:
    """Pop, push and read a queue (Eq. 1, 4 and 5): the oldest row is its front."""
    strengths = pop(strengths, below(strengths), moves.pop[0])
    memory = _shifted(memory, moves.values[0])
    strengths = _shifted(strengths, moves.push[0])
    return memory, strengths, [read_weights(strengths, below(strengths))]


def use_deque(memory: Values, strengths: Strengths, moves: Moves) -> Used:
    """Pop the top, pop the bottom, push and read at both ends (Eq. 6 to 11).

    Equations 7 to 9 as printed leave out the last of the old rows; here none is left out. One
    half of the rows is for each end, so that what is lost if they are too few is in the middle.
    """
    strengths = pop(strengths, above(strengths), moves.pop[0])
    strengths = pop(strengths, below(strengths), moves.pop[1])
    half = len(strengths) // 2

    def push(rows, pushed):
        upper = _shifted(rows[..., :half], pushed[0])
        lower = jnp.concatenate([rows[..., half + 1 :], pushed[1][..., None]], axis=-1)
        return jnp.concatenate([upper, lower], axis=-1)

    memory, strengths = push(memory, moves.values), push(strengths, moves.push)
    weights = [read_weights(strengths, near) for near in (above(strengths), below(strengths))]
    return memory, strengths, weights


def pop(strengths: Strengths, nearer: Strengths, strength: Float[Array, ""]) -> Strengths:
    """Return what is left: ``s_i = max(0, s_i - max(0, u - S_i))``.

    ``nearer`` is S: for each row the strength of all that are nearer to the end. At kinks the
    derivative is that of max's left argument, here 0.
    """
    return jax.nn.relu(strengths - jax.nn.relu(strength - nearer))


def read_weights(strengths: Strengths, nearer: Strengths) -> Strengths:
    """Return how much of each row is read: ``min(s_i, max(0, 1 - S_i))``.

    At kinks the derivative is that of the left argument, as in `pop`.
    """
    left = jax.nn.relu(1 - nearer)
    return jnp.where(strengths <= left, strengths, left)


def above(strengths: Strengths) -> Strengths:
    """Return for each row the strength of all rows before it, which are newer."""
    return jnp.cumsum(_shifted(strengths, jnp.zeros_like(strengths[0])))


def below(strengths: Strengths) -> Strengths:
    """Return for each row the strength of all rows after it, which are older."""
    return above(strengths[::-1])[::-1]


def _shifted(rows: Float[Array, "*columns rows"], new: Float[Array, "*columns"]) -> Array:
    """Return rows with a new one before them; the last one, the oldest, is lost."""
    return jnp.concatenate([new[..., None], rows[..., :-1]], axis=-1)
