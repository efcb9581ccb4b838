"""What a release says of itself: versions, links, files that people look for."""

import re
import tomllib
from pathlib import Path

import softmachine

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HOOK = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]


def readme_outside():
    """Return the README as the wheel has it: the hook's substitutions, in their order."""
    (fragment,) = HOOK["fragments"]
    text = (ROOT / fragment["path"]).read_text()
    for one in HOOK["substitutions"]:
        replacement = one["replacement"].replace("$HFPR_VERSION", softmachine.__version__)
        text = re.sub(one["pattern"], replacement, text)
    return text


def test_the_readme_has_whole_addresses_outside_of_the_repository():
    text = readme_outside()
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 10
    assert all(re.match(r"https://|#", target) for target in targets)
    home = PROJECT["project"]["urls"]["Repository"].removeprefix("https://github.com")
    home = f"{home}/v{softmachine.__version__}/docs/images/"
    images = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert images
    for image in images:
        assert image.startswith(f"https://raw.githubusercontent.com{home}")
        assert (ROOT / image.partition(f"v{softmachine.__version__}/")[2]).exists()


def test_all_addresses_are_of_one_home():
    urls = PROJECT["project"]["urls"]
    home = urls["Repository"].removeprefix("https://github.com/")
    owner, name = home.split("/")
    assert urls["Documentation"] == f"https://{owner}.github.io/{name}/"
    assert urls["Issues"] == f"https://github.com/{home}/issues"
    for one in HOOK["substitutions"]:
        assert f"/{home}/" in one["replacement"]


def test_the_version_is_one():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == softmachine.__version__


def test_pythons_are_those_that_are_tried():
    """In the metadata, and in the workflow that tries the wheel."""
    named = {
        found[1]
        for one in PROJECT["project"]["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one))
    }
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert set(re.findall(r'"(3\.\d+)"', workflow)) == named
    assert f">={min(named)}" == PROJECT["project"]["requires-python"]
    oldest = re.search(r'jax: "(\d+\.\d+)\.0"', workflow)[1]
    assert f"jax>={oldest}" in PROJECT["project"]["dependencies"]


def test_the_demo_of_the_container_is_that_of_the_makefile():
    """The same commands, one after another, but for where the run goes."""
    pattern = r"softmachine (\w+[^\n;\"]*)"
    made = (ROOT / "Makefile").read_text().split("\ndemo:")[1].split("@echo\n")[0]
    contained = (ROOT / "Dockerfile").read_text().split("\nCMD ")[1].replace("/runs", "runs")
    commands = [x.replace("$(DEMO)", "runs/demo").strip() for x in re.findall(pattern, made)]
    assert [x.strip() for x in re.findall(pattern, contained)] == commands
    assert len(commands) == 4
