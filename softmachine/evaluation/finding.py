"""Finding the runs below folders, of which a ledger is made."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.population import in_place_of
from softmachine.experiments.runs import Run


def find_runs(paths: Iterable[str | Path]) -> list[Run]:
    """Return the runs at or anywhere below the paths, sorted by path, each once.

    Members that were never trained, because a search found the machine before, are left out.

    Raises SoftmachineError if a path does not exist or has no run, or a run cannot be read.
    """
    found: dict[Path, Run] = {}
    instead: Run | None = None
    for path in map(Path, paths):
        if not os.path.exists(path):
            raise SoftmachineError(f"{path} does not exist")
        directories = sorted(config.parent for config in path.rglob("config.json"))
        if not directories:
            raise SoftmachineError(
                f"{path} has no run: give run directories, population directories, or "
                f"folders of them"
            )
        for directory in directories:
            run = Run(directory)
            if searched := in_place_of(run):
                instead = searched
            else:
                found.setdefault(directory.resolve(), run)
    if instead is not None and not found:
        raise SoftmachineError(
            f"nothing was trained there: a search found the machine before, {instead.path}"
        )
    if not found:
        raise SoftmachineError("no paths given: try 'softmachine ledger runs'")
    return sorted(found.values(), key=lambda run: run.path)
