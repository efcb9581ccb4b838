"""The command that looks for a program behind given examples."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from softmachine.cli.folding import folded
from softmachine.cli.functions import Layout, find_function, is_of_function
from softmachine.cli.loop_search import search_loops
from softmachine.cli.presenting import present
from softmachine.cli.sources import user_errors
from softmachine.cli.waiting import clock, ended_by, working
from softmachine.core.errors import SoftmachineError, with_article
from softmachine.core.time_limit import TimeIsOverError, TimeLimit
from softmachine.experiments.progress import Progress
from softmachine.experiments.room import check_training
from softmachine.experiments.runs import Run
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.programs.reachable import explore
from softmachine.programs.repair import program_table
from softmachine.running.devices import use_all_cores
from softmachine.synthesis.advice import for_memories
from softmachine.synthesis.experiment import begin_or_continue, synthesis
from softmachine.synthesis.held_out import (
    SynthesizedProgram,
    mend_program,
    write_program,
)
from softmachine.synthesis.whole import Options as Functions
from softmachine.tasks.memories.examples import (
    MOST_CELLS,
    GivenExample,
    read_examples,
    read_text,
)
from softmachine.tasks.memories.given import FEW, Given
from softmachine.training.interruptions import exit_status, heard
from softmachine.training.trainer import train_members

SECONDS = 10.0
"""Least time between lines of progress."""


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
RESERVED, MENDED = 0.05, 30.0
"""The share of the time, and at most so many seconds, that training leaves at the end."""


def synthesize(
    path: Path,
    run: Path | None,
    minutes: float,
    options: Options,
    mode: Mode = "both",
    layout: Layout = "auto",
    begin: float | None = None,
) -> None:
    """Search loops, then train until members are right; print the program.

    Examples of a function are laid out and searched; see `softmachine.cli.functions`. ``begin``
    is when the command began, by `time.monotonic`; now by default.

    Exits with status 1 without a program, 130 or 143 after an interruption.
    """
    begin = time.monotonic() if begin is None else begin
    if not minutes > 0:
        raise SoftmachineError(f"--minutes must be above 0, not {minutes}")
    if options.memory > MOST_CELLS:
        raise SoftmachineError(
            f"--memory must be at most {MOST_CELLS:,}, not {options.memory:,}"
        )
    with ended_by(begin + 60 * minutes, "The same command continues."):
        _synthesize(path, run, minutes, options, mode, layout, begin)


def _synthesize(
    path: Path,
    run: Path | None,
    minutes: float,
    options: Options,
    mode: Mode,
    layout: Layout,
    begin: float,
) -> None:
    """Look for a program; see `synthesize`."""
    with working("reading"):
        text = read_text(path)
    if is_of_function(path, text, layout):
        with user_errors():
            config = NRAMConfig(registers=options.registers, gates=options.gates)
        find_function(
            path,
            text,
            run,
            Functions(minutes, options.seed, options.memory, config.registers, config.gates),
            begin,
        )
        return
    with working("reading"):
        read = read_examples(path, text)
        with user_errors(f"{path}, "):
            task = Given(
                examples=_on_their_lines(read.examples),
                memory=options.memory,
                steps_per_size=options.steps_per_size,
            )
    with user_errors():
        experiment = synthesis(
            task,
            NRAMConfig(registers=options.registers, gates=options.gates),
            seed=options.seed,
            enough=options.enough,
        )
    use_all_cores()
    check_training(experiment, options.members)
    directory = run or Path("runs") / f"synthesize-{path.stem}"
    limit = TimeLimit(begin + 60 * minutes)
    with user_errors():
        runs = begin_or_continue(directory, experiment, options.members)
    print(folded(_summary(task, read.repeated)), flush=True)
    if mode != "machines" and options.enough == 1:
        share = SEARCHED if mode == "both" else 1.0
        until = TimeLimit(begin + share * 60 * minutes)
        found = search_loops(
            directory, task, options.seed, options.registers, options.gates, begin, until
        )
        if found.program is not None:
            present(directory, found.task, [found.program])
            return
        if found.interrupted:
            print("Interrupted. The same command continues.")
            sys.exit(exit_status())
    if mode == "search":
        print(f"No program yet. The same command goes on with {directory}.")
        sys.exit(1)
    display = LevelDisplay(task, len(runs), begin)
    programs = Programs(runs, task, options.enough)
    last = "Ended at once. The same command continues from the last checkpoint."
    begun, before = [run.load_progress() for run in runs], heard()
    if not all(progress is not None and progress.finished for progress in begun):
        print(f"{clock(time.monotonic() - begin):>6}  compiling", flush=True)
    with working("training", limit=60 * minutes, since=begin, last=last):
        left = limit.earlier(min(MENDED, RESERVED * 60 * minutes)).left()
        progress = train_members(runs, display.report, seconds=left, enough=programs.enough)
    ended = all(member.finished for member in progress)
    if not ended and heard() > before:
        print("Interrupted. The same command continues.")
        sys.exit(exit_status())
    solved = [i for i, member in enumerate(progress) if member.solved_sequences is not None]
    if solved:
        present(directory, task, programs.of(solved))
        return
    promising = [i for i, member in enumerate(progress) if member.best_error == 0]
    with working("changing wires of members that are right but for being made hard"):
        mended = [*_mended([runs[i] for i in promising], task, limit)]
    if any(found.report.mistake is None for found in mended):
        print("No member is right when made hard; changed wires made one so.")
        present(directory, task, mended)
        return
    _advise(directory, task, options.gates, progress, display)
    sys.exit(1)


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


class LevelDisplay:
    """Says how many members make no mistake up to which size."""

    def __init__(self, task: Given, members: int, begin: float) -> None:
        self._sizes = task.sizes
        self._members = members
        self._progress: dict[int, Progress] = {}
        self._levels: dict[int, int] = {}
        self._printed = self._begin = begin
        self.rounds = 0
        """How often all members have reported."""

    def report(self, member: int, progress: Progress, line: dict[str, Any]) -> None:
        """Take up one member's validation; print a line when all have reported."""
        self._progress[member] = progress
        self._levels[member] = self._solved(line["validation_level"])
        now = time.monotonic()
        if member < max(self._progress) or len(self._progress) < self._members:
            return
        self.rounds += 1
        solved = self.solved()
        if now - self._printed < SECONDS and not solved:
            return
        self._printed = now
        passed = clock(now - self._begin)
        print(f"{passed:>6}  {line['step']:>6,} updates  {self}", flush=True)

    def __str__(self) -> str:
        """Return the members at each level, and how many are right when made hard."""
        counts = Counter(self._levels.values())
        levels = ", ".join(
            f"{counts[level]} up to size {level}" if level else f"{counts[level]} at none"
            for level in sorted(counts)
        )
        return f"no mistake: {levels}; programs: {self.solved()} of {self._members}"

    def largest(self) -> int:
        """Return the largest size up to which a member makes no mistake; 0: none."""
        return max(self._levels.values(), default=0)

    def solved(self) -> int:
        """Return how many members are right when made hard, larger examples included."""
        return sum(p.solved_sequences is not None for p in self._progress.values())

    def _solved(self, level: int) -> int:
        """Return the largest existing example size up to a level; 0 if none."""
        return max((size for size in self._sizes if size <= level), default=0)


