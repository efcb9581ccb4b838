"""The page of results that `synthesis.py` writes: tables by class and problem, and curves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib.pyplot as plt

Line = dict[str, Any]
EXECUTIONS = (100_000, 1_000_000, 10_000_000, 60_000_000)
"""Budgets of executions to compare at; the last is the field's for one problem."""
ALL_EXAMPLES = 900
"""About how many examples a file of all has."""
MODES = {
    "search": "search alone",
    "machines": "machines alone",
    "gradients": "gradients alone",
    "both": "search, then machines",
}
EARLY = {"cpu_minutes": 1e9, "examples": None, "date": "before dates were kept", "cores": 2}
"""What lines lack that were written before there was such a key."""


def page(lines: Sequence[Line], problems: dict[str, Any], figure: Path | None) -> str:
    """Return the results as Markdown, and draw the curves to ``figure`` if there are some.

    ``problems`` are those of the yardstick, of which ``published`` is what others solved.
    """
    lines = [{**EARLY, **line} for line in lines]
    parts = [_head(lines)]
    whole = [line for line in lines if line["examples"] is None]
    for mode in MODES:
        if mine := [line for line in whole if line["mode"] == mode]:
            parts += [
                f"## All examples, {MODES[mode]}",
                _about(mine),
                _classes(mine),
                _each(mine),
            ]
    found = _modes(whole)
    parts += ["## Search or machines, at equal executions", found] if found else []
    few_in, modes = ([x["mode"] for x in some] for some in (filter(_is_few, lines), lines))
    # The one that was run most, with few examples if it was.
    first = max(("both", "search"), key=lambda mode: (few_in.count(mode), modes.count(mode)))
    few = [x for x in lines if x["mode"] == first and x["examples"]]
    fewest = min((x["examples"] for x in few), default=0)
    few = [x for x in few if x["examples"] == fewest]
    counterparts = _published([x for x in whole if x["mode"] == first], few, problems)
    parts += ["## Beside published systems", counterparts] if counterparts else []
    if few:
        parts += ["## Few examples", _few([x for x in lines if x["mode"] == first], figure)]
    return "\n\n".join(parts) + "\n"


HEAD = """# Array programs from examples

Made by `benchmarks/synthesis.py`, which says what counts as solved: a printed program that is
right on 1,000 fresh examples each of sizes 1 to 6, 20, 50 and 200, in the smallest memory
that holds them and in one of twice the cells. Run on {dates}. *Loops* are candidates tried,
*executions* are runs of one example by a candidate, or forward and back by a machine in
training; *lines* are those of the printed function's body. Medians are of what was solved.

    python benchmarks/synthesis.py PROBLEMS.py --results benchmarks/synthesis-results.jsonl \\
        --table docs/synthesis-benchmark.md --minutes 0

writes this page from the results, which hold the programs, too; with `--minutes 10`, and the
`--seeds`, `--mode` and `--examples` of a table below, it runs what they do not have yet."""
ABOUT = (
    "Seeds {seeds}, on {cores}. Load of the machine before each: {least} to {most}, so CPU "
    "seconds say more than seconds.{limit}{speed}{back}"
)
PUBLISHED = """Counterparts in LambdaBeam's published results, runs solved of runs tried.
**Not the same test**: those systems are given 3 to 5 examples of lists and answer with an
expression of list functions; here all examples of memories are given (few: below) and the
answer is a loop that has to be right up to 200 items.
"""
FEW = """From so many small examples (no large ones), of which the command holds one in five
out if there are 20 or more; the last column has all examples. Seeds {seeds}."""


def _head(lines: Sequence[Line]) -> str:
    return HEAD.format(dates=", ".join(sorted({line["date"] for line in lines})))


def _about(lines: Sequence[Line]) -> str:
    loads = [line["load"] for line in lines]
    cores = sorted({line["cores"] for line in lines})
    limits = sorted({line["cpu_minutes"] for line in lines})
    limit = " or ".join(f"{x:g}" for x in limits if x < EARLY["cpu_minutes"])
    speeds = [line["runs_per_second"] for line in lines if line.get("runs_per_second")]
    return ABOUT.format(
        seeds=", ".join(map(str, sorted({line["seed"] for line in lines}))),
        cores=" or ".join(f"{n} cores" if n > 1 else "one core" for n in cores),
        least=min(loads),
        most=max(loads),
        limit=f" Ended after {limit} minutes of CPU time at the latest." if limit else "",
        back=_back(lines),
        speed=f" Examples run a second: {median(speeds):,.0f} (median)." if speeds else "",
    )


