"""What every machine is: parameters, a typed state, one step, a run over one example."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, PRNGKeyArray

from softmachine.core.fields import Field, named_leaves
from softmachine.core.pytrees import PyTree

State = Any
"""A machine's own pytree, one example's."""


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
    """What a machine is built from: sizes, and choices of its paper.

    Configurations are frozen keyword-only dataclasses, registered with
    `softmachine.machines.registry.machine`.
    """

    @property
    def test_options(self) -> Any:
        """What a trained machine can be tested with otherwise, as it is in this one.

        A small frozen dataclass of the machine's own, whose fields `evaluate` and other
        commands take as options; see `softmachine.core.capabilities.Adjustable`. None if
        there is nothing.
        """
        return None

    @abc.abstractmethod
    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> Machine:
        """Return a machine with first parameters.

        Arguments:
            input_size: how many channels the inputs have at each step; 0 for a task whose
                inputs are a memory.
            output_size: how many channels the outputs have; 0 likewise.
            key: what the parameters are drawn from.
        """


class Machine(eqx.Module):
    """A differentiable computer that works on one example.

    A step has three parts, so that whoever runs many steps can take the first and the
    last out of the loop:

    - `encode`: what depends on the inputs alone;
    - `advance`: what depends on the state;
    - `decode`: what never comes back into the state.

    `encode` and `decode` work over any leading axes (time, batch). A machine without an
    input per step (one that is handed a memory, or a whole sequence) reads its inputs
    in `init_state` and encodes them as None.
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

    @abc.abstractmethod
    def init_state(self, inputs: PyTree, *, key: PRNGKeyArray | None = None) -> State:
        """Return the state before the first step.

        ``inputs`` are one example's. ``key`` is needed by machines whose first state is
        drawn at random; they raise ValueError without one.
        """

    def input_shape(self) -> tuple[str | int, ...] | None:
        """Return the shape of one example's inputs; names stand for what may be any number.

        The first is ``"steps"`` if there is an input per step. None if inputs are no array:
        then nobody checks them.
        """
        return None

    def encode(self, inputs: PyTree) -> PyTree:
        """Map inputs, leading axes and all, to what `advance` takes."""
        return inputs

    @abc.abstractmethod
    def advance(self, state: State, encoded: PyTree) -> tuple[State, PyTree]:
        """Take one step: return the next state and the features that `decode` needs."""

    def decode(self, features: PyTree) -> PyTree:
        """Map features, leading axes and all, to outputs."""
        return features

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare what `observe_state` and `observe_step` return.

        What is not declared is shown as what its shape and type suggest.
        """
        return ()

    def observe_state(self, state: State) -> dict[str, Array]:
        """Return what a trace shows of a state; by default all its arrays, by their paths."""
        return named_leaves(state)

    def observe_step(self, state: State, encoded: PyTree) -> dict[str, Array]:
        """Return what a trace shows of the step from ``state`` besides the state after it.

        Such as gates that never become part of a state. Arguments are those of `advance`.
        """
        del state, encoded
        return {}

    def step(self, state: State, x: PyTree) -> tuple[State, PyTree]:
        """Take one whole step: return the next state and the output for input ``x``.

        Raises ValueError if the input has another shape than the machine takes.
        """
        shape = self.input_shape()
        if shape is not None and shape[0] == "steps":
            check_shape(x, shape[1:], "one step of one example", type(self).__name__)
        state, features = self.advance(state, self.encode(x))
        return state, self.decode(features)

    def __call__(
        self, inputs: PyTree, *, steps: int | None = None, key: PRNGKeyArray | None = None
    ) -> PyTree:
        """Run on one example and return the outputs of all steps, stacked.

        ``steps`` is needed only by machines without an input per step. For many examples
        at once `softmachine.running.loop.run_batch` does the same faster.

        Raises ValueError if the inputs have another shape than the machine takes.
        """
        check_shape(inputs, self.input_shape(), "one example", type(self).__name__)

        def turn(state, encoded):
            # Not `self.advance` itself: scan hashes its function, arrays have no hash.
            return self.advance(state, encoded)

        state = self.init_state(inputs, key=key)
        _, features = jax.lax.scan(turn, state, self.encode(inputs), length=steps)
        return self.decode(features)
