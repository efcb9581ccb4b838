"""Tests of trained machines published in papers, with the figures that the papers report.

Sources: Graves, Wayne and Danihelka 2014 (arXiv 1410.5401), section 4; its costs are
cross-entropies in bits per sequence, almost all of them read off curves. Kurach, Andrychowicz
and Sutskever 2016 (arXiv 1511.06392), Table 1: the error at the largest size trained on, and
verdicts in words.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

NTM_KINDS = ("ntm-lstm", "ntm-ff", "lstm")
"""The machines that the NTM paper compares: two controllers of an NTM, and an LSTM."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """One number from a paper."""

    value: float
    """In the metric of its test."""
    approximate: bool = True
    """Whether the number was read off a curve."""
    source: str
    """Where in the paper the number stands."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperTest:
    """One of a paper's tests of a trained machine."""

    name: str
    task: Any
    """The task with the settings of the test."""
    size: int
    """The size of the test examples."""
    metric: str = "bits"
    """The metric that the paper reports: by default cross-entropy in bits per sequence."""
    published: Mapping[str, PaperFigure | None]
    """The paper's figure for each kind of machine; None where the paper has none, or where the
    task differs from the paper's."""
    finding: str = ""
    """What the paper says of the outcome in words."""
    together: str = ""
    """What tests that differ in nothing but their metric are called together."""


def figures(source: str = "", *bits: float) -> dict[str, PaperFigure | None]:
    """Return approximate figures for all `NTM_KINDS`, in that order.

    Without numbers, None for each of them.
    """
    if not bits:
        return dict.fromkeys(NTM_KINDS)
    found = [PaperFigure(value=number, source=source) for number in bits]
    return dict(zip(NTM_KINDS, found, strict=True))


def as_published(task: Any, tests: list[PaperTest]) -> list[PaperTest]:
    """Return the tests; without figures if the task's settings differ from the paper's."""
    if task == type(task)():
        return tests
    return [dataclasses.replace(test, published=figures()) for test in tests]


def table_1_tests(
    task: Any, trained: int, error: str, generalization: str, hard: str
) -> list[PaperTest]:
    """Return the tests of a memory task, from its row in Table 1 of the NRAM paper.

    Arguments:
        task: the task.
        trained: the largest size that the paper trained on.
        error: the error at that size, as printed.
        generalization: the verdict on larger sizes.
        hard: the verdict on the machine with every softmax replaced by its argmax.
    """
    finding = (
        f"error {error}; generalisation {generalization}; made hard: {hard} "
        f"(Table 1; perfect means no error up to size 50)"
    )
    return [
        PaperTest(
            name=f"size {size}",
            task=task,
            size=size,
            published=figures(),
            finding=finding if size == trained else "",
        )
        for size in sorted({trained, 20, 50})
    ]
