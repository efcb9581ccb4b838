"""Check that the PyTorch rival and softmachine compute the same thing.

Usage: ``python agreement.py`` (``throughput.py --check`` runs it). Compares outputs and
gradients on random sequences, with random parameters large enough that the heads focus.
"""

from __future__ import annotations

import sys

import equinox as eqx
import jax
import numpy as np
import torch
from pytorch_rival import RivalNTM, copy_loss, load_parameters, prepare_torch
from softmachine_side import (
    build_machine,
    numpy_parameters,
    prepare_jax,
    sample_copy,
)
from softmachine_side import copy_loss as softmachine_copy_loss
from workload import Workload

from softmachine.machines.loop import run_batch
from softmachine.machines.machine import split_trainable

TOLERANCE = 1e-4
PARAMETER_SCALE = 0.3


def differences(order: str, seed: int) -> tuple[float, float]:
    """Return the largest difference of outputs, and of gradients over their largest."""
    workload = Workload(contender="softmachine", order=order, batch=4, length=10)
    keys = jax.random.split(jax.random.key(seed), 3)
    machine = with_random_parameters(build_machine(workload, key=keys[0]), keys[1])
    inputs, targets = sample_copy(keys[2], workload.batch, workload.length, workload.bits)
    outputs = run_batch(machine, inputs, steps=workload.steps, max_steps=workload.steps)
    gradient = eqx.filter_grad(softmachine_copy_loss)(machine, inputs, targets, workload.steps)

    rival = RivalNTM(workload)
    load_parameters(rival, numpy_parameters(machine))
    time_first = [torch.tensor(np.asarray(x)).transpose(0, 1) for x in (inputs, targets)]
    rival_outputs = rival(time_first[0]).transpose(0, 1)
    copy_loss(rival, *time_first).backward()
    rival_gradient = {name: x.grad.numpy() for name, x in rival.named_parameters()}

    output_difference = np.abs(np.asarray(outputs) - rival_outputs.detach().numpy()).max()
    expected = numpy_parameters(gradient)
    largest = max(np.abs(x).max() for x in expected.values())
    gradient_difference = max(
        np.abs(x - rival_gradient[name]).max() for name, x in expected.items()
    )
    return float(output_difference), float(gradient_difference / largest)


def with_random_parameters(machine: eqx.Module, key: jax.Array) -> eqx.Module:
    """Return the machine with noise on all its parameters."""
    parameters, static = split_trainable(machine)
    leaves, treedef = jax.tree.flatten(parameters)
    noisy = [
        x + PARAMETER_SCALE * jax.random.normal(k, x.shape)
        for x, k in zip(leaves, jax.random.split(key, len(leaves)), strict=True)
    ]
    return eqx.combine(jax.tree.unflatten(treedef, noisy), static)


def main() -> int:
    """Print the differences; return 0 if all are below the tolerance, else 1."""
    prepare_jax(1)
    prepare_torch()
    good = True
    print(f"softmachine and the PyTorch rival, largest differences (allowed: {TOLERANCE:g})")
    for order in ("read-write", "address-write-read"):
        pairs = np.array([differences(order, seed) for seed in range(3)]).max(axis=0)
        good &= bool((pairs < TOLERANCE).all())
        print(f"  {order:<20} outputs {pairs[0]:.1e}   gradients {pairs[1]:.1e} (relative)")
    print("they agree" if good else "THEY DISAGREE")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
