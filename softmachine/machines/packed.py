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
from jaxtyping import PyTree

from softmachine.machines.machine import Machine, State


class Packed(eqx.Module):
    """A machine whose states and outputs have a batch as their last axis.

    Weights of several members, each with a leading axis, may stand in the place of one's: then
    the batch is theirs, one member's examples after another's. Only for machines without an
    input per step, whose `Machine.decode` changes nothing.
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
    """Return a decorator that registers a class as the packed form of a class of machines."""

    def register(form: Form) -> Form:
        _FORMS[machine] = form
        return form

    return register


def packed_form(machine: type[Machine]) -> type[Packed] | None:
    """Return the packed form of a class of machines, if it has one.

    A subclass, which may take other steps, does not have its parent's.
    """
    return _FORMS.get(machine)
