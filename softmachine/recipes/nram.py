"""Recipes of the Neural Random-Access Machine: the ten tasks of its paper.

All have its feed-forward controller; the four easy tasks have a recipe with an LSTM, too.
They are trained as populations. A member that does not learn restarts with fresh parameters. A
member is solved once it makes no mistake in the exam with sizes up to 50, soft and hard.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from softmachine.experiments.curricula import Curriculum, Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.phases import Phase
from softmachine.experiments.settings import Search
from softmachine.machines.nram.controller import NRAMControllerConfig
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.nram.soft_gates import SoftGateNRAMConfig
from softmachine.tasks.memories.arrays import Access, Increment, MemoryCopy, Reverse
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.merge import Merge
from softmachine.tasks.memories.permutations import Permutation, Swap
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.memory import MemoryTask
from softmachine.training.exam import Exam
from softmachine.training.nram.cooling import Cooling
from softmachine.training.nram.objective import NRAMLoss
from softmachine.training.nram.wire_search import WireSearch
from softmachine.training.phases import Restart

BATCH = 32
"""Sequences per update."""
STEP_GATES = (
    *("ZERO", "ONE", "TWO", "INC", "DEC"),
    *("READ", "READ"),
    *("LESS-THAN", "LESS-OR-EQUAL-THAN", "EQUALITY-TEST", "MIN", "MAX"),
    *("INC", "DEC", "ADD", "ADD", "SUB"),
    "WRITE",
)
"""The paper's fourteen gates, some of them repeated, in the order in which a processor works:
address arithmetic, loads, comparisons, arithmetic, a store.

