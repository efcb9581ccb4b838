"""The command that proves what a programmer-interpreter has learned, or tests it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from softmachine.cli.sources import Trained, open_trained
from softmachine.cli.waiting import working
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import replacing
from softmachine.machines.machine import Cell
from softmachine.programs.proof import Proof, Tried, prove, try_sizes
from softmachine.running.interpreter import Limits
from softmachine.tasks.traced.task import TracedTask


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
        print(f"  {proof}")
        tried: dict[str, list[Tried]] = {}
        for kind in task.parts:
            tried[kind] = []
            for one in try_sizes(
                *(machine, task, kind, sizes),
                examples=examples,
                seed=seed,
                limits=Limits(steps=most_steps),
            ):
                tried[kind].append(one)
                print(f"  {f'{kind}, ' if len(task.parts) > 1 else ''}{one}")
        if task.finite and not proof.proved:
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
            "zoo:npi-quicksort; the program of an NRAM is verified by 'softmachine program "
            f"{source} --verify'"
        )
    return machine, task


def _named(task: TracedTask) -> str:
    return ", ".join(f"{kind}, {part.form}" for kind, part in task.parts.items())


def _certificate(trained: Trained, proof: Proof, tried: dict[str, list[Tried]]) -> dict:
    return {
        "machine": trained.name,
        "recipe": trained.experiment.recipe,
        "proved": proof.proved,
        **dataclasses.asdict(proof),
        "tried": {kind: [one._asdict() for one in each] for kind, each in tried.items()},
    }


def _write(out: Path, certificates: list[dict]) -> None:
    try:
        with replacing(out) as temporary:
            temporary.write_text(json.dumps(certificates, indent=1) + "\n")
    except OSError as error:
        raise SoftmachineError(f"cannot write to {out}: {error.strerror}") from error
    print(out)
