"""Cells whose state holds a whole sequence: all inputs at first, all outputs at last."""

from __future__ import annotations

import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import STOPPED, Cell, Clock, Outcome, State


class SequenceCell(Cell):
    """A cell whose state holds a whole sequence: a place for each step of an example.

    It is handed all inputs in `init_state`, encodes them as None, and takes as many steps as
    the example has. `decode` maps the features of the last step to the outputs at all places;
    those of earlier steps are not asked for. A penalty may come from each step.
    """

    @abc.abstractmethod
    def init_state(
        self,
        inputs: PyTree,
        *,
        key: PRNGKeyArray | None = None,
        steps: Int[Array, ""] | int | None = None,
        training: bool = False,
    ) -> State:
        """Return the state before the first step; arguments are those of `Machine.run`.

        No place of the state depends on inputs beyond ``steps``.
        """

    def encode(self, inputs: PyTree) -> None:
        """Return None: all inputs are in the first state."""
        del inputs

    def step(
        self, state: State, x: PyTree = None, *, clock: Clock = STOPPED
    ) -> tuple[State, PyTree]:
        """Take one step: return the next state, and the outputs if it were the last.

        There is no input: ``x`` is ignored. Raises ValueError if the machine looks at the clock
        and is not given one.
        """
        del x
        state, features = self.advance(state, None, clock)
        return state, self.decode(features)

    def run(
        self,
        inputs: PyTree,
        *,
        steps: Int[Array, ""] | int | None = None,
        key: PRNGKeyArray | None = None,
        training: bool = False,
    ) -> Outcome:
        """Run on one example, as `Machine.run` has it; outputs are those of all places."""
        places = len(jax.tree.leaves(inputs)[0])
        length = places if steps is None else steps
        state = self.init_state(inputs, key=key, steps=length, training=training)

        def turn(state, time):
            return self.advance(state, None, Clock(time, key, training))

        shapes = jax.eval_shape(turn, state, jnp.int32(0))[1]
        none = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def advance(carry, time):
            now = time < length
            state, features = turn(carry[0], time)
            penalties = self.penalties(features)
            after = jax.tree.map(
                lambda new, old: jnp.where(now, new, old), (state, features), carry
            )
            return after, {name: jnp.where(now, x, 0) for name, x in penalties.items()}

        (_, features), penalties = jax.lax.scan(advance, (state, none), jnp.arange(places))
        summed = {name: jnp.sum(x, axis=0) for name, x in penalties.items()}
        return Outcome(self.decode(features), summed)
