"""The command that makes the table of the Chomsky hierarchy."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from softmachine.cli.workers import opened
from softmachine.core.errors import SoftmachineError, close_names
from softmachine.evaluation.chomsky.cells import train_cell, with_updates
from softmachine.evaluation.chomsky.curves import LENGTHS
from softmachine.evaluation.chomsky.kept import read_kept
from softmachine.evaluation.chomsky.page import write_table
from softmachine.evaluation.chomsky.table import Place, build_table
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.recipes.chomsky import MACHINES, TASKS, recipe_name
from softmachine.recipes.registry import get_recipe
from softmachine.running.devices import use_all_cores
from softmachine.training.interruptions import exit_status


def make_table(
    folder: Path,
    machines: Sequence[str],
    tasks: Sequence[str],
    seeds: int,
    updates: int | None,
    strings: int,
    longest: int,
    out: Path,
    workers: str | None = None,
) -> None:
    """Train the cells that were asked for and are not finished; write the table of all.

    Seeds that the earlier table of ``out`` has, trained elsewhere, are finished too.
    """
    machines, tasks = machines or [*MACHINES], tasks or [*TASKS]
    _check(machines, MACHINES, "machine")
    _check(tasks, TASKS, "task")
    if longest and not LENGTHS[0] <= longest <= LENGTHS[-1]:
        raise SoftmachineError(
            f"--longest must be 0 or between {LENGTHS[0]} and {LENGTHS[-1]:,}, not {longest:,}"
        )
    use_all_cores()
    recipes = {
        Place(machine, task): get_recipe(recipe_name(machine, task))
        for task in TASKS
        for machine in MACHINES
    }
    kept, changed = read_kept(out.with_suffix(".json"), recipes, strings=strings)
    for recipe in changed:
        _say(f"{recipe} has other settings than in {out}: what that says of it is left out")
    command = ["softmachine", "chomsky", str(folder), "--strings", str(strings)]
    command += [*(["--longest", str(longest)] if longest else []), "--out", str(out)]

    def write() -> tuple[Path, Path]:
        table = build_table(
            folder, recipes, strings=strings, kept=kept, longest=longest, report=_say
        )
        return out, write_table(out, table | {"command": shlex.join(command)})

    with opened(workers) as given:
        for place, experiment in recipes.items():
            if place.machine not in machines or place.task not in tasks:
                continue
            wanted = with_updates(experiment, updates)
            done = kept.done(experiment.recipe, wanted.training.last_update)
            missing = [seed for seed in range(seeds) if seed not in done]
            if not missing:
                continue
            if not train_cell(folder, wanted, missing, _report, given):
                print("Interrupted. The same command goes on.")
                sys.exit(exit_status())
            write()
    print(*write(), sep="\n")


def _report(run: Run, progress: Progress) -> None:
    """Print how far a run is."""
    error = f"{progress.best_error:.3g} wrong" if progress.best_error else "no mistake"
    end = ""
    if progress.failed:
        end = f", failed: {progress.failed}"
    elif progress.finished:
        end = ", right" if progress.solved_sequences is not None else ", ended"
    _say(f"{run.path}: {progress.step:,} updates, {progress.seconds:.0f} s, {error}{end}")


def _say(text: str) -> None:
    print(text, flush=True)


def _check(names: Sequence[str], known: Collection[str], what: str) -> None:
    """Raise SoftmachineError, with those there are, for names that the table has not."""
    for name in names:
        if name not in known:
            raise SoftmachineError(
                f"there is no {what} {name!r}{close_names(name, known)}; the {what}s of the "
                f"table are {', '.join(known)}"
            )
