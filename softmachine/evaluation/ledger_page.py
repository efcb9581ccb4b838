"""The results ledger as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from softmachine.evaluation.wording import (
    Number,
    Shown,
    counted,
    duration,
    interval,
    median,
    number,
    percent,
    published,
    quartiles,
    span,
    table,
    words,
)
from softmachine.experiments.commands import ABSENT, SYNTHESIS, unbroken_ranges

NIGHT_HOURS = 12.0
"""Reruns that take longer are marked as longer than a night."""


def to_markdown(ledger: dict[str, Any]) -> str:
    """Render a ledger as a page of Markdown, from its JSON alone."""
    data = f"; all numbers are in `{ledger['data']}`" if "data" in ledger else ""
    groups = ledger["groups"]
    blocks = [
        "# Results",
        f"Made on {ledger['date']} by `{ledger['command']}`{data}. Not written by hand.",
        _summary_table(groups),
        _LEGEND.format(sequences=number(ledger["sequences"])),
    ]
    for group in groups:
        blocks += _section(group)
    return "\n\n".join(blocks) + "\n"


_LEGEND = """\
- *Solved*: a validation met the recipe's criterion, on fresh sequences of sizes uniform in
  the training range. All seeds that were tried count; those not finished count as not solved
  until they are. The interval is Wilson's, for 95 %. Where members were ended because enough
  of the others were solved, some might have been solved later: only its lower bound is given.
- *To solve*: median, and in brackets the quartiles, of the seeds that solved the task.
  *Device time* is what a seed took of the machine: seconds times devices, shared among the
  seeds that trained together. Wall-clock time is that of all seeds trained together.
  Compilation, validation and searches are included in both, an NRAM's solved test is not.
- *Validation*: the task's error per sequence, of the parameters kept, those that validated
  best; median of the finished seeds, and the best.
- *Tests*: those of Graves et al. 2014 and Kurach et al. 2016, on {sequences} fresh sequences
  each. *Bits* are cross-entropies per sequence, as in the first paper; ≈ marks figures read
  off its curves. The *best seed* is the one that validated best, chosen without looking at
  the tests. *Made hard*: with every choice replaced by its most likely one. Of NRAMs those
  seeds are tested that solved their task.
