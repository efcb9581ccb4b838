"""Fixed inputs, and what the package makes of them today.

`tests/frozen` holds these numbers against stored ones; `benchmarks/same_numbers` compares those
of two checkouts bit for bit. Names of the package stand in this file alone. None of it depends
on the names or the order of parameters, or on where an engine keeps its batch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

import softmachine
from softmachine import zoo
from softmachine.core import compiling
from softmachine.machines.machine import split_trainable

Arrays = dict[str, np.ndarray]

BATCH, STEPS, CELLS = 2, 4, 7
SCALES = (1.0, 0.5)
"""Factors of all trained parameters. A trained machine has decided, and most of its gradient is
nothing; with half its parameters it has not."""
PROJECTIONS = 3
LANGUAGES = ("python", "c", "json")


def zoo_names(kind: str = "") -> list[str]:
    """Return the names of all trained machines, or of those of one kind."""
    return [name for name in zoo.names() if name.startswith(kind)]


def fixed_inputs(machine: Any) -> np.ndarray:
    """Return random bits for each step, or memories of random integers."""
    first, *rest = machine.input_shape()
    rng = np.random.default_rng(0)
    if first == "steps":
        return rng.integers(0, 2, (BATCH, STEPS, *rest)).astype(np.float32)
    return rng.integers(0, CELLS, (BATCH, CELLS)).astype(np.int32)


def probe(machine: Any, scale: float) -> tuple[list[np.ndarray], Arrays]:
    """Return a machine's outputs, and the gradient of a random projection of them.

    Outputs have leading axes ``(batch, steps)``; gradients are named by their parameters.
    """
    parameters, rest = split_trainable(machine)
    parameters = jax.tree.map(lambda x: (scale * x).astype(x.dtype), parameters)
    inputs = jnp.asarray(fixed_inputs(machine))
    outputs, gradient = _outputs_and_gradient(parameters, rest, inputs)
    named = {
        jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(x)
        for path, x in jax.tree_util.tree_leaves_with_path(gradient)
    }
    return [np.asarray(x) for x in jax.tree.leaves(outputs)], named


@compiling.filter_jit
def _outputs_and_gradient(parameters: Any, rest: Any, inputs: jax.Array) -> tuple[Any, Any]:
    keys = jax.random.split(jax.random.key(0), BATCH)

    def projected(parameters):
        machine = eqx.combine(parameters, rest)
        outputs = softmachine.run_batch(
            machine, inputs, steps=STEPS, max_steps=STEPS, keys=keys
        )
        if getattr(machine, "batch_last", False):
            outputs = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), outputs)
        terms = [jnp.sum(x * _random(x.shape)) for x in jax.tree.leaves(outputs)]
        return sum(terms), outputs

    gradient, outputs = jax.grad(projected, has_aux=True)(parameters)
    return outputs, gradient


def _random(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    return rng.standard_normal(shape).astype(np.float32)


def summary(arrays: Arrays) -> Arrays:
    """Return norm and random projections of arrays, by shape; their names do not matter.

    Each number is sorted over the arrays of one shape: ``(1 + PROJECTIONS, arrays)``.
    """
    shapes: dict[str, list[list[float]]] = {}
    for x in arrays.values():
        exact = x.astype(np.float64)
        numbers = [np.sum(exact * _random(x.shape, 1 + i)) for i in range(PROJECTIONS)]
        norm = float(np.linalg.norm(exact))
        shapes.setdefault("x".join(map(str, x.shape)), []).append([norm, *map(float, numbers)])
    return {shape: np.sort(np.array(found).T, axis=1) for shape, found in shapes.items()}


def load(name: str) -> Any:
    """Return a machine of the zoo."""
    return zoo.load(name)


def probed(machine: Any) -> Arrays:
    """Return outputs and summaries of gradients of a machine, with all and half of itself."""
    found = {}
    for scale in SCALES:
        outputs, gradient = probe(machine, scale)
        found |= {f"{scale}/outputs/{i}": x for i, x in enumerate(outputs)}
        found |= {f"{scale}/gradient/{shape}": x for shape, x in summary(gradient).items()}
    return found


def _few_gates(experiment: Any, controller: str = "mlp") -> Any:
    """Return an NRAM's experiment with a step that compiles in a moment."""
    controller = dataclasses.replace(experiment.machine.controller, kind=controller)
    machine = dataclasses.replace(
        experiment.machine, controller=controller, registers=3, gates=GATES
    )
    return dataclasses.replace(experiment, machine=machine)


