"""The phase that pulls a Neural GPU's sets of parameters together, and ties them at last."""

from __future__ import annotations

import dataclasses
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, PyTree
from numpy import ndarray

from softmachine.core.choices import Positive, check_fields
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.experiments.state import TrainState
from softmachine.machines.neural_gpu import NeuralGPU, NeuralGPUConfig
from softmachine.training.member import Member


@dataclasses.dataclass(frozen=True, kw_only=True)
class Relaxation(Phase):
    """Sets of parameters that steps take in turn become one as the curriculum goes on.

    With each rise of the curriculum's level the pull between the sets grows; once it is large
    enough, each rise also puts all sets at their mean. At the largest level, when a validation
    finds no mistake, they are tied: put at their mean, and kept equal by equal updates. Nothing
    is solved before.

    Source: Kaiser & Sutskever 2016 (arXiv 1511.08228), section 2.1; numbers of the public code.
    """

    growth: Positive = 1.2
    """Multiplies the pull at each rise."""
    averaged_from: Positive = 0.1
    """The pull from which on a rise puts the sets at their mean."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError without a Neural GPU, a level that rises, or what a mistake is."""
        if not isinstance(experiment.machine, NeuralGPUConfig):
            raise ValueError(
                "phase relaxation needs a Neural GPU, which has sets of parameters"
            )
        curriculum = experiment.training.curriculum
        with jax.ensure_compile_time_eval():  # experiments are also made while tracing
            report = curriculum.report(curriculum.init())
        if "level" not in report:
            raise ValueError(
                "phase relaxation needs a curriculum with a level, such as growing"
            )
        if experiment.training.solved is None:
            raise ValueError(
                "phase relaxation needs training solved, which says what a mistake is"
            )

    def steps(self, steps: PyTree, state: TrainState) -> PyTree:
        """Return the same steps for all sets, once they are tied."""
        tied = state.buffers.tied.array

        def mean(x):
            return jnp.where(tied, jnp.broadcast_to(jnp.mean(x, axis=0), x.shape), x)

        return eqx.tree_at(NeuralGPU.relaxed, steps, replace_fn=mean)

    def verdict(self, member: Member) -> bool | None:
        """Object while the sets are several."""
        return None if _machine(member).tied.array else False

    def due(self, member: Member) -> bool:
        """Return whether the level rose, or all is right at the largest."""
        return self._risen(member) > 0 or self._ends(member)

    def _risen(self, member: Member) -> int:
        """Return how often the level rose since this was applied."""
        assert member.line is not None
        curriculum = member.experiment.training.curriculum
        first = curriculum.report(curriculum.init())["level"]
        return int(member.line["level"] - member.notes(self).get("level", first))

    def _ends(self, member: Member) -> bool:
        assert member.line is not None
        last = member.line["level"] >= member.experiment.training.curriculum.largest
        return last and member.right and not _machine(member).tied.array

    def apply(self, member: Member, ended: Bool[ndarray, "1"]) -> bool:
        """Raise the pull; average or tie the sets if it is time."""
        del ended
        machine, risen, ends = _machine(member), self._risen(member), self._ends(member)
        pull = float(machine.pull.array) * self.growth**risen
        if ends or (risen and pull >= self.averaged_from):
            machine = averaged(machine)
        machine = eqx.tree_at(
            lambda m: (m.pull.array, m.tied.array),
            machine,
            (jnp.asarray(pull, jnp.float32), machine.tied.array | ends),
        )
        assert member.line is not None
        member.remember(self, level=int(member.line["level"]))
        member.report({"pull": pull, "tied": int(machine.tied.array)})
        member.change(machine)
        return False


def _machine(member: Member) -> NeuralGPU:
    return cast("NeuralGPU", member.machine())


def averaged(machine: NeuralGPU) -> NeuralGPU:
    """Return the machine with all sets at their mean."""
    return eqx.tree_at(
        NeuralGPU.relaxed,
        machine,
        replace_fn=lambda x: jnp.broadcast_to(jnp.mean(x, axis=0), x.shape),
    )
