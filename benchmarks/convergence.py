"""Train a recipe with many seeds, test every one at growing sizes, write the table.

Usage: ``python benchmarks/convergence.py ntm-copy --seeds 10 --out docs/results.md``.
Each core trains one seed at a time. Runs are kept and resumed: what is finished is not
trained again, so an interrupted table can be completed later.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import jax
from throughput import cpu_model

import softmachine
from softmachine.evaluation.generalization import evaluate
from softmachine.training.devices import use_all_cores
from softmachine.training.runs import Run

SIZES = (20, 60, 120)
SEQUENCES = 1000

# Without a core of their own, the thread pools of the processes disturb each other.
ON_ONE_CORE = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv.pop(1))})
from softmachine.cli.main import main
main()
"""


def train_seed(recipe: str, cores: SimpleQueue[int], seed: int, path: Path) -> None:
    """Train one seed on one core, by the command line; go on if it was begun before."""
    core = cores.get()
    command = ["resume", str(path)]
    if not (path / "config.json").exists():
        command = ["train", recipe, "--seed", str(seed), "--run", str(path)]
    subprocess.run(
        [sys.executable, "-c", ON_ONE_CORE, str(core), *command],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
    )
    cores.put(core)


def row_of(path: Path) -> dict[str, Any]:
    """Test a trained seed; return its row, from disk if it was tested before."""
    run = Run(path)
    row = run.load_result("convergence")
    if row is not None:
        return row
    _, progress = run.load_last()
    seed = run.experiment.training.seed
    scores = evaluate(
        run.load_machine(), run.experiment.task, SIZES, sequences=SEQUENCES, seed=seed
    )
    row = {
        "seed": seed,
        "solved_sequences": progress["solved_sequences"],
        "solved_seconds": progress["solved_seconds"],
        "sequences": progress["sequences"],
        "seconds": progress["seconds"],
        "best_wrong_bits": progress["best_error"],
        "best_bits": progress["best_bits"],
        "sizes": [dataclasses.asdict(score) for score in scores],
    }
    run.save_result("convergence", row)
    return row


def commit() -> str:
    """Return the commit of the code, marked if it has been changed since."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            check=True,
            text=True,
            cwd=Path(__file__).parent,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def markdown(report: dict[str, Any]) -> str:
    """Return the report as a page."""
    rows = report["rows"]
    solved = [row for row in rows if row["solved_sequences"] is not None]
    lines = [
        f"# Results: {report['recipe']}",
        "",
        f"{len(rows)} seeds, {report['parallel']} at a time, one core each "
        f"({report['cpu']}); JAX {report['jax']}, commit {report['commit']}, "
        f"{report['date']}. Made by `{report['command']}`; the numbers are in "
        f"`{report['json']}`.",
        "",
        "*Solved*: first validation without a wrong bit, on 1,000 fresh sequences of sizes "
        "uniform in the training range. Seconds are wall-clock time, compilation and "
        f"validation included. Wrong bits are means over {report['sequences']:,} fresh "
        "sequences per size; in brackets the share of sequences without any. The parameters "
        "tested are those that validated best, chosen on training sizes alone.",
        "",
        "| seed | solved after | seconds | trained | seconds | "
        + " | ".join(f"wrong bits at {size}" for size in report["sizes"])
        + " |",
        "|---" * (5 + len(report["sizes"])) + "|",
    ]
    for row in rows:
        solved_after = row["solved_sequences"]
        cells = [
            str(row["seed"]),
            "no" if solved_after is None else f"{solved_after:,}",
            "" if solved_after is None else f"{row['solved_seconds']:.0f}",
            f"{row['sequences']:,}",
            f"{row['seconds']:.0f}",
        ]
        cells += [f"{s['wrong_bits']:.3g} ({s['perfect']:.1%})" for s in row["sizes"]]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"- Solved: {len(solved)} of {len(rows)} seeds."]
    if solved:
        sequences = statistics.median(row["solved_sequences"] for row in solved)
        seconds = statistics.median(row["solved_seconds"] for row in solved)
        lines.append(
            f"- Median of the solved: {sequences:,.0f} sequences, {seconds:.0f} seconds."
        )
    for i, size in enumerate(report["sizes"]):
        wrong = [row["sizes"][i]["wrong_bits"] for row in rows]
        lines.append(
            f"- Size {size}: median {statistics.median(wrong):.3g} wrong bits per sequence; "
            f"{sum(w == 0 for w in wrong)} of {len(rows)} seeds without any."
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse, train, test, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", choices=sorted(softmachine.RECIPES))
    parser.add_argument("--seeds", type=int, default=10, metavar="N")
    parser.add_argument("--runs", type=Path, default=Path("runs/convergence"), metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.md")
    options = parser.parse_args()
    cores = use_all_cores()
    parallel = min(cores, options.seeds)
    paths = [options.runs / f"{options.recipe}-{seed}" for seed in range(options.seeds)]
    free = SimpleQueue()
    for core in os.sched_getaffinity(0):
        free.put(core)
    with ThreadPoolExecutor(parallel) as pool:
        one = partial(train_seed, options.recipe, free)
        list(pool.map(one, range(options.seeds), paths))
    rows = []
    for path in paths:
        rows.append(row_of(path))
        print(json.dumps(rows[-1]), flush=True)
    data = options.out.with_suffix(".json")
    report = {
        "schema": 1,
        "recipe": options.recipe,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit(),
        "jax": jax.__version__,
        "cpu": cpu_model(),
        "cores": cores,
        "parallel": parallel,
        "command": "make results",
        "json": data.name,
        "sizes": SIZES,
        "sequences": SEQUENCES,
        "rows": rows,
    }
    data.write_text(json.dumps(report, indent=2) + "\n")
    options.out.write_text(markdown(report))
    print(f"{options.out} and {data}")


if __name__ == "__main__":
    main()
