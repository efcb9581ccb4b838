"""The docs site: every page is in its navigation, every link of the texts leads somewhere.

``make docs`` builds it, strictly; what is here needs no site.
"""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, *sorted(ROOT.glob("*.md")), ROOT / "benchmarks" / "README.md"]
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
RELEASING = (DOCS / "releasing.md").read_text()
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


NAMING = [
    "mkdocs.yml",
    "CITATION.cff",
    ".github/ISSUE_TEMPLATE/config.yml",
    "docs/viewer.md",
    "docs/releasing.md",
    "softmachine/experiments/papers.py",
]
"""Files that name the repository's address."""


def homes(text):
    """Return the homes of this project that a text names, by address or by site."""
    name = re.escape(HOME.rpartition("/")[2])
    found = re.findall(rf"github\.com/[\w-]+/(?:{name}|softmachine)\b", text)
    pages = re.findall(r"([\w-]+)\.github\.io/([\w-]+)", text)
    return {*found, *(f"github.com/{owner}/{name}" for owner, name in pages)}


@pytest.mark.parametrize("name", sorted({*NAMING, *(str(x.relative_to(ROOT)) for x in TEXTS)}))
def test_there_is_one_home(name):
    """pyproject.toml has the repository's address; whatever else names it names the same."""
    found = homes((ROOT / name).read_text())
    assert found or name not in NAMING
    assert found <= {HOME.removeprefix("https://")}


def test_the_command_that_changes_the_home_changes_all_of_it(tmp_path):
    """That of docs/releasing.md, on copies."""
    block = re.search(r"^```bash\nhome=.*?^```$", RELEASING, re.MULTILINE | re.DOTALL)[0]
    command = "\n".join(block.splitlines()[1:-1]).replace("OWNER/NAME", "some-one/machines")
    for name in ["pyproject.toml", *NAMING]:
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    git = ["git", "-c", "safe.directory=*"]
    subprocess.run([*git, "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run([*git, "add", "."], cwd=tmp_path, check=True)
    subprocess.run(["bash", "-euc", command], cwd=tmp_path, check=True)
    for name in NAMING:
        text = (tmp_path / name).read_text().partition("\n## Its address")[0]
        assert "softmachine-jax" not in text
        assert "github.com/some-one/machines" in text
    urls = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Repository"] == "https://github.com/some-one/machines"
    assert urls["Documentation"] == "https://some-one.github.io/machines/"
    assert (
        "site_url: https://some-one.github.io/machines/"
        in (tmp_path / "mkdocs.yml").read_text()
    )
