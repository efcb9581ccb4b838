"""Check that the PyTorch MANN computes what softmachine's does.

Usage: ``python one_shot_agreement.py`` (``one_shot_throughput.py`` runs it before it measures).
Compares sizes, loss and gradients on drawn episodes, with random parameters.
"""

from __future__ import annotations

import dataclasses
import sys

import equinox as eqx
import jax
import numpy as np
import torch
from agreement import with_random_parameters
from pytorch_mann import RivalMANN, load_parameters, naming_loss
from pytorch_rival import prepare_torch
from softmachine_side import mann_parameters, prepare_jax
from workload import OneShot

from softmachine.core.example import Example
from softmachine.machines.mann import MANN, MANNConfig
from softmachine.recipes import get_recipe
from softmachine.running.loop import run_batch
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.task import sample_batch

TOLERANCE = 1e-4
"""Of losses, in nats per image, and of gradients over their largest."""
PARAMETER_SCALE = 0.05
EPISODES = 4


def naming_loss_of(machine: MANN, task: Episodes, examples: Example) -> jax.Array:
    """Return the task's loss, averaged over the batch."""
    steps = examples.inputs.shape[1]
    outputs = run_batch(machine, examples.inputs, steps=steps, max_steps=steps)
    return jax.vmap(task.output.loss)(outputs, examples).mean()


def differences(seed: int) -> tuple[float, float]:
    """Return the difference of losses, per image, and of gradients over their largest."""
    experiment, workload = get_recipe("mann-glyphs"), OneShot(contender="torch-mann", cores=1)
    task, keys = experiment.task, jax.random.split(jax.random.key(seed), 2)
    machine = with_random_parameters(experiment.build_machine(), keys[0], PARAMETER_SCALE)
    sizes = jax.numpy.full(EPISODES, workload.names)
    examples = sample_batch(task, jax.random.split(keys[1], EPISODES), sizes, workload.names)
    loss, gradient = eqx.filter_value_and_grad(naming_loss_of)(machine, task, examples)

    rival = RivalMANN(workload)
    load_parameters(rival, mann_parameters(machine))
    inputs, targets = (
        torch.tensor(np.asarray(x)).transpose(0, 1).contiguous()
        for x in (examples.inputs, examples.targets)
    )
    rival_loss = naming_loss(rival, inputs, targets.long())
    rival_loss.backward()
    expected = mann_parameters(gradient)
    largest = max(np.abs(x).max() for x in expected.values())
    apart = max(np.abs(x.grad.numpy() - expected[n]).max() for n, x in rival.named_parameters())
    return abs(float(loss) - rival_loss.item()) / workload.steps, float(apart / largest)


def check_sizes() -> list[str]:
    """Return what differs between the workload and the recipe."""
    experiment, asked = get_recipe("mann-glyphs"), OneShot(contender="mann", cores=1)
    task, machine, training = experiment.task, experiment.machine, experiment.training
    assert isinstance(task, Episodes)
    assert isinstance(machine, MANNConfig)
    trained = {
        "batch": training.batch,
        "names": training.curriculum.largest,
        "steps": task.steps(training.curriculum.largest),
        "side": task.side,
        "hidden": machine.controller.hidden,
        "memory_rows": machine.memory_rows,
        "memory_columns": machine.memory_columns,
        "heads": machine.heads,
        "usage_decay": machine.usage_decay,
        "learning_rate": training.optimizer.learning_rate,
        "gradient_norm": training.optimizer.clip_norm,
    }
    fields = dataclasses.asdict(asked)
    return [f"{k} {fields[k]}, recipe {x}" for k, x in trained.items() if fields[k] != x]


def main() -> int:
    """Print the differences; return 0 if all are below their tolerances, else 1."""
    prepare_jax(1)
    prepare_torch(1)
    wrong = check_sizes()
    if wrong:
        print(f"the workload is not the recipe's: {'; '.join(wrong)}")
    pairs = np.array([differences(seed) for seed in range(2)]).max(axis=0)
    good = bool((pairs < TOLERANCE).all()) and not wrong
    print(
        f"softmachine and the PyTorch MANN, largest differences (allowed: {TOLERANCE:g}): "
        f"loss {pairs[0]:.1e} nats per image, gradients {pairs[1]:.1e} (relative)"
    )
    print("they agree" if good else "THEY DISAGREE")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
