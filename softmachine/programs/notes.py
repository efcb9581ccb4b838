"""The comment at the top of a program: task, memory layout, provenance, verification."""

from __future__ import annotations

import inspect
from typing import NamedTuple

from softmachine.programs.languages.python import python_code
from softmachine.programs.outside import outside
from softmachine.programs.program import Program
from softmachine.programs.running import load_python
from softmachine.programs.verification import Verification
from softmachine.tasks.memories.given import Given
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.steps import StepRule


class Provenance(NamedTuple):
    """Where a machine's parameters come from."""

    source: str
    """The machine as it was named, such as ``zoo:nram-copy``."""
    recipe: str
    seed: int
    commit: str | None
    """The commit of softmachine that trained it, or compiled its wires; None: unknown."""
    trained: bool = True
    """Whether updates made it what it is; else its weights were compiled from wires."""

    def __str__(self) -> str:
        commit = f"commit {self.commit}" if self.commit else "an unknown commit"
        made = "trained" if self.trained else "its wires compiled, not trained,"
        return f"{self.source} (recipe {self.recipe}, seed {self.seed}, {made} at {commit})"


def summary(task: MemoryTask) -> str:
    """Return what the task is, in one line."""
    return (inspect.getdoc(task) or type(task).__name__).splitlines()[0]


def notes(
    program: Program, task: MemoryTask, provenance: Provenance, report: Verification | None
) -> list[str]:
    """Return the paragraphs of the comment at the top of a program.

    Arguments:
        program: the program.
        task: what its machine was trained for.
        provenance: where its machine comes from.
        report: what was verified; None: nothing.
    """
    return [
        layout(task),
        "All sums are modulo n, the number of cells; values are 0 to n - 1. "
        + steps_note(program.steps, program.counts_steps),
        variables_note(program),
        *outside_note(program, task),
        f"Extracted by softmachine from {provenance}.",
        verified(report, program.observed),
    ]


def outside_note(program: Program, task: MemoryTask) -> list[str]:
    """Return what the program does with invalid inputs: one paragraph, or none.

    The program is run to find out.
    """
    if not task.outside_cases():
        return []
    run = load_python(python_code(program, "A program.", []))
    return [f"Outside the task, as observed: {'; '.join(outside(task, run))}."]


def layout(task: MemoryTask) -> str:
    """Return what the cells of a memory mean, as the task's docstring says under ``Cells:``."""
    paragraphs = (inspect.getdoc(task) or "").split("\n\n")
    found = next((p for p in paragraphs if p.startswith("Cells:")), "")
    text, _, _ = " ".join(found.split()).partition(" Source:")
    return text.replace("``", "")


def steps_note(steps: StepRule, counted: bool) -> str:
    """Return how many steps the machine takes, and how the program ends.

    ``counted``: the program counts its steps.
    """
    if steps.of == "nothing":
        return f"The machine takes {steps.offset} steps."
    from_there = f" from {steps.place} on" if steps.place else ""
    quantity = {
        "cell": f"what cell {steps.place} holds",
        "array": f"the number of cells{from_there} before the first 0",
        "length": "the number of cells"
        if (steps.place, steps.divisor) == (0, 1)
        else "the number of items that fit into the memory",
    }[steps.of]
    times = f"{steps.factor} times " if steps.factor != 1 else ""
    sign = "plus" if steps.offset >= 0 else "less"
    count = (
        f"{times}{quantity}, {sign} {abs(steps.offset)}" if steps.offset else times + quantity
    )
    if steps.power == 2:
        count = f"the square of {count}"
    how = (
        "it counts them"
        if counted
        else "it ends where they are over, or where nothing more would change"
    )
    return f"The machine is given a number of steps, {count}: {how}."


def examples_note(
    origin: str, task: Given, trained: tuple[int, int], held_out: tuple[int, int], what: str
) -> str:
    """Return which examples a program was learned from, and how many come out right.

    Arguments:
        origin: which machine learned it, as a phrase.
        task: the examples.
        trained: of the examples trained on, how many are right, and how many there are.
        held_out: the same for the examples held out.
        what: how that was found, in brackets; may be empty.
    """
    sizes, others = task.sizes, task.held_out(larger=True).sizes
    text = (
        f"Learned by {origin} from {trained[1]:,} examples of sizes {sizes[0]} to {sizes[-1]}: "
        f"right on {share(trained)}"
    )
    if not held_out[1]:
        return f"{text}{what}. These were so few that none was held out."
    return (
        f"{text}. Held out were {held_out[1]:,} others, of sizes {others[0]} to {others[-1]}: "
        f"right on {share(held_out)}{what}."
    )


def share(counts: tuple[int, int]) -> str:
    """Return a count out of a whole, with the percentage: ``3 of 4 (75.0 %)``."""
    return f"{counts[0]:,} of {counts[1]:,} ({per_cent(*counts)} %)"


def per_cent(some: int, whole: int) -> str:
    """Return a percentage with one decimal, rounded down to 99.9 if it is not all."""
    return "100" if some == whole else f"{min(100 * some / whole, 99.9):.1f}"


def variables_note(program: Program) -> str:
    """Return which register each variable stands for."""
    texts = []
    for j, name in program.names.items():
        if j == program.registers:
            register = "the steps that are left"
        else:
            offset = program.offsets.get(j, 0)
            sign = f" {'+' if offset > 0 else '-'} {abs(offset)}" if offset else ""
            register = f"r{j + 1}{sign}"
        texts.append(f"{name} is {register}")
    if not texts:
        return "It needs no variables."
    return f"Variables and the machine's registers: {', '.join(texts)}."


def verified(report: Verification | None, observed: int = 0) -> str:
    """Return what is known of the program's correctness.

    Arguments:
        report: what was verified; None: nothing.
        observed: on how many examples its states were observed; see `Program.observed`.
    """
    states = (
        f"The controller has a state of its own: what it does was observed on {observed:,} "
        "examples, not proven."
        if observed
        else "The states follow from the circuits for all patterns of zero registers: none is "
        "missed, whatever the memory holds."
    )
    if report is None:
        return f"{states} Nothing else was verified."
    return (
        f"{states} Verified: "
        + "; ".join(str(check) for check in report.checks if check.how != "outside")
        + "."
    )
