"""The ten tasks of the NRAM paper as programs to find from examples, for `synthesis.py`.

    python benchmarks/synthesis.py benchmarks/paper_tasks.py --mode search --seeds 0 1 2 3

Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2, as the recipes
``nram-TASK`` have them. Examples, those that judge as well, are draws of the tasks' hard cases
(random ones, shortest and longest ways, ties, smallest memories); an example's size is one less
than the number of steps that the recipe's machine has for it.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import numpy as np

from softmachine.recipes.registry import get_recipe
from softmachine.tasks.memory import MemoryTask

Memory = list[int]
SMALL, EACH = 6, 150
"""Examples have sizes up to `SMALL`, some `EACH` of each,"""
LARGE, FEW = (20, 50), 20
"""and these, `FEW` of each."""


@dataclass
class Problem:
    """A task of the paper."""

    task: MemoryTask
    kind: str = "paper"
    steps_per_size: int = 1
    published: str = ""
    pools: dict[int, list[Memory]] = field(default_factory=dict)
    answers: dict[tuple[int, ...], dict[int, int]] = field(default_factory=dict)
    """What the scored cells have to hold, by the memory before, less the zeros at its end."""

    def sample(self, rng: random.Random, size: int, *, spare: int = 0) -> tuple[Memory, Memory]:
        """Return a memory before and after, and cells to spare."""
        size = max(size, self.task.smallest)
        if size not in self.pools:
            drawn = np.random.default_rng(rng.randrange(2**32))
            cases = len(self.task.adversarial_cases())
            repeats = 1 + 2 * (EACH if size <= SMALL else FEW) // cases
            pool = self.pools[size] = []
            for trial in self.task.trials(drawn, [size], size, repeats):
                pool.append([*map(int, trial.memory)])
                scored = zip(trial.targets, trial.scored, strict=True)
                wanted = {cell: int(x) for cell, (x, counts) in enumerate(scored) if counts}
                self.answers[_key(pool[-1])] = wanted
        before = rng.choice(self.pools[size]) + [0] * spare
        wanted = self.answers[_key(before)]
        return before, [wanted.get(cell, value) for cell, value in enumerate(before)]

    def right(self, before: Memory, after: Memory) -> bool:
        """Return whether all scored cells are as they have to be."""
        return all(after[cell] == x for cell, x in self.answers[_key(before)].items())


def _key(memory: Memory) -> tuple[int, ...]:
    end = next((i for i in range(len(memory), 0, -1) if memory[i - 1]), 0)
    return (*memory[:end],)


def lines(problem: Problem, *, seed: int = 1) -> list[str]:
    """Return examples as `softmachine synthesize` reads them: small ones, then large ones."""
    rng, found = random.Random(seed), []
    for size in [*range(1, SMALL + 1)] * EACH + [*LARGE] * FEW:
        before, after = problem.sample(rng, size)
        wanted = problem.answers[_key(before)]
        steps = int(problem.task.steps(max(size, problem.task.smallest)))
        mask = [int(cell in wanted) for cell in range(len(before))]
        line = {"input": before, "output": after, "mask": mask}
        found.append(json.dumps(line | {"size": steps - 1}))
    return found


NAMES = (
    "access", "increment", "copy", "reverse", "swap", "permutation", "list-k", "list-search",
    "merge", "walk-bst",
)  # fmt: skip


def _task(name: str) -> MemoryTask:
    task = get_recipe(f"nram-{name}").task
    assert isinstance(task, MemoryTask)
    return task


PROBLEMS = {name: Problem(_task(name)) for name in NAMES}
