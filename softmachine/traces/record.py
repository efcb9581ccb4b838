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


def record(machine: Machine, example: Example, *, key: PRNGKeyArray | None = None) -> Recording:
    """Run a machine on one example and keep its state after every step.

    ``key`` is needed by machines whose first state is drawn at random. Padding after the
    example's own steps is left out.
    """
    return _record(machine, example.inputs, int(example.steps), key)


@eqx.filter_jit
def _record(
    machine: Machine, inputs: PyTree, steps: int, key: PRNGKeyArray | None
) -> Recording:
    ready = machine.prepare()

    def step(state, encoded):
        state, features = ready.advance(state, encoded)
        return state, (state, features)

    state = machine.init_state(inputs, key=key)
    encoded = jax.tree.map(lambda x: x[:steps], machine.encode(inputs))
    _, (states, features) = jax.lax.scan(step, state, encoded, length=steps)
    return Recording(states, machine.decode(features))