def _back(lines: Sequence[Line]) -> str:
    tried = [line["came_back"] for line in lines if "came_back" in line]
    if not tried:
        return ""
    return (
        f" Compiled into a machine and extracted again, {sum(tried)} of {len(tried)} programs "
        "were the same, letter by letter."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in cells)


def _middle(lines: Sequence[Line], name: str) -> str:
    values = [line[name] for line in lines if line["solved"] and name in line]
    return f"{median(values):,.0f}" if values else "-"


NUMBERS = {
    "seconds": "seconds", "CPU seconds": "cpu_seconds", "loops": "tried",
    "executions": "executions", "lines": "lines",
}  # fmt: skip


def _classes(lines: Sequence[Line]) -> str:
    """Return a row for each class: problems solved by every seed, by one, and medians."""
    rows = []
    for kind in [*dict.fromkeys(line["kind"] for line in lines), "all"]:
        mine = [line for line in lines if kind in (line["kind"], "all")]
        by_problem = _by_problem(mine)
        every = sum(all(x["solved"] for x in seeds) for seeds in by_problem.values())
        some = sum(any(x["solved"] for x in seeds) for seeds in by_problem.values())
        runs = sum(x["solved"] for x in mine)
        rows.append([
            kind, f"{every} of {len(by_problem)}", some, f"{runs} of {len(mine)}",
            *(_middle(mine, name) for name in NUMBERS.values()),
        ])  # fmt: skip
    return _table(["class", "solved by all seeds", "by one", "runs", *NUMBERS], rows)


def _each(lines: Sequence[Line]) -> str:
    """Return a row for each problem."""
    rows = []
    for name, mine in _by_problem(lines).items():
        wrong = [f"seed {x['seed']}: {_failure(x)}" for x in mine if not x["solved"]]
        solved = f"{len(mine) - len(wrong)} of {len(mine)}"
        numbers = [_middle(mine, key) for key in NUMBERS.values()]
        slowest = max((x["cpu_seconds"] for x in mine if x["solved"]), default=None)
        slow = "-" if slowest is None else f"{slowest:,.0f}"
        rows.append([name, mine[0]["kind"], solved, *numbers, slow, "; ".join(wrong)])
    head = ["problem", "class", "solved", *NUMBERS, "CPU seconds of the slowest", "else"]
    return _table(head, rows)


