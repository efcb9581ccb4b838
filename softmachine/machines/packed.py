"""Packed forms: machines laid out for speed, the same numbers for many examples at once.

A machine is written for one example, as in its paper, and whoever runs many maps it over them.
Where that is slow, a machine may have a second, packed form. Whoever runs machines asks for it
(`packed_form`); machines themselves know nothing of it, and nothing else has to. A packed form
is registered with ``@accelerates(TheMachine)`` and held to its machine by a test.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import ClassVar, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from softmachine.machines.machine import Cell, Clock, Machine, State


class Packed(eqx.Module):
    """A machine whose states and outputs have a batch as their last axis.

    Weights of several members, each with a leading axis, may stand in the place of one's: then
    the batch is theirs, one member's examples after another's. Only for machines without an
    input per step whose steps look at no clock and draw nothing at random, without penalties,
    and whose `Cell.decode` changes nothing. Others are refused, by `accelerates` or by
    `check_packed`.
    """

    cached_examples: ClassVar[int]
    """How many examples a CPU core computes together: more would not fit into its cache."""

    @classmethod
    @abc.abstractmethod
    def of(cls, machine: Machine) -> Packed:
        """Return the packed form of a machine, with the same parameters."""

    @abc.abstractmethod
    def init_state(self, inputs: PyTree) -> State:
        """Return the state before the first step; inputs have the batch as their first axis."""

    @abc.abstractmethod
    def advance(self, state: State) -> tuple[State, PyTree]:
        """Take one step of all examples: return the next state and the outputs."""


_FORMS: dict[type[Machine], type[Packed]] = {}
Form = TypeVar("Form", bound=type[Packed])


def accelerates(machine: type[Machine]) -> Callable[[Form], Form]:
    """Return a decorator that registers a class as the packed form of a class of machines.

    Raises TypeError for machines without a step, and for those that decode features or have
    penalties: a packed form does neither.
    """
    if not issubclass(machine, Cell):
        raise TypeError(f"{machine.__name__} cannot have a packed form: it has no step")
    for name in ("decode", "penalties"):
        if getattr(machine, name) is not getattr(Cell, name):
            raise TypeError(
                f"{machine.__name__} cannot have a packed form: it has {name} of its own, "
                "which would be left out"
            )

    def register(form: Form) -> Form:
        _FORMS[machine] = form
        return form

    return register


def packed_form(machine: type[Machine]) -> type[Packed] | None:
    """Return the packed form of a class of machines, if it has one.

    A subclass, which may take other steps, does not have its parent's.
    """
    return _FORMS.get(machine)


class _NoClock(Clock):
    """What a packed form knows of the clock: nothing."""

    def __getattribute__(self, name: str) -> object:
        """Refuse to tell anything."""
        if name in ("time", "step", "example_key", "key", "training"):
            raise ValueError(f"its steps ask for the clock's {name}")
        return super().__getattribute__(name)


_checked: set[object] = set()


def check_packed(machine: Machine, example: PyTree) -> None:
    """Raise ValueError if a machine needs more in a step than its packed form is given.

    Arguments:
        machine: a machine, or the weights of several, each with a leading axis.
        example: the inputs of one example, or `jax.ShapeDtypeStruct` in their place.

    Its steps are traced, not run; once for machines of one structure.
    """
    known = (type(machine), jax.tree.structure(machine))
    if known in _checked:
        return
    arrays, static = eqx.partition(machine, eqx.is_array)

    def step(arrays):
        own = eqx.combine(arrays, static)
        assert isinstance(own, Cell)
        if jax.tree.leaves(own.encode(example)):
            raise ValueError("it has an input per step")
        state = own.init_state(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example))
        return own.advance(state, None, object.__new__(_NoClock))[0]

    try:
        jax.eval_shape(step, arrays)
    except (TypeError, ValueError) as alone:
        # Or it is several members': each has its own part of the weights.
        try:
            jax.eval_shape(jax.vmap(step), arrays)
        except (TypeError, ValueError) as together:
            error = alone if isinstance(alone, ValueError) else together
            raise ValueError(
                f"{type(machine).__name__} has a packed form, which is given no input per "
                f"step, no clock and no key: {error}"
            ) from error
    _checked.add(known)
