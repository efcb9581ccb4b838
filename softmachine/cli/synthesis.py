"""The command that looks for a program behind given examples."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from softmachine.cli.folding import folded
from softmachine.cli.functions import Layout, find_function, is_of_function
from softmachine.cli.loop_search import search_loops
from softmachine.cli.machine_search import train_machines
from softmachine.cli.presenting import present
from softmachine.cli.sources import user_errors
from softmachine.cli.waiting import ended_by, working
from softmachine.cli.workers import continued, opened
from softmachine.core.errors import SoftmachineError
from softmachine.core.time_limit import TimeLimit
from softmachine.experiments.room import check_training
from softmachine.experiments.runs import Run
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.running.devices import use_all_cores
from softmachine.synthesis.experiment import begin_or_continue, synthesis
from softmachine.synthesis.whole import Options as Functions
from softmachine.tasks.memories.examples import (
    MOST_CELLS,
    GivenExample,
    read_examples,
    read_text,
)
from softmachine.tasks.memories.given import FEW, Given
from softmachine.training.interruptions import exit_status
from softmachine.training.workers.workers import Workers


class Options(NamedTuple):
    """What may be chosen; see ``softmachine synthesize --help``."""

    seed: int
    members: int
    enough: int
    memory: int
    steps_per_size: int
    registers: int
    gates: tuple[str, ...]


Mode = Literal["both", "search", "machines"]
"""What looks for a program: a search of loops, machines that are trained, or first the one and
then the other."""
SEARCHED = 0.6
"""The share of the time after which training follows the search."""


def synthesize(
    path: Path,
    run: Path | None,
    minutes: float,
    options: Options,
    mode: Mode = "both",
    layout: Layout = "auto",
    begin: float | None = None,
    workers: str | None = None,
) -> None:
    """Search loops, then train until members are right; print the program.

    Examples of a function are laid out and searched; see `softmachine.cli.functions`. ``begin``
    is when the command began, by `time.monotonic`; now by default. ``workers``: who searches
    and trains; see `softmachine.cli.workers.opened`.

    Exits with status 1 without a program, 130 or 143 after an interruption.
    """
    begin = time.monotonic() if begin is None else begin
    if not minutes > 0:
        raise SoftmachineError(f"--minutes must be above 0, not {minutes}")
    if options.memory > MOST_CELLS:
        raise SoftmachineError(
            f"--memory must be at most {MOST_CELLS:,}, not {options.memory:,}"
        )
    limit = TimeLimit(begin + 60 * minutes)
    with ended_by(limit.end, "The same command continues."):
        with working("reading"):
            text = read_text(path)
        if is_of_function(path, text, layout):
            with user_errors():
                config = NRAMConfig(registers=options.registers, gates=options.gates)
            searched = (options.memory, config.registers, config.gates)
            wanted = Functions(minutes, options.seed, *searched)
            find_function(path, text, run, wanted, begin, workers)
            return
        with working("reading"):
            read = read_examples(path, text)
            with user_errors(f"{path}, "):
                task = Given(
                    examples=_on_their_lines(read.examples),
                    memory=options.memory,
                    steps_per_size=options.steps_per_size,
                )
        directory = run or Path("runs") / f"synthesize-{path.stem}"
        runs = _runs(directory, task, options)
        print(folded(_summary(task, read.repeated)), flush=True)
        with opened(workers) as given, continued(workers):
            if mode != "machines" and options.enough == 1:
                share = SEARCHED if mode == "both" else 1.0
                until = TimeLimit(begin + share * 60 * minutes)
                if _search(directory, task, options, begin, until, given):
                    return
            if mode == "search":
                print(f"No program yet. The same command goes on with {directory}.")
                sys.exit(1)
            train_machines(directory, runs, task, options.enough, begin, limit, given)


def _runs(directory: Path, task: Given, options: Options) -> list[Run]:
    """Begin the population that is trained if no loop is found, or continue it."""
    with user_errors():
        experiment = synthesis(
            task,
            NRAMConfig(registers=options.registers, gates=options.gates),
            seed=options.seed,
            enough=options.enough,
        )
    use_all_cores()
    check_training(experiment, options.members)
    with user_errors():
        return begin_or_continue(directory, experiment, options.members)


def _search(
    directory: Path,
    task: Given,
    options: Options,
    begin: float,
    until: TimeLimit,
    workers: Workers | None,
) -> bool:
    """Search loops; print the program that is found, and return whether there is one."""
    found = search_loops(
        directory,
        task,
        options.seed,
        options.registers,
        options.gates,
        begin,
        until,
        workers,
    )
    if found.program is not None:
        present(directory, found.task, [found.program])
        return True
    if found.interrupted:
        print("Interrupted. The same command continues.")
        sys.exit(exit_status())
    return False


def _on_their_lines(examples: Sequence[GivenExample]) -> str:
    """Return the examples as text again, so that errors name the lines of the file."""
    lines = [""] * examples[-1].line
    for example in examples:
        lines[example.line - 1] = example.to_json()
    return "\n".join(lines)


def _summary(task: Given, repeated: int) -> str:
    """Return what there is to learn from, and what makes it slow or doubtful."""
    trained, validated, tested = (
        len(task.part_examples(part)) for part in ("training", "validation", "test")
    )
    sizes, cells = task.sizes, task.cells(task.sizes[-1])
    numbers = max(
        max(*x.before, *x.target)
        for part in ("training", "validation")
        for x in task.part_examples(part)
    )
    larger = f" and {tested - validated} larger ones" if tested > validated else ""
    lines = [
        f"{trained} examples to train on (sizes {sizes[0]} to {sizes[-1]}), {validated} of "
        f"these sizes{larger} held out."
    ]
    if repeated:
        stand = "1 line says" if repeated == 1 else f"{repeated:,} lines say"
        lines += [f"{stand} what an earlier one says: each example counts once."]
    if numbers + 1 >= cells:
        lines += [
            f"Your largest number is {numbers}, so that memories need {cells} cells; smaller "
            "numbers are faster."
        ]
    else:
        lines += [f"Memories of {cells} cells hold them."]
    if trained < FEW:
        lines += ["These are few: what suits them may not be what you mean."]
    if trained + tested < FEW:
        lines += ["A search takes those held out, too."]
    if not task.tells_size:
        lines += [
            "The sizes do not follow from the inputs (no array that ends with 0, no cell holds "
            "them): programs take the number of cells for it."
        ]
    return "\n".join(lines)
