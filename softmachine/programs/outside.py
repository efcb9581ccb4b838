"""What a program does with inputs that its task says nothing about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from softmachine.programs.running import Run
from softmachine.tasks.memories.adversarial import Case, Sampler
from softmachine.tasks.memory import MemoryTask, fill

SIZES = 6
"""So many sizes are tried, the smallest ones, in memories tight and roomy."""


def outside(task: MemoryTask, run: Run) -> list[str]:
    """Return a sentence on each kind of input outside the task, from running the program."""
    return [f"{name}: {_tell(task, case, run)}" for name, case in task.outside_cases().items()]


def _tell(task: MemoryTask, case: Case, run: Run) -> str:
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
    """Yield memories of a case, each once, of the smallest sizes."""
    rng = np.random.default_rng(0)
    largest = task.smallest + SIZES - 1
    seen = set()
    for size in range(task.smallest, largest + 1):
        for cells in (task.cells(size), task.cells(size) + 1, task.cells(largest)):
            memory = fill(case(Sampler(size, cells, rng)), cells)
            if tuple(memory) not in seen:
                seen.add(tuple(memory))
                yield memory


def _outcome(run: Run, memory: Sequence[int]) -> list[int] | str:
    """Return the memory afterwards, or the error that the program raises."""
    try:
        return run(list(memory))
    except Exception as error:  # whatever it is, it is what happens
        return f"{type(error).__name__}: {error}"
