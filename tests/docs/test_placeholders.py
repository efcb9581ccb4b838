"""No page has a gap that somebody meant to fill, or the marks of a merge."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
GAP = re.compile(r"@@|^(<{7}|={7}|>{7})( |$)|\b(TODO|TBD|FIXME|XXX)\b", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_left_to_be_filled_in(page):
    found = GAP.search(page.read_text(encoding="utf-8"))
    assert found is None, f"{page.name}: {found and found[0]!r}"
