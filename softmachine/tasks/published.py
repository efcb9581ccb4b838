"""Published tests of machines: what a paper tested, and what came out.

Sources: Graves, Wayne and Danihelka 2014 (arXiv 1410.5401), section 4; its costs are
cross-entropies in bits per sequence, almost all given as curves only. Kurach, Andrychowicz and
Sutskever 2016 (arXiv 1511.06392), Table 1: an error at the largest size trained on, and words.
"""

from __future__ import annotations

import dataclasses
from typing import Any

NTM_KINDS = ("ntm-lstm", "ntm-ff", "lstm")
"""The machines that the NTM paper compares."""


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
    """One of a paper's tests of a trained machine."""

    name: str
    task: Any
    """The task as it is tested."""
    size: int
    published: dict[str, PaperFigure | None]
    """For each kind of machine the paper's figure, or None where it has none, or where the task
    is not as in the paper."""
    finding: str = ""
    """What the paper says of it in words."""


def figures(source: str = "", *bits: float) -> dict[str, PaperFigure | None]:
    """Return approximate figures of all `NTM_KINDS`, in that order; none for no numbers."""
    if not bits:
        return dict.fromkeys(NTM_KINDS)
    found = [PaperFigure(bits=number, source=source) for number in bits]
    return dict(zip(NTM_KINDS, found, strict=True))


def as_published(task: Any, tests: list[PaperTest]) -> list[PaperTest]:
    """Return the tests, without figures if the task is not as in the paper: its defaults."""
    if task == type(task)():
        return tests
    return [dataclasses.replace(test, published=figures()) for test in tests]


def table_1_tests(
    task: Any, trained: int, error: str, generalization: str, hard: str
) -> list[PaperTest]:
    """Return the tests of a memory task by its row in the NRAM paper's Table 1."""
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
