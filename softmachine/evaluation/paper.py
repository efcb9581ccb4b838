"""The published tests of the NTM and NRAM papers: what was tested, and what came out.

Sources: Graves, Wayne and Danihelka 2014 (arXiv 1410.5401), section 4; its costs are
cross-entropies in bits per sequence, almost all given as curves only. Kurach, Andrychowicz and
Sutskever 2016 (arXiv 1511.06392), Table 1: an error at the largest size trained on, and words.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.tasks.sequences.priority_sort import PrioritySort
from softmachine.tasks.sequences.repeat_copy import RepeatCopy
from softmachine.tasks.task import Task

KINDS = ("ntm-lstm", "ntm-ff", "lstm")
"""The machines that the paper compares, as `machine_kind` names them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """One published number."""

    bits: float
    """Cross-entropy in bits per sequence."""
    approximate: bool = True
    """Read off a curve."""
    source: str
    """Where it stands in the paper."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperTest:
    """One of the paper's tests of a trained machine."""

    name: str
    task: Task
    size: int
    published: dict[str, PaperFigure | None]
    """For each of `KINDS` the paper's figure, or None where it has none, or where the task
    is not as in the paper."""
    finding: str = ""
    """What the paper says of it in words."""


def machine_kind(config: Any) -> str:
    """Return what the paper would call a machine: one of `KINDS`, ``ntm-gru``, ``gru``, ...

    >>> machine_kind(NTMConfig()), machine_kind(RecurrentConfig())
    ('ntm-lstm', 'lstm')
    """
    if not isinstance(config, NTMConfig | RecurrentConfig):
        return type(config).__name__.removesuffix("Config").lower()
    controller = config.controller.kind.replace("feedforward", "ff")
    return f"ntm-{controller}" if isinstance(config, NTMConfig) else controller


def paper_tests(task: Task) -> list[PaperTest]:
    """Return the paper's tests of a task, smallest first; of another task, none.

    The tests have the sizes of the paper and all else from ``task``, whose range of sizes
    or repeats in training does not matter.

    >>> [test.size for test in paper_tests(Copy())]
    [10, 20, 30, 50, 120]
    """
    match task:
        case Copy():
            tests = _copy(task)
        case RepeatCopy():
            tests = _repeat_copy(task)
        case AssociativeRecall():
            tests = _associative_recall(task)
        case NGrams():
            tests = _ngrams(task)
        case PrioritySort():
            tests = _priority_sort(task)
        case MemoryTask():
            return _memory(task)
        case _:
            return []
    if task == type(task)():
        return tests
    return [dataclasses.replace(test, published=_figures("")) for test in tests]


def _figures(source: str, *bits: float) -> dict[str, PaperFigure | None]:
    """Return approximate figures of all `KINDS`, in that order; none for no numbers."""
    if not bits:
        return dict.fromkeys(KINDS)
    figures = [PaperFigure(bits=number, source=source) for number in bits]
    return dict(zip(KINDS, figures, strict=True))


def _copy(task: Copy) -> list[PaperTest]:
    findings = {
        120: "NTM: a few local errors and one vector said twice (section 4.1); no number given"
    }
    return [
        PaperTest(
            name=f"length {size}",
            task=task,
            size=size,
            published=_figures(""),
            finding=findings.get(size, ""),
        )
        for size in (10, 20, 30, 50, 120)
    ]


def _repeat_copy(task: RepeatCopy) -> list[PaperTest]:
    findings = {
        (20, 10): "NTM: longer sequences are copied well (section 4.2); no number given",
        (10, 20): "NTM: goes on copying, but marks the end wrongly after the 11th repeat "
        "(section 4.2); no number given",
    }
    return [
        PaperTest(
            name=f"length {size}, {repeats} repeats",
            task=dataclasses.replace(task.held_out(), repeats=(repeats, repeats)),
            size=size,
            published=_figures(""),
            finding=findings.get((size, repeats), ""),
        )
        for size, repeats in ((10, 10), (20, 10), (10, 20))
    ]


def _associative_recall(task: AssociativeRecall) -> list[PaperTest]:
    published = {
        6: (0.0, 0.0, 2.0),
        10: (1.8, 0.0, 36.5),
        15: (4.8, 1.5, 40.0),
        20: (7.0, 8.0, 38.5),
    }
    findings = {15: "NTM with a feed-forward controller: below 1 bit (section 4.3, in words)"}
    return [
        PaperTest(
            name=f"{size} items",
            task=task,
            size=size,
            published=_figures("section 4.3, curve of generalisation", *bits),
            finding=findings.get(size, ""),
        )
        for size, bits in published.items()
    ]


def _ngrams(task: NGrams) -> list[PaperTest]:
    test = PaperTest(
        name="200 bits",
        task=task,
        size=200,
        published=_figures("section 4.4, end of the learning curves", 133.5, 134.0, 136.0),
        finding="the optimal predictor costs about 133 bits",
    )
    return [test]


def _priority_sort(task: PrioritySort) -> list[PaperTest]:
    test = PaperTest(
        name="16 of 20 vectors",
        task=dataclasses.replace(task, surplus=(4, 4)),
        size=16,
        published=_figures(
            "section 4.5, learning curves at a million sequences", 18.0, 20.0, 58.0
        ),
    )
    return [test]


NRAM_RESULTS = {
    "Access": (20, "0", "perfect", "perfect"),
    "Increment": (15, "0", "perfect", "perfect"),
    "MemoryCopy": (15, "0", "perfect", "perfect"),
    "Reverse": (15, "0", "perfect", "perfect"),
    "Swap": (20, "0", "perfect", "perfect"),
    "Permutation": (6, "0", "almost perfect", "perfect"),
    "ListK": (10, "0", "strong", "hurts performance"),
    "ListSearch": (6, "0", "weak", "hurts performance"),
    "Merge": (10, "1 %", "weak", "hurts performance"),
    "WalkBST": (10, "0.3 %", "strong", "hurts performance"),
}
"""The NRAM paper's Table 1: largest size trained on, error there, generalisation, and what
making the machine hard did."""


def _memory(task: MemoryTask) -> list[PaperTest]:
    if type(task).__name__ not in NRAM_RESULTS:  # examples of a person's own
        return []
    trained, error, generalization, discretization = NRAM_RESULTS[type(task).__name__]
    finding = (
        f"error {error}; generalisation {generalization}; made hard: {discretization} "
        f"(Table 1; perfect means no error up to size 50)"
    )
    return [
        PaperTest(
            name=f"size {size}",
            task=task,
            size=size,
            published=_figures(""),
            finding=finding if size == trained else "",
        )
        for size in sorted({trained, 20, 50})
    ]
