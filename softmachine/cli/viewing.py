"""The commands that show what a machine does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from softmachine.cli.scoring import TestOptions
from softmachine.cli.sources import open_one
from softmachine.errors import TraceError
from softmachine.evaluation.generalization import with_test_options
from softmachine.traces.making import trace


def write_trace(
    source: str,
    out: Path,
    size: int | None,
    seed: int,
    own: Path | None,
    every: int,
    fields: Sequence[str] | None,
    options: TestOptions,
) -> None:
    """Write what a machine does on one example, and print how it went."""
    if own is not None and size is not None:
        raise TraceError("give a size or an input of your own, not both")
    trained = open_one(source)
    machine, task = options.apply(trained)
    inputs = None if own is None else _read_inputs(own)
    if own is None and size is None:
        size = trained.experiment.training.curriculum.largest
    rows = machine.memory_rows
    if options.memory_rows is None and size is not None and rows is not None:
        machine = with_test_options(machine, memory_rows=max(rows, task.items(size)))
    made = trace(
        machine,
        task,
        size,
        seed,
        inputs=inputs,
        every=every,
        fields=fields,
        source=source,
        recipe=trained.experiment.recipe,
    )
    made.save(out)
    scores = ", ".join(f"{x:.3g} {name.replace('_', ' ')}" for name, x in made.header.scores.items())
    print(f"{made.header.title}: {scores or 'the right answer is not known'}")
    print(out)


def _read_inputs(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{path} is no JSON: {error}") from error
