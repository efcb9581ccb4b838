"""The page of `benchmarks/synthesis.py`, from results that were made up."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "synthesis_page.py"


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("synthesis_page", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.page


def line(problem, kind, *, solved=True, seed=0, mode="search", executions=1_000, **more):
    found = {"lines": 5, "wrong": None} if solved else {}
    return {
        "problem": problem, "kind": kind, "seed": seed, "mode": mode, "solved": solved,
        "seconds": 3.0, "cpu_seconds": 2.0, "tried": 100, "executions": executions,
        "load": 0.5, "examples": None, "cpu_minutes": 10.0, "date": "2026-11-30", "cores": 1,
        **found, **more,
    }  # fmt: skip


def row(text, name):
    """Return the cells of the first row that begins with a name."""
    found = next(x for x in text.splitlines() if x.startswith(f"| {name} |"))
    return [cell.strip() for cell in found.split("|")[2:-1]]


def test_classes_count_problems_and_runs(page):
    results = [
        line("sum", "fold", seed=0),
        line("sum", "fold", seed=1, solved=False),
        line("length", "fold", seed=0, cpu_seconds=8.0),
        line("length", "fold", seed=1, wrong="size 50", solved=False),
        line("double", "map", seed=0, came_back=True),
        line("double", "map", seed=1, came_back=False),
    ]
    text = page(results, {}, None)
    assert row(text, "fold")[:3] == ["0 of 2", "2", "2 of 4"]
    assert row(text, "map")[:3] == ["1 of 1", "1", "2 of 2"]
    assert row(text, "all")[:3] == ["1 of 3", "3", "4 of 6"]
    assert row(text, "fold")[4] == "5"  # the median of 2 and 8 CPU seconds
    assert row(text, "sum")[-1] == "seed 1: none found"
    assert row(text, "length")[-1] == "seed 1: wrong at size 50"
    assert "1 of 2 programs were the same" in text
    assert "Seeds 0, 1, on one core." in text
    assert "Few examples" not in text
    assert "equal executions" not in text


def test_few_examples_are_of_the_mode_that_was_run_most(page):
    results = [
        line("sum", "fold"),
        line("sum", "fold", examples=5, solved=False),
        line("sum", "fold", mode="both"),
        line("sum", "fold", mode="machines"),
    ]
    text = page(results, {}, None)
    assert "## Few examples" in text
    assert row(text[text.index("## Few examples") :], "sum") == ["none found", "solved"]


def test_modes_are_compared_where_both_were_run(page):
    results = [
        line("sum", "fold", executions=90_000),
        line("sort", "nested", executions=900_000),
        line("double", "map"),
        line("sum", "fold", mode="machines", executions=2_000_000),
        line("sort", "nested", mode="machines", solved=False, executions=5_000_000),
    ]
    text = page(results, {}, None)
    assert "Of 2 runs (sort, sum)" in text
    assert row(text, "search alone")[:6] == ["1", "2", "2", "2", "2", "990,000"]
    assert row(text, "machines alone")[:6] == ["0", "0", "1", "1", "1", "7,000,000"]


def test_published_rates_are_quoted(page):
    told = "LambdaBeam map:length: enumeration 5/5, lambda2 0/1, RobustFill 4/5, LambdaBeam 5/5"
    problems = {"length": SimpleNamespace(published=told), "sum": SimpleNamespace(published="")}
    text = page([line("length", "fold"), line("sum", "fold")], problems, None)
    part = text[text.index("## Beside published systems") :]
    cells = row(part, "length")
    assert cells == ["LambdaBeam map:length", "1/1", "5/5", "0/1", "4/5", "5/5"]
    assert row(part, "solved every time")[1:] == ["1", "1", "0", "0", "1"]
    assert "| sum |" not in part
    few = [
        line("length", "fold", examples=5),
        line("length", "fold", examples=5, seed=1, solved=False),
        line("length", "fold", examples=20),
    ]
    text = page([line("length", "fold"), *few], problems, None)
    part = text[text.index("## Beside published systems") :]
    assert row(part, "problem")[1:3] == ["here", "here, 5 examples"]
    assert row(part, "length")[1:3] == ["1/1", "1/2"]
    assert row(part, "solved every time")[1:4] == ["1", "0", "1"]


def test_few_examples(page, tmp_path):
    results = [
        line("sum", "fold"),
        line("sum", "fold", seed=1),
        line("sum", "fold", examples=5, solved=False),
        line("double", "map"),
        line("double", "map", examples=5),
    ]
    figure = tmp_path / "curves.png"
    text = page(results, {}, figure)
    part = text[text.index("## Few examples") :]
    assert row(part, "class") == ["5 examples", "900 examples"]
    assert row(part, "fold") == ["0 of 1", "1 of 1"]  # the seed that has both
    assert row(part, "all") == ["1 of 2", "2 of 2"]
    assert row(part, "sum") == ["none found", "solved"]
    assert figure.stat().st_size > 1_000


def test_results_of_few_examples_alone(page):
    text = page([line("sum", "fold", examples=5)], {}, None)
    assert row(text[text.index("## Few examples") :], "fold") == ["1 of 1"]
    assert "All examples" not in text


def test_a_page_keeps_what_stands_above_its_mark(page, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(PATH.parent)  # as for a script
    synthesis = importlib.import_module("synthesis")
    path, written = tmp_path / "page.md", page([line("sum", "fold")], {}, None)
    synthesis.write(path, written)
    assert path.read_text() == written
    path.write_text(f"# Mine\n\n{synthesis.MARK}\nearlier tables")
    for _ in range(2):
        synthesis.write(path, written)
        text = path.read_text()
        assert text.startswith(f"# Mine\n\n{synthesis.MARK}\n\n## All examples, search alone")
        assert "earlier" not in text
        assert written.endswith(text[text.index("## All") :])