def _by_problem(lines: Sequence[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line["problem"], []).append(line)
    return found


def _modes(lines: Sequence[Line]) -> str:
    """Return how many of the runs made in every mode are solved within so many executions."""
    modes = [mode for mode in MODES if any(line["mode"] == mode for line in lines)]
    if len(modes) < 2:
        return ""
    pairs = [{(x["problem"], x["seed"]) for x in lines if x["mode"] == mode} for mode in modes]
    common = set.intersection(*pairs)
    rows = []
    for mode in modes:
        mine = [x for x in lines if x["mode"] == mode and (x["problem"], x["seed"]) in common]
        solved = [x for x in mine if x["solved"]]
        rows.append([
            MODES[mode],
            *(sum(x["executions"] <= most for x in solved) for most in EXECUTIONS),
            len(solved), f"{sum(x['executions'] for x in mine):,}",
            f"{sum(x['cpu_seconds'] for x in mine):,.0f}",
        ])  # fmt: skip
    head = ["", *(f"within {most:,}" for most in EXECUTIONS), "at last", "executions in all",
            "CPU seconds in all"]  # fmt: skip
    names = ", ".join(sorted({problem for problem, _ in common}))
    return (
        f"Of {len(common)} runs ({names}), how many were solved within so many executions. "
        "*Machines alone* learn by gradients for 50 updates; then the wires of their hard "
        "forms are searched, up to 100,000 tables each, and **what that runs is not counted**: "
        "their executions are those of training alone, CPU seconds those of both. *Gradients "
        "alone* have no such search.\n\n" + _table(head, rows)
    )


def _published(lines: Sequence[Line], few: Sequence[Line], problems: dict[str, Any]) -> str:
    """Return our rates beside those that the yardstick quotes for counterparts elsewhere.

    ``few`` are results from the smallest number of examples that there are some from.
    """
    rows, totals, from_few = [], {}, _by_problem(few)
    names = ("enumeration", "lambda2", "RobustFill", "LambdaBeam")
    for name, mine in _by_problem(lines).items():
        told = problems[name].published if name in problems else ""
        theirs = {of: found for of in names if (found := re.search(rf"{of} (\d+)/(\d+)", told))}
        if not theirs:
            continue
        here = {"here": mine, "few": from_few.get(name, [])} if few else {"here": mine}
        ours = [f"{sum(x['solved'] for x in own)}/{len(own)}" for own in here.values()]
        cells = [f"{x[1]}/{x[2]}" if (x := theirs.get(of)) else "-" for of in names]
        rows.append([name, told.split(":")[0] + ":" + told.split(":")[1], *ours, *cells])
        counted = {of: bool(own) and all(x["solved"] for x in own) for of, own in here.items()}
        counted |= {of: x[1] == x[2] for of, x in theirs.items()}
        for of, solved in counted.items():
            totals[of] = totals.get(of, 0) + solved
    if not rows:
        return ""
    columns = {"here": "here", "few": f"here, {few[0]['examples']} examples" if few else ""}
    columns = {of: head for of, head in columns.items() if head}
    counts = [totals.get(of, "-") for of in (*columns, *names)]
    rows.append(["solved every time", "", *counts])
    return (
        PUBLISHED + "\n" + _table(["problem", "counterpart", *columns.values(), *names], rows)
    )


def _is_few(line: Line) -> bool:
    return bool(line["examples"])


def _few(lines: Sequence[Line], figure: Path | None) -> str:
    """Return how many problems are solved from so many examples, by class, and draw it."""
    counts = sorted({_count(line) for line in lines})
    kinds = [*dict.fromkeys(line["kind"] for line in lines), "all"]
    seeds = [{x["seed"] for x in lines if _count(x) == n} for n in counts]
    common = set.intersection(*seeds)
    lines = [line for line in lines if line["seed"] in common]

    def solved(kind: str, count: int) -> tuple[int, int]:
        mine = [
            line for line in lines
            if kind in (line["kind"], "all") and _count(line) == count
        ]  # fmt: skip
        return sum(line["solved"] for line in mine), len(mine)

    def shares(kind: str) -> list[tuple[int, int]]:
        return [solved(kind, count) for count in counts]

    head = [f"{count} examples" for count in counts]
    rows = [[kind, *(f"{a} of {b}" if b else "-" for a, b in shares(kind))] for kind in kinds]
    said = [
        FEW.format(seeds=", ".join(map(str, sorted(common)))),
        _table(["class", *head], rows),
    ]
    if figure is not None:
        drawing = plt.figure(figsize=(6, 3.4), layout="constrained")
        axes = drawing.subplots()
        for kind in kinds:
            found = [
                (n, 100 * a / b) for n, (a, b) in zip(counts, shares(kind), strict=True) if b
            ]
            width = 2.5 if kind == "all" else 1.2
            axes.plot(*zip(*found, strict=True), marker="o", label=kind, linewidth=width)
        axes.set(xscale="log", xlabel="examples", ylabel="problems solved (%)", ylim=(-3, 103))
        axes.set_xticks(counts, map(str, counts), minor=False)
        axes.minorticks_off()
        axes.legend(bbox_to_anchor=(1, 1), loc="upper left", frameon=False)
        drawing.savefig(figure, dpi=150)
        plt.close(drawing)
        said.append(f"![Problems solved by number of examples](images/{figure.name})")
    each = [
        [name, *(_states(line for line in mine if _count(line) == count) for count in counts)]
        for name, mine in _by_problem(lines).items()
    ]
    said.append(_table(["problem", *head], each))
    return "\n\n".join(said)


def _count(line: Line) -> int:
    return line["examples"] or ALL_EXAMPLES


def _states(lines: Iterable[Line]) -> str:
    return ", ".join("solved" if line["solved"] else _failure(line) for line in lines)


def _failure(line: Line) -> str:
    return f"wrong at {line['wrong']}" if line.get("wrong") else "none found"
