"""The phase that sharpens the choice of gates of an NRAM that chooses them."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool
from numpy import ndarray

from softmachine.core.choices import Count, Positive, check_fields
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.machines.nram.soft_gates import SoftGateNRAM, SoftGateNRAMConfig
from softmachine.training.member import Member


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cooling(Phase):
    """The temperature of the choice of gates falls while an attempt goes on.

    It is set after each validation, and falls exponentially, from the machine's own to
    ``last`` after ``updates`` updates of an attempt; there it stays.
    """

    last: Positive = 0.3
    """The temperature at the end."""
    updates: Count = 1_000
    """After how many updates of an attempt it is reached."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for machines that do not choose their gates."""
        if not isinstance(experiment.machine, SoftGateNRAMConfig):
            raise ValueError("phase cooling needs a soft-gate-nram, which chooses its gates")

    def due(self, member: Member) -> bool:
        """Return whether it is another one by now."""
        return not member.progress.finished and self._now(member) != _temperature(member)

    def _now(self, member: Member) -> float:
        machine = member.experiment.machine
        assert isinstance(machine, SoftGateNRAMConfig)
        passed = min(member.age / self.updates, 1.0)
        now = machine.temperature * (self.last / machine.temperature) ** passed
        return float(jnp.float32(now))

    def apply(self, member: Member, ended: Bool[ndarray, "1"]) -> bool:
        """Set the temperature."""
        del ended
        now = self._now(member)
        member.change_buffers(
            eqx.tree_at(
                lambda m: m.temperature.array, member.machine(), jnp.asarray(now, jnp.float32)
            )
        )
        return False


def _temperature(member: Member) -> float:
    machine = member.machine()
    assert isinstance(machine, SoftGateNRAM)
    return float(machine.temperature.array)