class Programs:
    """The programs of members, written when they are asked for, each once."""

    def __init__(self, runs: list[Run], task: Given, enough: int) -> None:
        self._runs, self._task, self._enough = runs, task, enough
        self._found: dict[int, SynthesizedProgram | None] = {}
        self._states: dict[int, int] = {}

    def enough(self, solved: list[int]) -> bool:
        """Return whether there are programs enough that make no mistake on any example."""
        right = [found for found in self.of(solved) if found.report.mistake is None]
        return len(right) >= self._enough

    def of(self, solved: list[int]) -> list[SynthesizedProgram]:
        """Return the programs of some members, until enough make no mistake on any example.

        Those with few states come first: their programs are short, and soon written.
        """
        programs: list[SynthesizedProgram] = []
        right = 0
        for i in sorted(solved, key=lambda i: (self._count_states(i), i)):
            if right == self._enough:
                break
            if i not in self._found:
                self._found[i] = _make(write_program, self._runs[i], self._task)
            found = self._found[i]
            if found is not None:
                programs.append(found)
                right += found.report.mistake is None
        return programs

    def _count_states(self, member: int) -> int:
        """Return how many states a solved member can be in, before any are merged."""
        if member not in self._states:
            machine = _machine(self._runs[member])
            try:
                table = program_table(machine, ())
                reached = explore(table, machine.config.registers, self._task.step_rule())
            except SoftmachineError:  # writing the program will say why
                return 0
            self._states[member] = len(reached.circuits)
        return self._states[member]


def _mended(runs: Sequence[Run], task: Given, limit: TimeLimit) -> Iterator[SynthesizedProgram]:
    """Yield the programs of members after changes of wires, as long as there is time."""
    for run in runs:
        try:
            found = _make(partial(mend_program, limit=limit), run, task)
        except TimeIsOverError:
            print("No time is left to change wires of members that are right but for that.")
            return
        if found is not None:
            yield found


def _make(
    make: Callable[[NRAM, Given, str], SynthesizedProgram], run: Run, task: Given
) -> SynthesizedProgram | None:
    """Return a member's program; say if it has none that can be written."""
    try:
        return make(_machine(run), task, run.path.name)
    except SoftmachineError as error:
        print(f"{run.path.name} has no program: {error}")
        return None


def _machine(run: Run) -> NRAM:
    """Return a member's machine; SoftmachineError for another than the search trains."""
    machine = run.load_machine()
    if not isinstance(machine, NRAM):
        raise SoftmachineError(
            f"{run.path} holds {with_article(type(machine).__name__)}, not an NRAM"
        )
    return machine


def _advise(
    directory: Path,
    task: Given,
    gates: Sequence[str],
    progress: list[Progress],
    display: LevelDisplay,
) -> None:
    """Say how far it came, and what else could be tried."""
    best = min(member.best_error for member in progress)
    print(f"No program yet; {display}.")
    if display.rounds < 2:
        step = max(member.step for member in progress)
        print(f"The time, compilation included, was over after {step:,} updates.")
    print(f"The best member has {best:.1%} of the cells wrong in validation.")
    helps = for_memories(
        task,
        gates,
        validations=display.rounds,
        best_error=best,
        right_to=display.largest(),
    )
    print(f"The same command goes on with {directory}. What may help: {'; '.join(helps)}.")
