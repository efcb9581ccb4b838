"""What every machine is: one example in, outputs out; and a cell, a machine that has steps."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.fields import Field, named_leaves
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.spec import Stream, Whole

State = Any
"""A cell's own pytree, one example's."""
Penalties = dict[str, Float[Array, "..."]]
"""A machine's own losses besides the task's, by name, already weighted."""
CLOCK = 0x636C6F63
"""Folded into an example's key for the keys of its steps. Large, since first states may split
the same key, and ``split(key)[i]`` is ``fold_in(key, i)``."""


class Buffer(eqx.Module):
    """An array that belongs to a machine but is never trained."""

    array: Array

    def __call__(self) -> Array:
        """Return the array, cut off from any gradient."""
        return jax.lax.stop_gradient(self.array)


def split_trainable(machine: PyTree) -> tuple[PyTree, PyTree]:
    """Split a machine into its trainable arrays and everything else.

    Both halves have the machine's structure, with None where the other half has the
    leaf; ``equinox.combine`` joins them again.
    """

    def is_buffer(node):
        return isinstance(node, Buffer)

    wanted = jax.tree.map(
        lambda node: not is_buffer(node) and eqx.is_inexact_array(node),
        machine,
        is_leaf=is_buffer,
    )
    return eqx.partition(machine, wanted)


def parameter_count(machine: PyTree) -> int:
    """Return how many numbers of a machine are trained."""
    return sum(leaf.size for leaf in jax.tree.leaves(split_trainable(machine)[0]))


def check_shape(
    inputs: PyTree, shape: tuple[str | int, ...] | None, what: str, machine: str
) -> None:
    """Raise ValueError unless inputs are an array of a shape; names stand for any number."""
    if shape is None:
        return
    expected = f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
    message = f"{machine} expected inputs of shape {expected}, {what}; got "
    if not hasattr(inputs, "shape"):
        raise ValueError(f"{message}a {type(inputs).__name__}, no array")
    found = tuple(inputs.shape)
    numbers = zip(found, shape, strict=False)
    if len(found) == len(shape) and all(isinstance(m, str) or n == m for n, m in numbers):
        return
    message += str(found)
    if len(found) == len(shape) + 1 and isinstance(shape[0], str) and shape[0] != "batch":
        message += ": for a batch use jax.vmap(machine) or softmachine.run_batch"
    raise ValueError(message)


class MachineConfig(abc.ABC):
    """The configuration of a machine: its sizes, and the choices that its paper leaves open.

    Configurations are frozen keyword-only dataclasses, registered with
    `softmachine.machines.registry.machine`.
    """

    works: ClassVar[str] = "step by step"
    """How the machine works, as the refusal of a task that does not fit says it."""

    def fits(self, inputs: Stream[Any] | Whole[Any], outputs: Stream[Any] | Whole[Any]) -> bool:
        """Return whether a machine can do tasks that have such inputs and outputs.

        By default: those with both of them in every step.
        """
        return inputs.per_step and outputs.per_step

    @property
    def published_as(self) -> str | None:
        """What papers call the machine, by which their figures for it are found.

        None: as it is registered. Keys of `softmachine.tasks.published.PaperTest.published`.
        """
        return None

    @property
    def test_options(self) -> Any:
        """The options with which a trained machine can be tested, with their values here.

        A small frozen dataclass of the machine's own, whose fields `evaluate` and other
        commands take as options; see `softmachine.core.capabilities.Adjustable`. None if
        there are none.
        """
        return None

    @abc.abstractmethod
    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> Machine:
        """Return a machine with initial parameters.

        Training compiles it: what is drawn from ``key`` must not be turned into numbers of
        Python or NumPy.

        Arguments:
            input_size: how many channels the inputs have at each step; 0 for a task whose
                inputs are a memory.
            output_size: how many channels the outputs have; 0 likewise.
            key: what the parameters are drawn from.
        """


class Clock(eqx.Module):
    """What a step may know besides state and input: its number, a key, the mode.

    >>> clock = Clock(3, jax.random.key(0))
    >>> float(jax.random.uniform(clock.key)) == float(jax.random.uniform(clock.key))
    True
    """

    time: Int[Array, ""] | int | None = None
    example_key: PRNGKeyArray | None = None
    training: bool = eqx.field(static=True, default=False)
    """The mode: whether the step is part of an update, as dropout asks, or of a test."""

    @property
    def step(self) -> Int[Array, ""]:
        """The number of the step, from 0; ValueError if the clock has none."""
        if self.time is None:
            raise ValueError("this machine counts its steps: step it with clock=Clock(number)")
        return jnp.asarray(self.time, jnp.int32)

    @property
    def key(self) -> PRNGKeyArray:
        """A key for this step, which depends on the example's key and the step's number alone.

        ValueError if the example has none.
        """
        return jax.random.fold_in(self.key_of_example(CLOCK), self.step)

    def key_of_example(self, branch: int) -> PRNGKeyArray:
        """Return a key that is the same in all steps of the example, one for each ``branch``.

        Branches are large numbers, as `CLOCK` is. ValueError if the example has no key.
        """
        if self.example_key is None:
            raise ValueError(
                "this machine draws at random in every step: give it a key, or step it with "
                "clock=Clock(number, key)"
            )
        return jax.random.fold_in(self.example_key, branch)


STOPPED = Clock()
"""The clock of a step taken by hand without one: for machines that do not look at it."""


class Outcome(NamedTuple):
    """The result of running a machine on one example."""

    outputs: PyTree
    """A pytree of arrays, leading axis time."""
    penalties: Penalties
    """A number for each; see `Cell.penalties`."""


class Machine(eqx.Module):
    """A differentiable computer that works on one example: inputs in, outputs out.

    One that works step by step is a `Cell`.
    """

    @property
    def memory_rows(self) -> int | None:
        """How many rows the memory has; None for a machine without such a memory."""
        return None

    def with_memory_rows(self, rows: int) -> Machine:
        """Return the same machine with another number of memory rows.

        Raises ValueError if it has none, or if they cannot be changed.
        """
        raise ValueError(f"{type(self).__name__} has no memory whose rows could be {rows}")

    def input_shape(self) -> tuple[str | int, ...] | None:
        """Return the shape of one example's inputs; names stand for what may be any number.

        The first is ``"steps"`` if there is an input per step. None if inputs are no array:
        then nobody checks them.
        """
        return None

    @abc.abstractmethod
    def run(
        self,
        inputs: PyTree,
        *,
        steps: Int[Array, ""] | int | None = None,
        key: PRNGKeyArray | None = None,
        training: bool = False,
    ) -> Outcome:
        """Run on one example.

        Arguments:
            inputs: the example's inputs.
            steps: how many steps the example has; may be traced. Inputs beyond it are padding,
                which outputs before it do not depend on. All by default.
            key: what is drawn at random is drawn from; ValueError if it is needed and missing.
            training: whether the outputs are for an update.

        Returns:
            Outputs of all steps, padding included, on a leading axis; and penalties, a number
            for each.
        """

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare what a trace shows of the machine.

        What is not declared is shown as what its shape and type suggest.
        """
        return ()

    def observe_run(self, inputs: PyTree, *, steps: Int[Array, ""] | int) -> dict[str, Array]:
        """Return what a trace shows of a whole run, each array on a leading axis time.

        Arguments are those of `run`. A `Cell` is observed step by step instead.
        """
        del inputs, steps
        return {}

    def __call__(
        self,
        inputs: PyTree,
        *,
        steps: Int[Array, ""] | int | None = None,
        key: PRNGKeyArray | None = None,
    ) -> PyTree:
        """Run on one example and return the outputs of all steps, stacked.

        ``steps`` is needed by machines without an input per step; for others it says how many
        of the inputs are not padding. For many examples at once
        `softmachine.running.loop.run_batch` does the same faster.

        Raises ValueError if the inputs have another shape than the machine takes.
        """
        check_shape(inputs, self.input_shape(), "one example", type(self).__name__)
        return self.run(inputs, steps=steps, key=key).outputs


