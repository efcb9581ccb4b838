"""What a program does with invalid inputs, about which its task says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from softmachine.programs.running import ProgramFunction
from softmachine.tasks.memories.adversarial import Case, Sampler
from softmachine.tasks.memory import MemoryTask, fill

SIZES_TRIED = 6
"""How many sizes are tried, from the smallest one on, each in small and in large memories."""


def outside(task: MemoryTask, run: ProgramFunction) -> list[str]:
    """Run a program on invalid inputs; return a clause on each kind, such as what it raises."""
    return [f"{name}: {_tell(task, case, run)}" for name, case in task.outside_cases().items()]


def _tell(task: MemoryTask, case: Case, run: ProgramFunction) -> str:
    """Return what a program does with one kind of invalid input."""
    memories = list(_memories(task, case))
    outcomes = [_outcome(run, memory) for memory in memories]
    changed = [
        (memory, after)
        for memory, after in zip(memories, outcomes, strict=True)
        if after != memory
    ]
    if not changed:
        return "it leaves the memory as it is"
    refused = [after for _, after in changed if isinstance(after, str)]
    if len(refused) == len(memories) and len({*refused}) == 1:
        return f"it raises {refused[0]}"
    memory, after = min(changed, key=lambda pair: len(pair[0]))
    becomes = f"raises {after}" if isinstance(after, str) else f"becomes {after}"
    unchanged = len(memories) - len(changed)
    kept = f" ({unchanged} of {len(memories)} tried stay as they are)" if unchanged else ""
    return f"no promise; {memory} {becomes}{kept}"


def _memories(task: MemoryTask, case: Case) -> Iterator[Sequence[int]]:
    """Yield different memories of one kind, of the smallest sizes."""
    rng = np.random.default_rng(0)
    largest = task.smallest + SIZES_TRIED - 1
    seen = set()
    for size in range(task.smallest, largest + 1):
        for cells in (task.cells(size), task.cells(size) + 1, task.cells(largest)):
            memory = fill(case(Sampler(size, cells, rng)), cells)
            if tuple(memory) not in seen:
                seen.add(tuple(memory))
                yield memory


def _outcome(run: ProgramFunction, memory: Sequence[int]) -> list[int] | str:
    """Return the memory afterwards, or the error that the program raises."""
    try:
        return run(list(memory))
    except Exception as error:  # whatever it is, it is what happens
        return f"{type(error).__name__}: {error}"
