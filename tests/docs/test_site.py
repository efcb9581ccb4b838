"""The docs site: every page is in its navigation, every link of the texts leads somewhere.

``make docs`` builds it, strictly; what is here needs no site.
"""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, *sorted(ROOT.glob("*.md")), ROOT / "benchmarks" / "README.md"]
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
HOME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]


def in_navigation():
    """Return the files that mkdocs.yml names."""
    navigation = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    return re.findall(r"[\w/-]+\.md", navigation)


def slugs(path):
    """Return the anchors of a text's headings, as the site and code hosts make them."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", head).strip().lower() for head in heads)
    return {re.sub(r"\s", "-", head) for head in plain}


def test_navigation_has_every_page_once():
    assert sorted(in_navigation()) == [str(path.relative_to(DOCS)) for path in PAGES]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = FENCE.sub("", path.read_text())
    for target in LINK.findall(text):
        if target.startswith(f"{HOME}/blob/main/"):
            target = f"/{target.removeprefix(f'{HOME}/blob/main/')}"
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        base = ROOT / name[1:] if name.startswith("/") else path.parent / name
        found = base if name else path
        assert found.exists(), f"{path}: {target}"
        assert not anchor or anchor in slugs(found), f"{path}: {target}"


def test_pages_link_within_the_site_or_to_the_repository():
    """Not out of docs/ by a relative path: the site does not have what is there."""
    out = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in PAGES
        for target in LINK.findall(FENCE.sub("", path.read_text()))
        if not re.match(r"[a-z]+:|#", target)
        and not (path.parent / target.partition("#")[0]).resolve().is_relative_to(DOCS)
    ]
    assert out == []


def test_each_row_of_the_table_names_tests_that_exist():
    lines = (DOCS / "table.md").read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| ")][1:]
    assert len(rows) > 10
    for _, _, tests in rows:
        named = re.findall(r"`([^`]+)`", tests)
        assert named
        assert all((ROOT / name).exists() for name in named), tests


@pytest.mark.parametrize(
    "name",
    [
        "mkdocs.yml",
        "CITATION.cff",
        ".github/ISSUE_TEMPLATE/config.yml",
        "docs/viewer.md",
        "docs/releasing.md",
        "softmachine/experiments/papers.py",
    ],
)
def test_there_is_one_home(name):
    """pyproject.toml has the repository's address; whatever else names it names the same."""
    found = re.findall(r"https://github\.com/[\w-]+/softmachine\b", (ROOT / name).read_text())
    assert found
    assert set(found) == {HOME}