def _clipped(experiment: Any) -> Any:
    """Return an experiment at the rate and with the clipping that its recipe had then."""
    optimizer = dataclasses.replace(
        experiment.training.optimizer, learning_rate=1e-3, clip_norm=1.0
    )
    training = dataclasses.replace(experiment.training, optimizer=optimizer)
    return dataclasses.replace(experiment, training=training)


GATES = ("ONE", "READ", "INC", "ADD", "WRITE")
TRAININGS: dict[str, tuple[str, Callable[[Any], Any], int]] = {
    "ntm-copy": ("ntm-copy", lambda x: x, 1),
    "ntm-ff-copy": ("ntm-ff-copy", _clipped, 1),
    "nram-copy": ("nram-copy", _few_gates, 1),
    "nram-copy-lstm": ("nram-copy", partial(_few_gates, controller="lstm"), 1),
    "nram-access-x4": ("nram-access", _few_gates, 4),
}
"""Recipe, what is changed of it, and how many members train at once."""
UPDATES = 4


def training(name: str) -> tuple[Any, int]:
    """Return an experiment of a few updates, each followed by a validation; and its members."""
    recipe, change, members = TRAININGS[name]
    experiment = change(softmachine.get_recipe(recipe))
    batch = experiment.training.batch
    solved = dataclasses.replace(experiment.training.solved, sequences=8)
    changed = dataclasses.replace(
        experiment.training,
        max_sequences=UPDATES * batch,
        validate_every=batch,
        checkpoint_every=batch,
        solved=solved,
    )
    return dataclasses.replace(experiment, training=changed), members


def train(experiment: Any, members: int, path: Path) -> Arrays:
    """Train in a new directory; return losses, norms of gradients and the last parameters.

    Losses and norms are ``(members, updates)``, summaries of parameters by shape have a leading
    axis of members.
    """
    if members == 1:
        runs = [softmachine.Run.create(path, experiment)]
    else:
        runs = softmachine.create_population(path, experiment, members)
    softmachine.train_members(runs)
    lines = [run.metrics() for run in runs]
    found = {
        name: np.array([[line[name] for line in member] for member in lines])
        for name in ("loss", "gradient_norm", "validation_bits")
    }
    # The number of validations is a power of two: the last one has left a machine behind.
    machines = [
        summary(load_file(max((run.path / "checkpoints").glob("after-*.safetensors"))))
        for run in runs
    ]
    for shape in machines[0]:
        found[f"parameters/{shape}"] = np.array([summary[shape] for summary in machines])
    return found


def program_hashes(name: str) -> dict[str, str]:
    """Return the SHA-256 of the program of a machine of the zoo, as each kind of text."""
    return {
        language: hashlib.sha256(program_text(name, language).encode()).hexdigest()
        for language in LANGUAGES
    }


def program_text(name: str, language: str) -> str:
    """Return what ``softmachine program zoo:NAME --to LANGUAGE`` prints."""
    from softmachine.cli.main import main

    with contextlib.redirect_stdout(io.StringIO()) as text:
        main(["program", f"zoo:{name}", "--to", language])
    return text.getvalue()


if __name__ == "__main__":
    print(json.dumps({name: program_hashes(name) for name in zoo_names("nram-")}, indent=1))
