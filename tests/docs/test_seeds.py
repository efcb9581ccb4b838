"""The list of what the seed texts say names files, names in them, tests, pages that exist."""

import re
from pathlib import Path

from softmachine.recipes import RECIPES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "seeds.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| what it says")
]
"""What a text says, where that is, the tests, the result."""


def source(place):
    """The code of a file of the package, or of all files of a folder."""
    path = ROOT / "softmachine" / place
    assert path.exists(), place
    return "".join(x.read_text() for x in ([path] if path.is_file() else path.rglob("*.py")))


def test_every_row_names_code_and_a_test():
    assert len(ROWS) > 30
    for row in ROWS:
        if "not built" in row[1]:
            continue
        assert re.search(r"`[\w/]+(\.py|/)`", row[1]), row
        assert "::" in row[2], row


def test_every_file_and_name_exists():
    """A name stands in one of the files of its row, or is a recipe or the beginning of some."""
    for _, where, *_ in ROWS:
        found = re.findall(r"`([^`]+)`", where)
        places = [x for x in found if "/" in x]
        code = "".join(map(source, places))
        for name in (x for x in found if "/" not in x):
            if any(x.startswith(name.removesuffix("...")) for x in RECIPES):
                continue
            for part in name.partition("=")[0].split("."):
                assert re.search(rf"\b{part}\b", code), (name, places)


def test_every_test_exists():
    named = re.findall(r"`(\S+\.py)::(\w+)`", TEXT)
    assert len(named) > 20
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(), (file, test)


def test_every_page_and_recipe_of_the_results_exists():
    for page in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (ROOT / "docs" / page).exists(), page
    for row in ROWS:
        for name in re.findall(r"`((?:ntm|nram|mann|lstm)-[\w-]+)`", row[-1]):
            assert name in RECIPES, name
