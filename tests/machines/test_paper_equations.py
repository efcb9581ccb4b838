"""docs/architecture.md says where the equations of the seed papers stand; they stand there."""

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
ROW = re.compile(
    r"^\| (NTM|NRAM) Eq\. (\d+) \| [^|]* \| `([\w/.]+)\.py` \| `([\w.]+)` \|$", re.M
)
FOUND = ROW.findall(PAGE.read_text())


def test_every_numbered_equation_is_named():
    numbers = {paper: [int(n) for p, n, *_ in FOUND if p == paper] for paper in ("NTM", "NRAM")}
    assert numbers == {"NTM": list(range(1, 11)), "NRAM": [1, 2, 3, 4]}


@pytest.mark.parametrize(("paper", "number", "file", "name"), FOUND)
def test_equations_stand_in_the_docstrings_that_are_named(paper, number, file, name):
    del paper
    place = importlib.import_module("softmachine." + file.replace("/", "."))
    for part in name.split("."):
        place = getattr(place, part)
    assert re.search(rf"Eq\. {number}\b", place.__doc__)
