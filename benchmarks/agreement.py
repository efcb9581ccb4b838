"""Check that PyTorch models and softmachine compute the same thing.

Usage: ``python agreement.py`` (``throughput.py --check`` runs it). Compares outputs and
gradients of the PyTorch rival on random sequences, with random parameters large enough
that the heads focus.

``--peer pytorch-ntm=PATH`` also holds the conversion of parameters against a checkout of
the public project: its models are loaded here and compared, then written back and loaded
there. ``--golden FILE`` writes small models of the project with their outputs to an .npz
file, which lets the package's tests check the conversion without PyTorch.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

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
from throughput import PEER, peer_path
from workload import Workload

from softmachine.machines.machine import split_trainable
from softmachine.machines.ntm.ntm import NTM
from softmachine.machines.ntm.pytorch_ntm import from_pytorch_ntm, to_pytorch_ntm
from softmachine.running.loop import run_batch

TOLERANCE = 1e-4
PARAMETER_SCALE = 0.3

PEER_TOLERANCE = 1e-5
PEER_SIZES = {
    "1 pair of heads, 128 x 20": dict(
        num_inputs=9, num_outputs=8, controller_size=100, controller_layers=1,
        num_heads=1, N=128, M=20,
    ),
    "3 pairs of heads, 64 x 12": dict(
        num_inputs=6, num_outputs=7, controller_size=40, controller_layers=1,
        num_heads=3, N=64, M=12,
    ),
    "2 pairs, 2 LSTM layers": dict(
        num_inputs=9, num_outputs=8, controller_size=50, controller_layers=2,
        num_heads=2, N=32, M=10,
    ),
}  # fmt: skip
GOLDEN_SIZES = {
    "one pair": dict(
        num_inputs=4, num_outputs=3, controller_size=8, controller_layers=1,
        num_heads=1, N=20, M=5,
    ),
    "two pairs": dict(
        num_inputs=4, num_outputs=2, controller_size=7, controller_layers=1,
        num_heads=2, N=9, M=6,
    ),
    "two layers": dict(
        num_inputs=3, num_outputs=4, controller_size=6, controller_layers=2,
        num_heads=2, N=8, M=4,
    ),
}  # fmt: skip


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


def with_random_parameters(
    machine: eqx.Module, key: jax.Array, scale: float = PARAMETER_SCALE
) -> eqx.Module:
    """Return the machine with noise on all its parameters."""
    parameters, static = split_trainable(machine)
    leaves, treedef = jax.tree.flatten(parameters)
    noisy = [
        x + scale * jax.random.normal(k, x.shape)
        for x, k in zip(leaves, jax.random.split(key, len(leaves)), strict=True)
    ]
    return eqx.combine(jax.tree.unflatten(treedef, noisy), static)


def peer_model(sizes: dict[str, int], seed: int) -> Any:
    """Return a model of the public project with noisy parameters.

    Some rows of its memory are near zero and its first write head sharpens a lot: there
    small constants in its equations matter.
    """
    from ntm.aio import EncapsulatedNTM

    torch.manual_seed(seed)
    model = EncapsulatedNTM(**sizes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += PARAMETER_SCALE / 3 * torch.randn_like(parameter)
        model.memory.mem_bias[::2] *= 1e-3
        model.ntm.heads[1].fc_write.bias[sizes["M"] + 5] += 12
    return model


def peer_outputs(model: Any, inputs: np.ndarray) -> np.ndarray:
    """Run a model of the public project on inputs (B, T, I); return outputs (B, T, O)."""
    model.init_sequence(len(inputs))
    with torch.no_grad():
        outputs = [model(x)[0] for x in torch.from_numpy(inputs).unbind(1)]
    return torch.stack(outputs, 1).numpy()


def sigmoid_outputs(machine: NTM, inputs: np.ndarray) -> np.ndarray:
    """Run one of our machines on the same."""
    steps = inputs.shape[1]
    logits = eqx.filter_jit(run_batch)(machine, inputs, steps=steps, max_steps=steps)
    return np.asarray(jax.nn.sigmoid(logits))


def peer_inputs(sizes: dict[str, int], seed: int, batch: int, steps: int) -> np.ndarray:
    """Return random bits (B, T, I)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, (batch, steps, sizes["num_inputs"])).astype(np.float32)


def peer_differences(sizes: dict[str, int], seed: int) -> tuple[float, float]:
    """Return the largest difference of outputs, loaded here and written back there."""
    model, other = peer_model(sizes, seed), peer_model(sizes, seed + 100)
    inputs = peer_inputs(sizes, seed, batch=4, steps=60)
    expected = peer_outputs(model, inputs)
    machine = from_pytorch_ntm(model.state_dict())
    written = {key: torch.from_numpy(x) for key, x in to_pytorch_ntm(machine).items()}
    other.load_state_dict(written, strict=True)
    loaded = np.abs(sigmoid_outputs(machine, inputs) - expected).max()
    return float(loaded), float(np.abs(peer_outputs(other, inputs) - expected).max())


def check_peer() -> bool:
    """Print the differences from the public project; return whether they are small."""
    good = True
    print(
        f"softmachine and {PEER}, largest differences of outputs (allowed: {PEER_TOLERANCE:g})"
    )
    for name, sizes in PEER_SIZES.items():
        pairs = np.array([peer_differences(sizes, seed) for seed in range(3)]).max(axis=0)
        good &= bool((pairs < PEER_TOLERANCE).all())
        print(f"  {name:<27} loaded {pairs[0]:.1e}   written back {pairs[1]:.1e}")
    return good


def write_golden(path: str) -> None:
    """Write small models of the public project, their inputs and their outputs."""
    arrays = {}
    for seed, (name, sizes) in enumerate(GOLDEN_SIZES.items()):
        model = peer_model(sizes, seed)
        arrays[f"{name}/inputs"] = peer_inputs(sizes, seed, batch=2, steps=12)
        arrays[f"{name}/outputs"] = peer_outputs(model, arrays[f"{name}/inputs"])
        for key, array in model.state_dict().items():
            arrays[f"{name}/state_dict/{key}"] = array.numpy()
    np.savez_compressed(path, **arrays)


def check_rival() -> bool:
    """Print the differences from the PyTorch rival; return whether they are small."""
    good = True
    print(f"softmachine and the PyTorch rival, largest differences (allowed: {TOLERANCE:g})")
    for order in ("read-write", "address-write-read"):
        pairs = np.array([differences(order, seed) for seed in range(3)]).max(axis=0)
        good &= bool((pairs < TOLERANCE).all())
        print(f"  {order:<20} outputs {pairs[0]:.1e}   gradients {pairs[1]:.1e} (relative)")
    return good


def main() -> int:
    """Print the differences; return 0 if all are below their tolerances, else 1."""
    parser = argparse.ArgumentParser(description="Do PyTorch and softmachine agree?")
    parser.add_argument(
        "--peer", type=peer_path, metavar=f"{PEER}=PATH",
        help="also check the conversion from and to a checkout of the public project",
    )  # fmt: skip
    parser.add_argument(
        "--golden", metavar="FILE", help="write models and outputs of the peer to an .npz file"
    )
    options = parser.parse_args()
    if options.golden and not options.peer:
        parser.error("--golden needs --peer")
    prepare_jax(1)
    prepare_torch(1)  # threads that wait for each other take minutes on a busy machine
    good = check_rival()
    if options.peer:
        sys.path.insert(0, options.peer)
        good &= check_peer()
    if options.golden:
        write_golden(options.golden)
    print("they agree" if good else "THEY DISAGREE")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
