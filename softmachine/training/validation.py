"""Validation: scores on fresh examples of all sizes that are trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.randomness import Branch, branch_key
from softmachine.core.specs.spec import counts, each, mean
from softmachine.experiments.experiment import Experiment, SolvedConfig
from softmachine.experiments.state import TrainState, machine_of
from softmachine.machines.packed import packed_form
from softmachine.running.scoring import build_scorer, score_together

Scores = dict[str, float | None]
"""Means of metrics by name; None for a ratio of nothing."""


def build_validation(
    experiment: Experiment,
) -> Callable[[Sequence[TrainState]], list[Scores]]:
    """Return a function that scores fresh examples of all sizes of the curriculum."""
    curriculum, task = experiment.training.curriculum, experiment.task.held_out()
    sequences = (experiment.training.solved or SolvedConfig()).sequences
    score = build_scorer(task, curriculum.largest)

    def draw(state: TrainState) -> tuple[PRNGKeyArray, Int[Array, " sequences"]]:
        key = branch_key(int(state.seed), Branch.VALIDATION)
        size_key, key = jax.random.split(jax.random.fold_in(key, int(state.step)))
        sizes = jax.random.randint(
            size_key, (sequences,), curriculum.smallest, curriculum.largest + 1
        )
        return key, sizes

    def validate(states: Sequence[TrainState]) -> list[Scores]:
        machines = [machine_of(state, experiment) for state in states]
        draws = [draw(state) for state in states]
        if packed_form(type(machines[0])) is not None:
            keys, sizes = zip(*draws, strict=True)
            scores = score_together(machines, task, keys, sizes, curriculum.largest)
        else:
            scores = [score(m, *drawn) for m, drawn in zip(machines, draws, strict=True)]
        return [
            {
                f"validation_{name}": float(mean(x)) if counts(x) else None
                for name, x in metrics.items()
            }
            | {
                "validation_level": _level(
                    jnp.asarray(each(metrics[task.error])), drawn[1], curriculum.largest
                )
            }
            for metrics, drawn in zip(scores, draws, strict=True)
        ]

    return validate


def _level(
    errors: Float[Array, " sequences"], sizes: Int[Array, " sequences"], largest: int
) -> int:
    """Return the largest size up to which there is no mistake."""
    return int(jnp.min(jnp.where(errors > 0, sizes - 1, largest)))
