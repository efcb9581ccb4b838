"""The accuracies that Santoro et al. 2016 report, by instance, and the tests that give ours."""

from __future__ import annotations

import dataclasses
from typing import Any

from softmachine.tasks.one_shot.omniglot import Omniglot
from softmachine.tasks.published import PaperFigure, PaperTest

INSTANCES = (1, 2, 3, 4, 5, 10)
PERCENT: dict[tuple[str, int], dict[str, tuple[float, ...]]] = {
    ("one-hot", 5): {
        "ff": (24.4, 19.6, 21.1, 19.9, 22.8, 19.5),
        "lstm": (24.4, 49.5, 55.3, 61.0, 63.6, 62.5),
        "mann-lstm": (36.4, 82.8, 91.0, 92.6, 94.9, 98.1),
    },
    ("words", 5): {
        "ff": (0.0, 0.2, 0.0, 0.2, 0.0, 0.0),
        "lstm": (0.0, 9.0, 14.2, 16.9, 21.8, 25.5),
        "mann-ff": (0.0, 8.0, 16.2, 25.2, 30.9, 46.8),
        "mann-lstm": (0.0, 69.5, 80.4, 87.9, 88.4, 93.1),
    },
    ("words", 15): {
        "ff": (0.0, 0.1, 0.0, 0.0, 0.0, 0.0),
        "lstm": (0.0, 2.2, 2.9, 4.3, 5.6, 12.7),
        "mann-ff": (0.1, 12.8, 22.3, 28.8, 32.2, 43.4),
        "mann-lstm": (0.1, 62.6, 79.3, 86.6, 88.7, 95.3),
        "ntm-lstm": (0.0, 35.4, 61.2, 71.7, 77.7, 88.4),
    },
}
"""Accuracy at `INSTANCES`, by labels and number of classes, of each kind of machine."""
SOURCE = {"one-hot": "Table 1", "words": "Table 2"}


def santoro_tests(task: Any) -> list[PaperTest]:
    """Return tests of `Episodes` by instance: on images turned and moved, then as drawn.

    Figures stand beside the former, where the rest is as in the paper: its characters, ten
    images per class in the mean, the class of each drawn anew.
    """
    sizes = (5,) if task.labels == "one-hot" else (5, 15)
    tests, source = [], SOURCE[task.labels]
    for size in (size for size in sizes if size <= task.largest):
        for augmented in (True, False):
            asked = dataclasses.replace(task, augment_tests=augmented).held_out()
            figures = _figures(task, size) if augmented else {}
            how = "" if augmented else ", images as drawn"
            for place, number in enumerate(INSTANCES):
                published = {
                    kind: PaperFigure(value=row[place] / 100, approximate=False, source=source)
                    for kind, row in figures.items()
                }
                test = PaperTest(
                    name=f"{size} classes, instance {number}{how}",
                    task=asked,
                    size=size,
                    metric=f"instance_{number}",
                    published=published,
                    together=f"{size} classes{how}",
                )
                tests.append(test)
    return tests


def _figures(task: Any, size: int) -> dict[str, tuple[float, ...]]:
    """Return the paper's percentages; none if it does not ask what the paper asks."""
    usual = type(task)()
    asked = ("side", "per_class", "exact", "turn", "shift", "aligned", "within_group")
    asked = (*asked, "in_a_row", *(["names"] if task.labels == "one-hot" else []))
    same = all(getattr(task, name) == getattr(usual, name) for name in asked)
    omniglot = isinstance(task.source, Omniglot) and task.source.split == "santoro"
    return PERCENT[task.labels, size] if same and omniglot else {}
