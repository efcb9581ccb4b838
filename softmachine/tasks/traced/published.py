"""Published tests of programmer-interpreters: whole problems of a size, run to their ends.

Sources: Cai, Shin & Song 2017 (arXiv 1704.06611), Tables 1 to 4, which compare programs with
loops and recursive ones, 30 random problems each; Reed & de Freitas 2016 (arXiv 1511.06279).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from softmachine.tasks.published import PaperFigure, PaperTest

RIGHT_RUNS = "right_runs"
"""The share of problems that a core solves when it is run on them."""
CAI = "Cai et al. 2017, section 4"
Percent = Mapping[str, Sequence[int | float]]
"""Percent right at each size, by the form of programs."""


def run_tests(task: Any, unit: str, sizes: Sequence[int], percent: Percent) -> list[PaperTest]:
    """Return a test of each size, with Cai et al.'s figure for the form of a task's programs.

    Arguments:
        task: the task, whose `form` counts.
        unit: what a size counts, such as numbers.
        sizes: the sizes.
        percent: the figures; a form without any has none.
    """
    figures = percent.get(task.form, ())
    published: list[PaperFigure | None] = [
        PaperFigure(value=value / 100, approximate=False, source=CAI) for value in figures
    ]
    return [
        PaperTest(
            name=f"{size:,} {unit}",
            task=task,
            size=size,
            metric=RIGHT_RUNS,
            published={"npi": figure},
        )
        for size, figure in zip(sizes, published or [None] * len(sizes), strict=True)
    ]