- *Exam*: what an NRAM has to pass to count as having solved its task. Every hard case that
  the task names (chains and deepest paths of trees, lists in order, values at their extremes,
  ...) at many sizes, in the smallest memory, with one spare cell, and with room to spare.
  Seeds of before there was one were judged without, as it says beside each: by random
  examples alone, which a program can pass that is wrong in hard cases."""


def _summary_table(groups: Sequence[dict[str, Any]]) -> str:
    header = (
        "recipe",
        "solved",
        "95 %",
        "sequences to solve",
        "device time to solve",
        "sequences trained",
        "validation",
        "device-hours",
    )
    return table(header, [_summary_cells(group) for group in groups])


def _summary_cells(group: dict[str, Any]) -> list[str]:
    summary = group["summary"]
    solved, to_solve, validation = "-", summary["to_solve"], summary["validation"]
    if summary["solved"] is not None:
        solved = f"{summary['solved']} of {summary['tried']}"
    unfinished = summary["tried"] - summary["finished"]
    error = median(validation["error"])
    if validation["error"] is not None:
        error += f" (best {number(validation['error']['lowest'])}) {words(group['error'])}"
    return [
        f"[{_title(group)}](#{_anchor(_title(group))})",
        solved + (f", {unfinished} unfinished" if unfinished else ""),
        _rate(group),
        quartiles(to_solve["sequences"]),
        quartiles(to_solve["device_seconds"], duration),
        median(summary["sequences"]),
        error,
        number(summary["device_hours"]),
    ]


def _section(group: dict[str, Any]) -> list[str]:
    """Return the section of one group as blocks, which blank lines separate."""
    blocks = [f"## {_title(group)}", _facts(group), *_how_to(group)]
    if group["summary"]["solved"]:
        blocks.append(_to_solve_table(group["summary"]["to_solve"]))
    if group["tests"]:
        blocks.append(_test_table(group))
        findings = [
            f"- The paper on {test['name']}: {test['finding']}."
            for test in group["tests"]
            if test["finding"]
        ]
        blocks += ["\n".join(findings)] if findings else []
    shown = ""
    if group["tests"] and group["tests"][0]["metric"] == "bits":
        shown = f"; of the tests, {words(group['error'])}"
    return [
        *blocks,
        f"<details><summary>Every seed{shown}</summary>",
        _seed_table(group),
        "</details>",
    ]


def _facts(group: dict[str, Any]) -> str:
    """Return a list of facts: what ran, how it ended, what it cost, and on which hardware."""
    summary, criterion = group["summary"], group["criterion"]
    lines = [f"- {group['task']}, machine {group['machine']}; {_outcome(group)}"]
    if criterion is not None:
        low, high = criterion["sizes"]
        lines.append(
            f"- Solved means at most {number(criterion['error'])} {words(group['error'])} "
            f"per sequence, on {number(criterion['sequences'])} sequences of sizes {low} to "
            f"{high}{_solved_test(criterion, low)}"
            f"{''.join(f', and then {also}' for also in criterion.get('also', ()))}."
        )
    if summary["validation"]["error"] is not None:
        lines.append(f"- {_validation(group)}")
    if summary.get("afterwards"):
        lines.append(f"- {_afterwards(group)}")
    if group.get("repair") is not None:
        lines.append(f"- {_repair(group['repair'])}")
    lines.append(f"- {_cost(group)}")
    lines += [f"- {_environment(known)}" for known in group["environments"]]
    return "\n".join(lines)


def _solved_test(criterion: dict[str, Any], low: int) -> str:
    test = criterion.get("test")
    if test is None:
        return ""
    exam = " and in the exam of the task's hard cases" if test.get("exam") else ""
    without = "" if exam else " (**not** judged by the exam of the task's hard cases)"
    return (
        f", and then no mistake on {number(test['examples'])} of sizes {low} to "
        f"{test['largest']}{exam}, neither soft nor with every choice made hard{without}"
    )


def _rate(group: dict[str, Any]) -> str:
    """Return between what bounds the share of seeds lies that solve the task."""
    summary = group["summary"]
    solved, tried = summary["solved"], summary["tried"]
    enough = group["experiment"]["experiment"]["training"].get("enough")
    if enough is not None and solved is not None and enough <= solved < tried:
        return f"{100 * summary['interval'][0]:.0f} % or more"
    return interval(summary["interval"])


def _outcome(group: dict[str, Any]) -> str:
    summary = group["summary"]
    tried, unfinished = summary["tried"], summary["tried"] - summary["finished"]
    seeds = counted(tried, "seed")
    if summary.get("attempts", tried) > tried:
        seeds += f" with {number(summary['attempts'])} attempts"
    ended = "all finished" if not unfinished else f"{unfinished} not finished yet"
    if summary["solved"] is None:
        return f"{seeds}, {ended}; there is no criterion for solved."
    return (
        f"{seeds}, {ended}: {summary['solved']} solved, {summary['failed']} failed "
        f"({_rate(group)} solve it)."
    )


def _validation(group: dict[str, Any]) -> str:
    """Return a sentence on the validation scores of the kept parameters: median and best."""
    spread, seed = group["summary"]["validation"], group["summary"]["best_seed"]
    best = next(row for row in group["runs"] if row["seed"] == seed)
    return (
        f"Validation: median {median(spread['error'])} {words(group['error'])} and "
        f"{median(spread['bits'])} bits per sequence; best seed ({seed}) "
        f"{number(best['best_error'])} and {number(best['best_bits'])}."
    )


def _afterwards(group: dict[str, Any]) -> str:
    """Return a sentence on whether later training spoilt solved runs."""
    solved, found = group["summary"]["solved"], group["summary"]["afterwards"]
    error = words(group["error"])
    mistaken = (
        f"Of the {solved} solved, {found['mistaken']} had a later validation with mistakes, at "
        f"worst {number(found['worst'])} {error}"
        if found["mistaken"]
        else f"None of the {solved} solved had a later validation with mistakes"
    )
    ended = (
        f"{found['ended_worse']} ended worse than the parameters kept, at worst "
        f"{number(found['worst_end'])} {error}"
        if found["ended_worse"]
        else "none ended worse than the parameters kept"
    )
    return f"{mistaken}; {ended}."


def _repair(right: dict[str, int]) -> str:
    """Return a sentence on how many members are right when hard, before and after repair."""
    return (
        f"Made hard, {right['hard']} of {right['members']} make no mistake at the sizes of the "
        f"solved test ({right['soft']} validate without one while soft). After "
        f"`softmachine repair`: {right['wires']} by changing single wires, {right['tuned']} by "
        f"fine-tuning, {right['both']} by both, {right['annealed']} by annealing all wires."
    )


def _cost(group: dict[str, Any]) -> str:
    """Return a sentence on what a rerun costs, and whether it fits into a night."""
    summary = group["summary"]
    if all(row.get("searched") for row in group["runs"]):
        return (
            "Found by a search of loops, without training; what that took is in `search.json`, "
            "beside the run's folder."
        )
    hours = summary["device_hours"]
    text = (
        f"Cost: {number(hours)} device-hours, {number(summary['device_hours_per_seed'])} "
        f"per seed"
    )
    devices = [known["environment"].get("devices") for known in group["environments"]]
    if None in devices or not devices:
        return f"{text}."
    most = max(devices)
    text += f"; {duration(3600 * hours / most)} on {counted(most, 'such device')}"
    return text + (", longer than a night." if hours / most > NIGHT_HOURS else ".")


def _environment(known: dict[str, Any]) -> str:
    environment = known["environment"]
    seeds = ", ".join(span(*bounds) for bounds in unbroken_ranges(known["seeds"]))
    label = "Seed" if len(known["seeds"]) == 1 else "Seeds"
    if not environment:
        return f"{label} {seeds}: environment not recorded."
    return (
        f"{label} {seeds}: {environment['hardware']}, "
        f"{counted(environment['devices'], environment['platform'] + ' device')}; "
        f"JAX {environment['jax']}, Python {environment['python']}, softmachine "
        f"{environment['softmachine']} (commit {environment['commit'] or 'unknown'}), begun "
        f"{environment['date']}."
    )


def _how_to(group: dict[str, Any]) -> list[str]:
    """Return the commands that repeat the runs, after how they differ from today's recipe."""
    drift, commands = group["drift"], group["commands"]
    blocks = []
    if group["recipe"] == SYNTHESIS:
        return [
            "Made by `softmachine synthesize EXAMPLES`; the examples stand in each run's "
            "`config.json`, under `task`."
        ]
    if drift is None:
        blocks.append(f"**There is no recipe {group['recipe']} today.**")
    elif drift:
        changes = [
            f"- `{change['field']}`: {_value(change['run'])} here, {_value(change['recipe'])} "
            f"in the recipe"
            for change in drift
        ]
        blocks.append("**Differs from the recipe of today:**\n\n" + "\n".join(changes))
    if commands is None:
        blocks.append("No command makes these runs; their `config.json` says what they were.")
    else:
        blocks.append("\n".join(["```sh", *commands, "```"]))
    return blocks


