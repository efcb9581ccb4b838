"""The ten tasks of the NRAM paper, trained as it says.

Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), sections 3 and 4, appendix B: Adam,
the curriculum of Zaremba and Sutskever with overshoot, a decaying entropy bonus, gradients
clipped inside and outside, gradient noise with η = 0.3 (Neelakantan et al. 2015, arXiv
1511.06807, section 4.4), one attempt per member, no search for wires. Sizes are those of its
Table 1. It gives no other number: registers, units, learning rate, weights, limits and the
criterion of the curriculum are ours, and to be searched, as the authors did.
"""

from __future__ import annotations

from collections.abc import Callable

from softmachine.experiments.curricula import Growing
from softmachine.experiments.experiment import (
    Experiment,
    SolvedConfig,
    SolvedTest,
    TrainingConfig,
)
from softmachine.experiments.objectives import NRAMLoss
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.settings import Search
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.tasks.memories.arrays import (
    Access,
    Increment,
    MemoryCopy,
    Merge,
    Permutation,
    Reverse,
    Swap,
)
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.memory import MemoryTask

TASKS: dict[str, tuple[MemoryTask, int, int]] = {
    "access": (Access(), 20, 1),
    "increment": (Increment(), 15, 1),
    "copy": (MemoryCopy(), 15, 1),
    "reverse": (Reverse(), 15, 1),
    "swap": (Swap(), 20, 2),
    "permutation": (Permutation(), 6, 2),
    "list-k": (ListK(), 10, 2),
    "list-search": (ListSearch(), 6, 2),
    "merge": (Merge(), 10, 2),
    "walk-bst": (WalkBST(), 10, 2),
}
"""Task, largest size trained on, rounds of the fourteen gates."""

BATCH = 32
MAX_UPDATES = 30_000


def _recipe(name: str) -> Callable[[], Experiment]:
    task, largest, rounds = TASKS[name]

    def recipe() -> Experiment:
        return Experiment(
            recipe=f"paper-nram-{name}",
            task=task,
            machine=NRAMConfig(gates=PAPER_GATES * rounds),
            training=TrainingConfig(
                batch=BATCH,
                max_sequences=MAX_UPDATES * BATCH,
                optimizer=OptimizerConfig(learning_rate=1e-3),
                curriculum=Growing(
                    smallest=task.smallest,
                    largest=largest,
                    start=task.smallest,
                    threshold=0.05,
                    patience=50,
                    forward=0.1,
                    back=0.25,
                    overshoot=0.5,
                ),
                objective=NRAMLoss(per_cell=False),
                gradient_noise=0.3**0.5,
                search=Search(learning_rate=(1e-4, 1e-2), entropy_bonus=(1e-3, 1.0)),
                solved=SolvedConfig(sequences=128, bits=None, test=SolvedTest()),
                validate_every=100 * BATCH,
                checkpoint_every=500 * BATCH,
            ),
        )

    recipe.__doc__ = f"NRAM as in the paper of Kurach et al. 2016: {name}."
    return recipe


RECIPES = {f"paper-nram-{name}": _recipe(name) for name in TASKS}
