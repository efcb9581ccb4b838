"""The table of the Chomsky hierarchy as a page of Markdown, and as JSON beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.core.files import replacing, write_json
from softmachine.evaluation import wording
from softmachine.evaluation.chomsky.curves import STRINGS, Curve, curves_of, figure
from softmachine.evaluation.figures import save_figure

LEVELS = (("regular", 4), ("deterministic context-free", 4), ("context-sensitive", 7))
"""How many tasks each level has; they are in this order."""
Cell = dict[str, Any]


def write_table(out: Path, table: Mapping[str, Any]) -> Path:
    """Write the page, its figure and the JSON beside it; return the latter's path.

    Raises SoftmachineError if they cannot be written, or if the page is named ``*.json``.
    """
    data = out.with_suffix(".json")
    if out == data:
        raise SoftmachineError(f"{out} is the page, in Markdown: try {out.with_suffix('.md')}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(data, table)
        if curves := curves_of(table["cells"]):
            save_figure(figure(curves), out.with_suffix(".png"))
        with replacing(out) as temporary:
            temporary.write_text(to_markdown(table, data.name))
    except OSError as error:
        raise SoftmachineError(f"cannot write to {out}: {error.strerror}") from error
    return data


def to_markdown(table: Mapping[str, Any], data: str) -> str:
    """Return the page; ``data`` is the name of its JSON."""
    cells: list[Cell] = table["cells"]
    tasks = [*dict.fromkeys(cell["task"] for cell in cells)]
    machines = [*dict.fromkeys(cell["machine"] for cell in cells)]
    of = {(cell["machine"], cell["task"]): cell for cell in cells}
    levels = [name for name, count in LEVELS for _ in range(count)]
    parts = [_introduction(table, data, cells), _matrix(table, tasks, machines, levels, of)]
    if curves := curves_of(cells):
        parts.append(_longer(curves, Path(data).with_suffix(".png").name))
    for task, level in zip(tasks, levels, strict=True):
        parts.append(_section(table, task, level, [of[machine, task] for machine in machines]))
    return "\n".join(parts)


def _introduction(table: Mapping[str, Any], data: str, cells: Sequence[Cell]) -> str:
    first, last = table["lengths"]
    strings = table["strings"]
    run = sum(bool(cell["tried"]) for cell in cells)
    been_run = f"{run} of {wording.counted(len(cells), 'cell')} {'has' if run == 1 else 'have'}"
    return f"""# Fifteen tasks of the Chomsky hierarchy

Made by `{table["command"]}`, last on {table["date"]} with softmachine
{table["softmachine"]}; the same numbers, and the date, version and hardware of each run, are in
[{data}]({data}), as far as they are known. The same command goes on where runs are not
finished, never repeats a finished one, and takes over what the page already says of runs that
were made elsewhere.