class Cell(Machine):
    """A machine that works step by step, on a state.

    A step has three parts, so that whoever runs many steps can take the first and the
    last out of the loop:

    - `encode`: what depends on the inputs alone;
    - `advance`: what depends on the state;
    - `decode`: what never comes back into the state.

    `encode` and `decode` work over any leading axes (time, batch). A machine without an
    input per step (one that is handed a memory, or a whole sequence) reads its inputs
    in `init_state` and encodes them as None. `decode` is called on the steps whose outputs the
    task wants: all of them, or the last.
    """

    @abc.abstractmethod
    def init_state(self, inputs: PyTree, *, key: PRNGKeyArray | None = None) -> State:
        """Return the state before the first step.

        ``inputs`` are one example's. ``key`` is needed by machines whose first state is
        drawn at random; they raise ValueError without one.
        """

    def encode(self, inputs: PyTree) -> PyTree:
        """Map inputs, leading axes and all, to what `advance` takes."""
        return inputs

    @abc.abstractmethod
    def advance(
        self, state: State, encoded: PyTree, clock: Clock = STOPPED
    ) -> tuple[State, PyTree]:
        """Take one step: return the next state and the features that `decode` needs.

        What is drawn at random is drawn from ``clock.key``, and from nothing else.
        """

    def decode(self, features: PyTree) -> PyTree:
        """Map features, leading axes and all, to outputs."""
        return features

    def penalties(self, features: PyTree) -> Penalties:
        """Return what each step adds to the training loss, by name; features as in `decode`.

        Such as the cost of pondering. A machine weights them itself: they are added up over
        the steps of an example, and added to its loss, as they are. None by default.
        """
        del features
        return {}

    def observe_state(self, state: State) -> dict[str, Array]:
        """Return what a trace shows of a state; by default all its arrays, by their paths.

        `trace_fields` declares them.
        """
        return named_leaves(state)

    def observe_step(
        self, state: State, encoded: PyTree, clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return what a trace shows of the step from ``state`` besides the state after it.

        Such as gates that never become part of a state. Arguments are those of `advance`, the
        clock included: what is drawn is the same that the step draws.
        """
        del state, encoded, clock
        return {}

    def step(self, state: State, x: PyTree, *, clock: Clock = STOPPED) -> tuple[State, PyTree]:
        """Take one whole step: return the next state and the output for input ``x``.

        Raises ValueError if the input has another shape than the machine takes, or if the
        machine looks at the clock and is not given one.
        """
        shape = self.input_shape()
        if shape is not None and shape[0] == "steps":
            check_shape(x, shape[1:], "one step of one example", type(self).__name__)
        state, features = self.advance(state, self.encode(x), clock)
        return state, self.decode(features)

    def run(
        self,
        inputs: PyTree,
        *,
        steps: Int[Array, ""] | int | None = None,
        key: PRNGKeyArray | None = None,
        training: bool = False,
    ) -> Outcome:
        """Run on one example, as `Machine.run` has it.

        Without an input per step ``steps`` is needed, and not traced.
        """
        encoded = self.encode(inputs)
        per_step = jax.tree.leaves(encoded)
        if not per_step and steps is None:
            raise ValueError(
                f"{type(self).__name__} has no input per step: say how many steps to take, "
                "machine(inputs, steps=...)"
            )
        times = jnp.arange(len(per_step[0]) if per_step else steps)

        def advance(state, step):
            time, encoded = step
            return self.advance(state, encoded, Clock(time, key, training))

        state = self.init_state(inputs, key=key)
        _, features = jax.lax.scan(advance, state, (times, encoded))
        own = times < (len(times) if steps is None else steps)
        penalties = {
            name: jnp.sum(jnp.where(own, x, 0)) for name, x in self.penalties(features).items()
        }
        return Outcome(self.decode(features), penalties)
