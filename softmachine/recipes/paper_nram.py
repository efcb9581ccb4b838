"""The ten tasks of the NRAM paper, with the training that the paper describes.

Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), sections 3 and 4, appendix B: Adam,
the curriculum of Zaremba and Sutskever with overshoot, a decaying entropy bonus, gradients
clipped inside the network and as a whole, gradient noise with η = 0.3 (Neelakantan et al.
2015, arXiv 1511.06807, section 4.4), one attempt per member, no search for wires. Sizes are
those of its Table 1. The paper gives no other numbers: registers, units, learning rate,
weights, limits and the criterion of the curriculum are ours. Some are searched, as by the
authors.
"""

from __future__ import annotations

from softmachine.experiments.curricula import Growing
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.settings import Search
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.tasks.memories.arrays import Access, Increment, MemoryCopy, Reverse
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.merge import Merge
from softmachine.tasks.memories.permutations import Permutation, Swap
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.memory import MemoryTask
from softmachine.training.exam import Exam
from softmachine.training.nram.objective import NRAMLoss

BATCH = 32
"""Sequences per update."""
MAX_UPDATES = 30_000
"""The number of updates after which a member has failed."""


def _experiment(recipe: str, task: MemoryTask, largest: int, rounds: int) -> Experiment:
    """Return the experiment of one task.

    Arguments:
        recipe: the name of the recipe.
        task: the task, with its settings.
        largest: the largest training size.
        rounds: how often the fourteen gates are repeated in one step.
    """
    return Experiment(
        recipe=recipe,
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
            objective=NRAMLoss(entropy_bonus_range=(1e-3, 1.0), per_cell=False),
            gradient_noise=0.3**0.5,
            search=Search(learning_rate=(1e-4, 1e-2)),
            solved=SolvedConfig(sequences=128, bits=None),
            phases=(Exam(),),
            validate_every=100 * BATCH,
            checkpoint_every=500 * BATCH,
        ),
    )


def paper_nram_access() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: access."""
    return _experiment("paper-nram-access", Access(), largest=20, rounds=1)


def paper_nram_increment() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: increment."""
    return _experiment("paper-nram-increment", Increment(), largest=15, rounds=1)


def paper_nram_copy() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: copy."""
    return _experiment("paper-nram-copy", MemoryCopy(), largest=15, rounds=1)


def paper_nram_reverse() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: reverse."""
    return _experiment("paper-nram-reverse", Reverse(), largest=15, rounds=1)


def paper_nram_swap() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: swap."""
    return _experiment("paper-nram-swap", Swap(), largest=20, rounds=2)


def paper_nram_permutation() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: permutation."""
    return _experiment("paper-nram-permutation", Permutation(), largest=6, rounds=2)


def paper_nram_list_k() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: list-k."""
    return _experiment("paper-nram-list-k", ListK(), largest=10, rounds=2)


def paper_nram_list_search() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: list-search."""
    return _experiment("paper-nram-list-search", ListSearch(), largest=6, rounds=2)


def paper_nram_merge() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: merge."""
    return _experiment("paper-nram-merge", Merge(), largest=10, rounds=2)


def paper_nram_walk_bst() -> Experiment:
    """NRAM as in the paper of Kurach et al. 2016: walk-bst."""
    return _experiment("paper-nram-walk-bst", WalkBST(), largest=10, rounds=2)
