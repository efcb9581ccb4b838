"""What must not change: numbers of every machine of the zoo, of trainings, and programs.

Numbers are compared to what rounding allows on any machine; `benchmarks/same_numbers` compares
two checkouts on one machine bit for bit. `make.py` beside this file makes the numbers anew.
"""

import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest

HOME = Path(__file__).parent
TOLERANCE = 1e-5
GRADIENTS = 1e-4
"""What is 28 gates deep in each step rounds more: two ways to compile differ by 2e-5."""

_spec = importlib.util.spec_from_file_location("frozen_probing", HOME / "probing.py")
probing = sys.modules["frozen_probing"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(probing)

PROGRAMS = json.loads((HOME / "programs.json").read_text())


@pytest.fixture(scope="module")
def stored():
    with np.load(HOME / "numbers.npz") as file:
        return dict(file)


def of(stored, name):
    start = f"{name}/"
    return {key.removeprefix(start): x for key, x in stored.items() if key.startswith(start)}


def differences(found, expected):
    """Return what differs by more than rounding: a sentence each."""
    if found.keys() != expected.keys():
        return [f"{sorted(found)} instead of {sorted(expected)}"]
    told = []
    for key, x in expected.items():
        if found[key].shape != x.shape:
            told.append(f"{key} has shape {found[key].shape}, not {x.shape}")
            continue
        tolerance = GRADIENTS if "gradient/" in key else TOLERANCE
        # Of each projection its own scale, but for the few that happen to be near zero.
        scale = np.abs(x).max()
        worst = np.abs(found[key] - x).max() if x.size else 0.0
        if not worst <= tolerance * scale:
            told.append(f"{key} differs by {worst:.2g} at a scale of {scale:.2g}")
    return told


def test_every_machine_of_the_zoo_is_frozen(stored):
    trainings = {f"training {name}" for name in probing.TRAININGS}
    assert {key.split("/")[0] for key in stored} == {*probing.zoo_names(), *trainings}
    assert sorted(PROGRAMS) == probing.zoo_names("nram-")


@pytest.mark.parametrize("name", probing.zoo_names())
def test_outputs_and_gradients_of_the_zoo(name, stored):
    assert differences(probing.probed(probing.load(name)), of(stored, name)) == []


@pytest.mark.parametrize("name", probing.TRAININGS)
def test_a_few_updates(name, stored, tmp_path):
    found = probing.train(*probing.training(name), tmp_path / "run")
    assert differences(found, of(stored, f"training {name}")) == []


@pytest.fixture(scope="module")
def programs():
    """Hashes from a process of its own: with all shapes checked it would take a minute."""
    command = [sys.executable, str(HOME / "probing.py")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


@pytest.mark.parametrize("name", probing.zoo_names("nram-"))
def test_programs(name, programs):
    assert programs[name] == PROGRAMS[name]


# These have to be able to fail.


@pytest.mark.parametrize("name", ["ntm-ff-copy", "nram-copy"])
def test_a_changed_weight_is_noticed(name, stored):
    machine = probing.load(name)
    leaves, structure = jax.tree.flatten(eqx.filter(machine, eqx.is_inexact_array))
    _, gradient = probing.probe(machine, scale=0.5)
    for i, (leaf, slope) in enumerate(zip(leaves, gradient.values(), strict=True)):
        # Many units of a trained machine are never active.
        place = np.unravel_index(np.abs(slope).argmax(), slope.shape)
        arrays = [*leaves[:i], leaf.at[place].add(0.01), *leaves[i + 1 :]]
        changed = eqx.combine(jax.tree.unflatten(structure, arrays), machine)
        found = probing.probed(changed)
        assert differences(found, of(stored, name)) != [], f"parameter {i} of {name}"


def test_a_changed_gate_is_noticed(stored):
    machine = probing.load("nram-copy")
    gates = ["SUB" if gate == "ADD" else gate for gate in machine.config.gates]
    config = dataclasses.replace(machine.config, gates=tuple(gates))
    found = probing.probed(dataclasses.replace(machine, config=config))
    assert differences(found, of(stored, "nram-copy")) != []


def test_a_changed_learning_rate_is_noticed(stored, tmp_path):
    experiment, members = probing.training("nram-copy")
    rate = experiment.training.optimizer.learning_rate * 1.001
    optimizer = dataclasses.replace(experiment.training.optimizer, learning_rate=rate)
    training = dataclasses.replace(experiment.training, optimizer=optimizer)
    changed = dataclasses.replace(experiment, training=training)
    found = probing.train(changed, members, tmp_path / "run")
    assert differences(found, of(stored, "training nram-copy")) != []
