"""Runs of machines that were not trained, but compiled of wires."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.directories import locked
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.machines.machine import Machine, split_trainable
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.wiring.circuit_text import parse_circuits
from softmachine.wiring.compiling import compile_wiring, wiring_from_json
from softmachine.wiring.table import WiringTable, read_wiring


class Wired(NamedTuple):
    """Wires, and for whose task they are."""

    config: NRAMConfig
    table: WiringTable
    recipe: str | None = None
    """The recipe of the machine that had them first; None: nobody said."""


class Compiled(NamedTuple):
    """A run whose machine was compiled."""

    run: Run
    machine: NRAM
    same: bool
    """Whether every choice that was read back is the one that was asked for."""


def wires_of(machine: Machine) -> Wired:
    """Return the wires of a machine; SoftmachineError if it has no table of them."""
    if type(machine) is not NRAM:
        name = type(machine).__name__
        raise SoftmachineError(f"wires are those of an NRAM, not of {name}")
    return Wired(machine.config, read_wiring(machine))


def wires_in(text: str) -> Wired:
    """Return the wires that a text tells: circuits, a table as JSON, or a program's JSON.

    Raises SoftmachineError, saying where, if it is malformed.
    """
    if not text.lstrip().startswith("{"):
        return Wired(*parse_circuits(text))
    value = _parsed(text)
    machine = value.get("machine", value)
    recipe = machine.get("recipe") if isinstance(machine, dict) else None
    return Wired(*wiring_from_json(machine), recipe if isinstance(recipe, str) else None)


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


def compiled_run(
    path: Path, experiment: Experiment, wired: Wired, *, decided: float
) -> Compiled:
    """Return a new run of a machine with some wires, which can be trained on.

    Arguments:
        path: where it is written.
        experiment: its task and training; the machine is replaced.
        wired: the wires.
        decided: see `compile_wiring`.
    """
    machine = compile_wiring(wired.config, wired.table, decided=decided)
    run = Run.create(path, dataclasses.replace(experiment, machine=machine.config))
    with locked(path):
        state = run.first().state.at(split_trainable(machine)[0])
        run.save_best(state, {"step": 0, "sequences": 0})
        run.save_last(state, Progress())
    loaded = run.load_machine()
    assert isinstance(loaded, NRAM)
    return Compiled(run, loaded, _same(read_wiring(loaded), wired))


def _same(table: WiringTable, wired: Wired) -> bool:
    chosen = wired.config.rows.sources > 0
    return bool(
        np.array_equal(table.sources[:, chosen], wired.table.sources[:, chosen])
        and np.array_equal(table.stop, wired.table.stop)
    )