In one step a machine can then follow a pointer that it has just read, and use the result of a
comparison. Two rounds of the paper's order allow that too, with more gates and with two WRITEs,
of which the unused one must do no harm."""
EASY_BONUS = (0.01, 0.2)
"""The range of the entropy bonus, for tasks that most members learn."""
DEEP_BONUS = (1e-3, 1.5e-2)
"""The range for tasks in which several choices have to be right before the error falls: there a
large entropy bonus would keep all of them undecided."""

WIRES = WireSearch(updates=100, error=1.0, tables=4_000_000)
"""The search over hard wires for tasks that gradients alone rarely solve."""


def nram_access() -> Experiment:
    """NRAM: output the value a pointer points to."""
    return _experiment("nram-access", Access(), Uniform(smallest=1, largest=6))


def nram_increment() -> Experiment:
    """NRAM: add 1 to every value of an array."""
    return _experiment("nram-increment", Increment(), Uniform(smallest=1, largest=6))


def nram_copy() -> Experiment:
    """NRAM: copy an array to a given address."""
    return _experiment("nram-copy", MemoryCopy(), Uniform(smallest=1, largest=6))


def nram_reverse() -> Experiment:
    """NRAM: copy an array in reverse order."""
    return _experiment("nram-reverse", Reverse(), Uniform(smallest=1, largest=6))


def nram_lstm_access() -> Experiment:
    """NRAM with an LSTM: output the value a pointer points to."""
    return _recurrent("nram-lstm-access", Access())


def nram_lstm_increment() -> Experiment:
    """NRAM with an LSTM: add 1 to every value of an array."""
    return _recurrent("nram-lstm-increment", Increment())


def nram_lstm_copy() -> Experiment:
    """NRAM with an LSTM: copy an array to a given address."""
    return _recurrent("nram-lstm-copy", MemoryCopy())


def nram_lstm_reverse() -> Experiment:
    """NRAM with an LSTM: copy an array in reverse order."""
    return _recurrent("nram-lstm-reverse", Reverse())


def nram_swap() -> Experiment:
    """NRAM: swap two values of an array."""
    return _deep("nram-swap", Swap(most_steps=4), Uniform(smallest=2, largest=6))


def nram_permutation() -> Experiment:
    """NRAM: apply a permutation to an array."""
    return _deep("nram-permutation", Permutation(), Uniform(smallest=2, largest=6))


def nram_list_k() -> Experiment:
    """NRAM: output the k-th value of a linked list."""
    return _deep("nram-list-k", ListK(), Uniform(smallest=1, largest=6))


def nram_list_search() -> Experiment:
    """NRAM: find the first node of a linked list that holds a value."""
    return _deep("nram-list-search", ListSearch(), Uniform(smallest=1, largest=5))


def nram_merge() -> Experiment:
    """NRAM: merge two sorted arrays."""
    return _deep(
        "nram-merge",
        Merge(steps_per_item=1),
        Uniform(smallest=3, largest=8),
        WireSearch(updates=100, error=1.0, tables=8_000_000, hot=(0.004, 0.009)),
    )


def nram_walk_bst() -> Experiment:
    """NRAM: follow directions through a binary search tree."""
    return _deep("nram-walk-bst", WalkBST(steps_per_item=2), Uniform(smallest=1, largest=6))


def nram_noise() -> Experiment:
    """NRAM: the effect of gradient noise on copy; 0 with --training.gradient-noise 0."""
    return _experiment("nram-noise", MemoryCopy(), Uniform(smallest=1, largest=6), phases=())


def nram_soft_gates_access() -> Experiment:
    """NRAM that chooses its gates: output the value a pointer points to."""
    return _soft_gates("nram-soft-gates-access", nram_access())


def nram_soft_gates_increment() -> Experiment:
    """NRAM that chooses its gates: add 1 to every value of an array."""
    return _soft_gates("nram-soft-gates-increment", nram_increment())


def nram_soft_gates_copy() -> Experiment:
    """NRAM that chooses its gates: copy an array to a given address."""
    return _soft_gates("nram-soft-gates-copy", nram_copy())


def nram_soft_gates_reverse() -> Experiment:
    """NRAM that chooses its gates: copy an array in reverse order."""
    return _soft_gates("nram-soft-gates-reverse", nram_reverse())


def _soft_gates(name: str, plain: Experiment) -> Experiment:
    """Return an NRAM's experiment with four slots whose gates are chosen, softly at first.

    Everything else is left as it is, so that the two can be held against each other.
    """
    phases = (*plain.training.phases, Cooling())
    return dataclasses.replace(
        plain,
        recipe=name,
        machine=SoftGateNRAMConfig(registers=4, slots=4),
        training=dataclasses.replace(plain.training, phases=phases),
    )


def _recurrent(name: str, task: MemoryTask) -> Experiment:
    """Return an experiment with an LSTM, whose logits have to be driven harder.

    In the first step its outputs are a fifth as large as those of the feed-forward controller
    (root mean squares 0.04 and 0.19), so that an update of the same rate moves a logit by a
    fraction as much. At rates some five times as large it is clear within a few hundred updates
    whether an attempt will do.
    """
    return _experiment(
        name,
        task,
        Uniform(smallest=1, largest=6),
        bonus=(0.015, 0.05),
        search=Search(learning_rate=(1e-2, 3.5e-2)),
        phases=(Restart(rules=((100, 0.8), (200, 0.1))),),
        controller=NRAMControllerConfig(kind="lstm"),
    )


def _deep(
    name: str,
    task: MemoryTask,
    curriculum: Curriculum,
    wire_search: WireSearch = WIRES,
) -> Experiment:
    """Return an experiment with a search over hard wires, and with `STEP_GATES`."""
    return _experiment(
        name,
        task,
        curriculum,
        bonus=DEEP_BONUS,
        search=Search(learning_rate=(1e-3, 6e-3), gradient_noise=(1e-4, 1e-2)),
        updates=6_000,
        phases=(wire_search, Restart(rules=((300, 0.3), (600, 0.1)))),
        registers=4,
        gates=STEP_GATES,
    )


def _experiment(
    name: str,
    task: MemoryTask,
    curriculum: Curriculum,
    *,
    bonus: tuple[float, float] = EASY_BONUS,
    search: Search = Search(),
    updates: int = 1_500,
    phases: tuple[Phase, ...] = (Restart(rules=((500, 0.3),)),),
    **machine: Any,
) -> Experiment:
    return Experiment(
        recipe=name,
        task=task,
        machine=NRAMConfig(**machine),
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=updates * BATCH,
            optimizer=OptimizerConfig(learning_rate=3e-3, clip_norm=1.0),
            curriculum=curriculum,
            objective=NRAMLoss(
                entropy_bonus_range=bonus, entropy_decay=0.998, late_entropy_penalty=0.01
            ),
            gradient_noise=0.005,
            search=search,
            solved=SolvedConfig(sequences=128, bits=None),
            phases=(Exam(), *phases),
            validate_every=100 * BATCH,
            checkpoint_every=500 * BATCH,
        ),
    )