The tasks and the protocol are those of Delétang et al. 2023
([arXiv 2207.02098](https://arxiv.org/abs/2207.02098)): machines train on strings of 1 to 40
letters and are tested on {first} to {last}. A **score** is the mean, over these lengths, of the
share of right letters, in percent; here from {strings} strings of each length. **Exact** is the
share of answers without a wrong letter. **Blind** is what the best answer scores that knows the
length of the string and nothing else: scores have to be read against it, above all of bucket
sort; `?` where it is not known, as no machine has been run on the task. **Hard** is the score
with the likeliest action alone taken each time, of machines that have such a form. 100.0 is
all, 99.9+ a little less.

**The budgets are not the paper's.** It trains ten seeds with each of three learning rates for
1,000,000 updates of 128 strings, and shows the best. Here an update has 32 strings, and a run
ends with the first validation that finds no mistake up to 40 letters, nor in 128 strings each
of 100 and of 500; or else after the updates that stand beside it. Recipes
`paper-MACHINE-chomsky-TASK` have the paper's settings, for a GPU.

{been_run} been run. Of the others it is said how long all 20,000 updates
of a seed would take, by the processor time that the machine's longest run took for an update
and step, compilation included: a machine whose runs were all short looks slower than it is. A
seed that learns its task ends sooner. Times are those of a processor core{_hardware(cells)}.

Published scores are those of the paper's table 2. Those in *italics* were noted from memory:
they were not found in its text, nor in a later paper's copy of the row, but agree with both.
"""


def _hardware(cells: Sequence[Cell]) -> str:
    """Return how many runs were made on which hardware."""
    names = [run.get("hardware") for cell in cells for run in cell["runs"] if run["finished"]]
    counts = {name: names.count(name) for name in dict.fromkeys(names) if name}
    if unknown := names.count(None):
        counts["hardware that was not noted"] = unknown
    return "".join(
        f"; {wording.counted(count, 'run')} on {name}" for name, count in counts.items()
    )


def _matrix(
    table: Mapping[str, Any],
    tasks: Sequence[str],
    machines: Sequence[str],
    levels: Sequence[str],
    of: Mapping[tuple[str, str], Cell],
) -> str:
    rows = []
    for task, level in zip(tasks, levels, strict=True):
        published = [of[machine, task]["published"] for machine in machines]
        best = max(score for score in published if score is not None)
        blind = _blind(table, task, "accuracy")
        scores = [_in_matrix(of[machine, task]) for machine in machines]
        rows.append([f"[{task}](#{task})", level[0].upper(), *scores, blind, f"{best:.1f}"])
    heads = ["task", "", *machines, "blind", "best published"]
    text = """## Best scores

In brackets: how many of the seeds score at least 90, which the paper calls solved. R: regular,
D: deterministic context-free, C: context-sensitive. ≈: not run, and how long a seed takes; -:
not run, and not known.

"""
    return text + wording.table(heads, rows)


def _in_matrix(cell: Cell) -> str:
    if cell["best"] is None:
        return "failed" if cell["tried"] else _expected(cell)
    return f"{_percent(cell['best']['accuracy'])} ({cell['solved']}/{cell['tried']})"


def _longer(curves: Mapping[str, Mapping[str, Curve]], image: str) -> str:
    """Return the section on lengths beyond those of the score."""
    lengths = sorted(
        {n for some in curves.values() for x in some.values() for n in x["lengths"]}
    )
    rows = []
    for task, some in curves.items():
        for machine, curve in some.items():
            for form, said in (("", ""), ("hard_", "hard")):
                if f"{form}accuracy" not in curve:
                    continue
                at = dict(zip(curve["lengths"], curve[f"{form}accuracy"], strict=True))
                shown = [_percent(at[n]) if n in at else "-" for n in lengths]
                rows.append([task, machine, said, *shown])
    heads = ["task", "machine", "", *(f"{n:,}" for n in lengths)]
    text = f"""
## Longer strings

The best seeds of cells that score at least 90, as far as they were asked with `--longest`: the
share of right letters, in percent, of {STRINGS} strings of each length. *Hard*: the likeliest
action alone, each time. -: its memory would be too large.

![Right letters by length, a panel for each task]({image})

"""
    return text + wording.table(heads, rows)


def _section(table: Mapping[str, Any], task: str, level: str, cells: Sequence[Cell]) -> str:
    heads = ["machine", "seeds tried", "best", "mean", "exact (best)", "seeds ≥ 90"]
    heads += ["seeds exact", "hard", "updates", "time a seed", "published"]
    letters, wholes = (_blind(table, task, name) for name in ("accuracy", "perfect"))
    text = f"\n## {task}\n\n{level.capitalize()}. Blind: {letters}, exact {wholes}.\n\n"
    return text + wording.table(heads, [_row(cell) for cell in cells])


def _row(cell: Cell) -> list[str]:
    best, published = cell["best"], _published(cell)
    if best is None:
        state = "failed" if cell["tried"] else "not run"
        return [
            *(cell["machine"], state if not cell["tried"] else str(cell["tried"])),
            *[""] * 7,
            _expected(cell),
            published,
        ]
    runs = [run for run in cell["runs"] if run["finished"]]
    hard = best.get("hard_accuracy")
    return [
        cell["machine"],
        str(cell["tried"]),
        _percent(best["accuracy"]),
        _percent(cell["mean"]),
        _percent(best["perfect"]),
        str(cell["solved"]),
        str(cell["exact"]),
        "" if hard is None else _percent(hard),
        _range([run["updates"] for run in runs], "{:,}".format),
        _range([run["processor_seconds"] or run["seconds"] for run in runs], wording.duration),
        published,
    ]


def _expected(cell: Cell) -> str:
    """Return how long a seed takes that is trained to the end."""
    seconds = cell["expected_seconds"]
    return "-" if seconds is None else f"≈ {wording.duration(seconds)}"


def _blind(table: Mapping[str, Any], task: str, name: str) -> str:
    """Return what is scored blindly; it is counted for tasks that have runs alone."""
    scores = table["blind"].get(task)
    return "?" if scores is None else _percent(scores[name])


def _published(cell: Cell) -> str:
    if cell["published"] is None:
        return ""
    return f"*{cell['published']:.1f}*" if cell["from_memory"] else f"{cell['published']:.1f}"


def _range(values: Sequence[int | float], show: Callable[[int | float], str]) -> str:
    """Return the smallest and the largest as text; one, if both are shown alike."""
    low, high = show(min(values)), show(max(values))
    return low if low == high else f"{low} to {high}"


def _percent(share: float) -> str:
    """Return a share in percent; 100.0 means all, however many there were."""
    return "99.9+" if 0.9995 <= share < 1 else f"{100 * share:.1f}"
