"""Figures in the texts are those of the results that they come from."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKS = (ROOT / "docs" / "what-works.md").read_text()
RESULTS = (ROOT / "docs" / "results.md").read_text()


def rows(text: str, start: str) -> list[list[str]]:
    """Return the cells of the lines of tables that begin so."""
    return [x.strip("| ").split(" | ") for x in text.splitlines() if re.match(start, x)]


def result(name: str) -> dict:
    return json.loads((ROOT / "benchmarks" / f"{name}-result.json").read_text())


def test_speeds_beside_pytorch():
    contenders = ("softmachine", "torch-compiled", "torch", "pytorch-ntm")
    speeds = {
        (x["workload"]["batch"], x["workload"]["contender"]): x["sequences_per_second"]
        for x in result("throughput")["comparison"]
    }
    table = rows(WORKS.partition("\n## Speed\n")[2], r"\| \d+ \|")
    assert len(table) == 4
    for batch, ours, *others in table:
        first, *rest = (speeds[int(batch), name] for name in contenders)
        assert ours == f"{first:,.0f}"
        for cell, speed in zip(others, rest, strict=True):
            ratio = first / speed
            said = f"{speed:.0f} ({ratio:.1f}" if ratio < 10 else f"{speed:.0f} ({ratio:.0f}"
            assert re.sub(r" x.*", "", cell) == said, (batch, cell)
    assert f"population cost {result('population')['ratio_of_medians']:.1f} times" in WORKS


def test_shares_of_the_limit():
    text = (ROOT / "benchmarks" / "README.md").read_text()
    told = [cells[-1] for cells in rows(text, r"\|.*\((operations|bandwidth)\)")]
    found = [f"{100 * row['share of the limit']:.0f} %" for row in result("roofline")["rows"]]
    assert told == found


def test_solved_seeds_of_ntms_and_the_worst_that_copies():
    counts = {
        re.sub(r"\[(.*)\].*", r"\1", cells[0]): (cells[1], cells[3].split(" ")[0])
        for cells in rows(RESULTS, r"\| \[ntm-")
    }
    told = [cells for cells in rows(WORKS, r"\| `ntm-") if " of " in cells[1]]
    assert len(told) == 7
    for recipe, solved, sequences, _ in told:
        assert counts[recipe.split("`")[1]] == (solved, sequences)
    for name in ("ntm-copy", "ntm-ff-copy"):
        section = RESULTS.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        worst = max(float(cells[-1]) for cells in rows(section, r"\| \d+ \|"))
        [row] = rows(WORKS, rf"\| `{name}` ")
        assert f"{worst:.0f} in the worst" in row[-1]


def test_how_much_of_the_chomsky_hierarchy_has_been_run():
    cells = json.loads((ROOT / "docs" / "chomsky.json").read_text())["cells"]
    run = sum(bool(cell["tried"]) for cell in cells)
    assert f"{run} of {len(cells)} cells\nhave been run" in WORKS
    which = (ROOT / "docs" / "which-machine.md").read_text()
    assert f"{run} of its {len(cells)} cells have been run" in which
