"""Recording a machine on one example."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
from jaxtyping import PRNGKeyArray, PyTree

from softmachine.machines.machine import Machine
from softmachine.tasks.task import Example


class Recording(NamedTuple):
    """States and outputs after every step, on a leading axis."""

    states: PyTree
    outputs: PyTree


@eqx.filter_jit
def record(machine: Machine, example: Example, *, key: PRNGKeyArray | None = None) -> Recording:
    """Run a machine on one example and keep its state after every step."""

    def step(state, encoded):
        state, features = machine.advance(state, encoded)
        return state, (state, features)

    state = machine.init_state(example.inputs, key=key)
    encoded = machine.encode(example.inputs)
    _, (states, features) = jax.lax.scan(step, state, encoded)
    return Recording(states, machine.decode(features))
