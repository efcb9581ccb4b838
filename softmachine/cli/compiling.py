"""The command that makes a machine of wires: the way back from programs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from softmachine.cli.sources import ZOO, open_one, user_errors
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.directories import locked
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.machines.machine import split_trainable
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.recipes.registry import get_recipe
from softmachine.wiring.circuit_text import parse_circuits
from softmachine.wiring.compiling import compile_wiring, wiring_from_json
from softmachine.wiring.table import WiringTable, read_wiring


class Wired(NamedTuple):
    """Wires, and what the machine with these wires is for."""

    config: NRAMConfig
    table: WiringTable
    experiment: Experiment | None
    """None: whoever wrote the wires did not say."""


def compile_machine(source: str, recipe: str | None, out: Path | None, decided: float) -> None:
    """Write a run whose machine has the wires of a program, a table, or another machine.

    Raises SoftmachineError if they are malformed, or if it is not known what they are for.
    """
    wired = read_wires(source)
    experiment = wired.experiment if recipe is None else get_recipe(recipe)
    if experiment is None:
        raise SoftmachineError(
            f"{source} does not say what its machine is for: name a recipe whose task it is, "
            "such as --recipe nram-copy"
        )
    with user_errors(f"{source}: "):
        machine = compile_wiring(wired.config, wired.table, decided=decided)
        experiment = dataclasses.replace(experiment, machine=machine.config)
    directory = out or Path("runs") / f"compiled-{Path(source.removeprefix(ZOO)).stem}"
    run = save_compiled(directory, experiment, machine)
    same = _same(read_wiring(machine), wired)
    patterns, rows = wired.table.sources.shape
    print(f"{run.path}: a machine with the wires of {source} in its weights:")
    print(
        f"{machine.config.registers} registers, {len(machine.config.gates)} gates, "
        f"{machine.config.controller.hidden} units that recognise patterns of zeros."
    )
    print(
        f"All {patterns * rows:,} choices read back: {'the same' if same else 'NOT the same'}."
    )
    print(f"Next: softmachine program {run.path}; softmachine evaluate {run.path};")
    print(f"to train it on: softmachine resume {run.path}.")


def read_wires(source: str) -> Wired:
    """Return the wires in a file, of a run or of a model of the zoo."""
    path = Path(source)
    if source.startswith(ZOO) or path.is_dir():
        trained = open_one(source)
        if type(trained.machine) is not NRAM:
            name = type(trained.machine).__name__
            raise SoftmachineError(f"{source}: wires are those of an NRAM, not of {name}")
        machine = trained.machine
        return Wired(machine.config, read_wiring(machine), trained.experiment)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SoftmachineError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SoftmachineError(f"{path} is no text") from error
    try:
        if not text.lstrip().startswith("{"):
            return Wired(*parse_circuits(text), None)
        value = _parsed(text)
        machine = value.get("machine", value)
        recipe = machine.get("recipe") if isinstance(machine, dict) else None
        known = get_recipe(recipe) if isinstance(recipe, str) else None
        return Wired(*wiring_from_json(machine), known)
    except SoftmachineError as error:
        raise SoftmachineError(f"{path}, {error}") from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SoftmachineError(f"not JSON: {error}") from error
    if "states" in value and "machine" not in value:
        raise SoftmachineError(
            "this program's JSON has no wires (the key machine): its machine has a recurrent "
            "controller, or softmachine was older"
        )
    return value


def save_compiled(path: Path, experiment: Experiment, machine: NRAM) -> Run:
    """Return a new run that begins with a machine's parameters, and has not been trained."""
    run = Run.create(path, experiment)
    with locked(path):
        last = run.first()
        state = last.state.at(split_trainable(machine)[0])
        line = {"step": 0, "sequences": 0}
        run.save_best(state, line)
        run.save_last(state, Progress())
    return run


def _same(table: WiringTable, wired: Wired) -> bool:
    chosen = wired.config.rows.sources > 0
    return bool(
        np.array_equal(table.sources[:, chosen], wired.table.sources[:, chosen])
        and np.array_equal(table.stop, wired.table.stop)
    )