def _to_solve_table(to_solve: dict[str, Any]) -> str:
    header = ("to solve", "fastest", "lower quartile", "median", "upper quartile", "slowest")
    lines = (
        ("sequences", to_solve["sequences"], number),
        ("wall-clock time", to_solve["seconds"], duration),
        ("device time", to_solve["device_seconds"], duration),
    )
    return table(
        header,
        [[name, *map(shown, spread.values())] for name, spread, shown in lines if spread],
    )


def _test_table(group: dict[str, Any]) -> str:
    error, best = words(group["error"]), group["summary"]["best_seed"]
    named = "best seed" if best is None else f"best seed ({best})"
    header = ["test", "paper: bits"]
    if "hard_error" in group["tests"][0]:
        columns = {f"soft: {error}": "error", f"made hard: {error}": "hard_error"}
        header = ["test"]
    elif group["tests"][0]["metric"] == "bits":
        columns = {"ours: bits": "reported", f"ours: {error}": "error"}
    else:
        columns, header = {"ours": "reported"}, ["test", "paper"]
    rows = []
    for test in group["tests"]:
        shown = _shown_by(test)
        cells = [test["name"], published(test["paper"], shown)][: len(header)]
        for key in columns.values():
            cells += [quartiles(test[key]["spread"], shown), shown(test[key]["best_member"])]
        rows.append(cells)
    return table([*header, *(part for name in columns for part in (name, named))], rows)


def _seed_table(group: dict[str, Any]) -> str:
    error = words(group["error"])
    header = [
        "seed",
        "solved after",
        "device time to solve",
        "trained",
        "device time",
        f"validation: {error}",
        "bits",
        "at the end",
        *(test["name"] for test in group["tests"]),
    ]
    tests = group["tests"]
    return table(header, [_seed_cells(row, group["error"], tests) for row in group["runs"]])


def _seed_cells(row: dict[str, Any], error: str, tests: list[dict[str, Any]]) -> list[str]:
    solved = {None: "-", False: "no", True: number(row["solved_sequences"])}[row["solved"]]
    if not row["finished"]:
        solved = f"{solved}, unfinished" if row["solved"] else "unfinished"
    if row["failure"]:
        solved += ", stopped"
    if row["solved"] is False and row.get("exam") is not None:
        solved += ", fails the exam"
    return [
        str(row["seed"]),
        solved,
        duration(row["solved_device_seconds"]),
        number(row["sequences"]),
        duration(row["device_seconds"]),
        number(row["best_error"]),
        number(row["best_bits"]),
        number((row.get("afterwards") or {}).get("end")),
        *(
            _test_cell(score, test, error)
            for score, test in zip(row["tests"], tests, strict=True)
        ),
    ]


def _test_cell(score: dict[str, Number | None] | None, test: dict[str, Any], error: str) -> str:
    """Return a seed's error in a test, or what the paper reports if that is not bits."""
    if score is None:
        return "-"
    metric = test["metric"]
    return number(score[error]) if metric == "bits" else _shown_by(test)(score[metric])


def _shown_by(test: dict[str, Any]) -> Shown:
    return percent if test["share"] else number


def _title(group: dict[str, Any]) -> str:
    """Return the title of a group: its recipe, and where it differs from today's.

    If by more than options, so that no command makes it any more, the day on which it began.
    """
    recipe, drift = group["recipe"], group["drift"]
    if not drift:
        return recipe
    dates = [known["environment"].get("date") for known in group["environments"]]
    if group["commands"] is None and all(dates):
        return f"{recipe} as it was on {min(dates)}"
    changes = [
        f"{change['field'].split('.')[-1]} {_value(change['run']).strip('`')}"
        for change in drift[:3]
    ]
    more = f" and {len(drift) - 3} more" if len(drift) > 3 else ""
    return f"{recipe} with {', '.join(changes)}{more}"


def _anchor(title: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _value(value: Any) -> str:
    return value if value == ABSENT else f"`{value}`"
