"""The phase that holds a diagonal Neural GPU's saturation cost at a share of its loss."""

from __future__ import annotations

import dataclasses
import math
from typing import cast

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool
from numpy import ndarray

from softmachine.core.choices import Positive, check_fields
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.machines.dngpu import DNGPU, DNGPUConfig
from softmachine.training.member import Member


@dataclasses.dataclass(frozen=True, kw_only=True)
class Saturation(Phase):
    """After each validation the weight of the saturation cost follows the loss.

    It is multiplied by learning rate x mean loss / mean weighted cost, means of the updates
    since the last validation: the cost is held near that share of the loss. The rate is that
    before its schedule. Source: the code published with Freivalds & Liepins 2017 (arXiv
    1702.08727).
    """

    most: Positive = 1e-3
    """The largest weight."""
    least: Positive = 1e-20
    """The smallest weight."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for machines without such a cost."""
        if not isinstance(experiment.machine, DNGPUConfig):
            raise ValueError("phase saturation needs a DNGPU, which has a saturation cost")

    def due(self, member: Member) -> bool:
        """Return whether updates said what loss and cost are."""
        return member.line is not None and "loss" in member.line

    def apply(self, member: Member, ended: Bool[ndarray, "1"]) -> bool:
        """Change the weight, and report it."""
        del ended
        assert member.line is not None
        machine = cast("DNGPU", member.machine())
        weight = float(machine.saturation.array)
        loss = math.log(2) * member.line["bits"]
        cost = member.line["loss"] - loss
        if cost > 0:
            rate = member.experiment.training.optimizer.learning_rate
            weight *= rate * loss / cost
        # As far as float32 goes: the cost is a difference of two rounded means.
        weight = min(max(weight, self.least), self.most)
        member.report({"saturation_weight": weight})
        array = jnp.asarray(weight, machine.saturation.array.dtype)
        member.change_buffers(eqx.tree_at(lambda m: m.saturation.array, machine, array))
        return False
