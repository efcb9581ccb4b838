"""The command that proves what a programmer-interpreter has learned, or tests it."""

from __future__ import annotations

import dataclasses
import json
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from softmachine.cli.sources import Trained, open_trained
from softmachine.cli.waiting import working
from softmachine.core.capabilities import HardForm
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import replacing
from softmachine.experiments.serialization import task_to_json
from softmachine.machines.machine import Cell, Machine
from softmachine.programs.proof import LARGEST, Proof, Tried, first_failure, prove, try_sizes
from softmachine.running.interpreter import Limits
from softmachine.tasks.traced.task import TracedTask

WIDTH = 76
"""Columns of what is said of a proof, besides two that it is indented."""


def verify(
    source: str,
    sizes: Sequence[int],
    examples: int,
    seed: int,
    most_steps: int,
    out: Path | None,
) -> None:
    """Print for each machine what is proved and what was tested.

    Raises SoftmachineError if one that is to be proved is not.
    """
    certificates, unproved = [], []
    for trained in open_trained(source):
        machine, task = _interpreter(source, trained)
        print(f"{trained.name}: {_named(task)}")
        with working(f"Checking all calls of {trained.name}"):
            proof = prove(machine, task)
        print(textwrap.indent(textwrap.fill(str(proof), WIDTH), "  "))
        tried: dict[str, list[Tried]] = {}
        for kind in task.parts:
            tried[kind], named = [], f"{kind}, " if len(task.parts) > 1 else ""
            how: dict[str, Any] = {
                "examples": examples,
                "seed": seed,
                "limits": Limits(steps=most_steps),
            }
            for one in try_sizes(machine, task, kind, sizes, **how):
                tried[kind].append(one)
                print(f"  {named}{one}")
            if not task.finite:
                failed = first_failure(machine, task, kind, **how)
                tried[kind] += [failed] if failed else []
                where = f"first wrong at {failed}" if failed else f"right up to size {LARGEST}"
                print(f"  {named}{where}")
        ended_wrong = any(one.ended_wrong for each in tried.values() for one in each)
        if task.finite and (ended_wrong or not proof.proved):
            unproved.append(trained.name)
        certificates.append(_certificate(trained, proof, tried))
    if out is not None:
        _write(out, certificates)
    if unproved:
        raise SoftmachineError(f"not proved: {', '.join(unproved)}")


def _interpreter(source: str, trained: Trained) -> tuple[Cell, TracedTask]:
    machine, task = trained.machine, trained.experiment.task
    if not isinstance(task, TracedTask) or not isinstance(machine, Cell):
        raise SoftmachineError(
            f"{source}: verify is for machines that learned programs from traces, such as "
            f"zoo:npi-quicksort{_instead(source, machine)}"
        )
    return machine, task


def _instead(source: str, machine: Machine) -> str:
    if isinstance(machine, HardForm):
        return (
            f"; the program of an NRAM is verified by 'softmachine program {source} --verify'"
        )
    return f"; what others do at larger sizes is told by 'softmachine evaluate {source}'"


def _named(task: TracedTask) -> str:
    return ", ".join(f"{kind}, {part.form}" for kind, part in task.parts.items())


def _certificate(trained: Trained, proof: Proof, tried: dict[str, list[Tried]]) -> dict:
    return {
        "machine": trained.name,
        "recipe": trained.experiment.recipe,
        "task": task_to_json(trained.experiment.task),
        "proved": proof.proved,
        "assumptions": proof.assumptions if proof.proved else None,
        **{name: _finite(x) for name, x in dataclasses.asdict(proof).items()},
        "tried": {kind: [one._asdict() for one in each] for kind, each in tried.items()},
    }


def _finite(value: Any) -> Any:
    """Return a number that JSON has; None for one that is not a number, or infinite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(out: Path, certificates: list[dict]) -> None:
    try:
        with replacing(out) as temporary:
            temporary.write_text(json.dumps(certificates, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise SoftmachineError(f"cannot write to {out}: {error.strerror}") from error
    print(out)
