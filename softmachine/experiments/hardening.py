"""Preparing machines for hard execution, once validation finds no mistake any more."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from softmachine.core.choices import Bounds, NonNegative, check_fields
from softmachine.machines.machine import Buffer, Machine
from softmachine.machines.nram.circuits import DECIDED
from softmachine.machines.nram.nram import NRAM, Hardening


@dataclasses.dataclass(frozen=True, kw_only=True)
class LateChoices:
    """What an NRAM's updates do to its choices late: once validation found no mistake.

    Everything together is possible: straight-through with noise is the straight-through
    Gumbel-softmax.
    """

    sharpening: Annotated[float, Bounds(least=1)] = 1.0
    """Annealing of the temperature: every late update multiplies the logits of all choices by
    this, in the parameters, until a weight of the last layer is as large as `DECIDED`."""
    gumbel_noise: NonNegative = 0.0
    """Scale of Gumbel noise on the logits, drawn for each example, the same in all its steps;
    1 samples from the softmax. Source: Jang, Gu and Poole 2017 (arXiv 1611.01144)."""
    straight_through: bool = False
    """Each choice is its most likely one alone, with the gradient of the soft one. Source:
    Bengio, Leonard and Courville 2013 (arXiv 1308.3432)."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def prepare(
        self, machine: Machine, late: Float[Array, " batch"], keys: Key[Array, " batch"]
    ) -> Machine:
        """Return the machine as an update on a batch uses it.

        Arguments:
            machine: the machine, an NRAM if there is anything to do.
            late: for each example 1 if its member is late, else 0.
            keys: for each example a key of its own.
        """
        if not (self.gumbel_noise or self.straight_through):
            return machine
        assert isinstance(machine, NRAM)
        shape = (machine.plan.logits,)
        noise = jnp.zeros((*shape, len(late)))
        if self.gumbel_noise:
            draw = jax.vmap(lambda key: jax.random.gumbel(key, shape), out_axes=-1)
            noise = self.gumbel_noise * late * draw(keys)
        straight = late * self.straight_through
        return dataclasses.replace(
            machine, hardening=Hardening(Buffer(noise), Buffer(straight))
        )

    def sharpen(self, parameters: PyTree, late: Float[Array, ""]) -> PyTree:
        """Return an NRAM's parameters after a late update, with larger logits."""
        if self.sharpening == 1:
            return parameters
        layer = parameters.output
        small = jnp.max(jnp.abs(layer.weight)) < DECIDED
        factor = jnp.where((late > 0) & small, self.sharpening, 1.0)
        return eqx.tree_at(
            lambda machine: (machine.output.weight, machine.output.bias),
            parameters,
            (layer.weight * factor, layer.bias * factor),
        )
