"""How many array programs ``softmachine synthesize`` finds from examples, and in what time.

    python benchmarks/synthesis.py PROBLEMS.py [--minutes 10] [--seeds 0 1 2] [--only sort sum]
        [--mode both] [--results results.jsonl] [--table docs/synthesis-benchmark.md]

PROBLEMS.py defines ``PROBLEMS``, problems by name. Each has ``kind`` (its class),
``steps_per_size`` (a hint, 0: ever more), ``sample(rng, size, spare=cells)`` (a memory before
and after), ``right(before, memory)``, and the module has ``lines(problem)``, the examples as
``synthesize`` reads them. A problem counts as solved if the program that was printed is right
on 1,000 fresh examples each of sizes 1 to 6, 20, 50 and 200, in the smallest memory that holds
them and in one of twice the cells: the C program on all, the Python program on 50 of each.

Resumable: a problem and seed for which there is a line in the results is not run again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from softmachine.programs.running import ProgramFunction, load_c, load_python

SIZES = (1, 2, 3, 4, 5, 6, 20, 50, 200)
EACH, EACH_IN_PYTHON = 1_000, 50
WORKER = """
import sys
from pathlib import Path
from softmachine.cli.synthesis import Options, synthesize
from softmachine.machines.nram.gates import PAPER_GATES
path, run, minutes, seed, steps, mode = sys.argv[1:]
options = Options(int(seed), 32, 1, 16, int(steps), 5, PAPER_GATES)
synthesize(Path(path), Path(run), float(minutes), options, mode=mode)
"""


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("problems", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", default=None, help="names of problems")
    parser.add_argument("--mode", choices=("both", "search", "gradients"), default="both")
    parser.add_argument("--results", type=Path, default=Path("synthesis-results.jsonl"))
    parser.add_argument("--table", type=Path, default=None, help="a page of Markdown to write")
    options = parser.parse_args()
    module = load(options.problems)
    done = read(options.results)
    for seed in options.seeds:
        for name in options.only or module.PROBLEMS:
            key = (name, seed, options.mode, options.minutes)
            if key not in {tuple(line[k] for k in KEY) for line in done}:
                line = run(module, name, seed, options.mode, options.minutes)
                done.append(line)
                with options.results.open("a", encoding="utf-8") as file:
                    print(json.dumps(line), file=file, flush=True)
                print(one_line(line), flush=True)
    page = table(done)
    print(page)
    if options.table:
        options.table.write_text(page, encoding="utf-8")


KEY = ("problem", "seed", "mode", "minutes")


def load(path: Path) -> Any:
    """Return the module of problems."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> list[dict[str, Any]]:
    """Return the results that there are."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(module: Any, name: str, seed: int, mode: str, minutes: float) -> dict[str, Any]:
    """Look for a program once, and test it."""
    problem = module.PROBLEMS[name]
    load_before, cpu_before = os.getloadavg()[0], _children()
    with tempfile.TemporaryDirectory() as folder:
        path, directory = Path(folder) / f"{name}.jsonl", Path(folder) / "run"
        path.write_text("\n".join(module.lines(problem)), encoding="utf-8")
        begin = time.monotonic()
        arguments = [path, directory, minutes, seed, problem.steps_per_size, mode]
        process = subprocess.run(
            [sys.executable, "-c", WORKER, *map(str, arguments)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        line = {
            "problem": name, "kind": problem.kind, "seed": seed, "mode": mode,
            "minutes": minutes, "seconds": round(time.monotonic() - begin, 1),
            "cpu_seconds": round(_children() - cpu_before, 1),
            "load": round(load_before, 1), "status": process.returncode,
        }  # fmt: skip
        searched = directory / "search.json"
        if searched.exists():
            totals = json.loads(searched.read_text(encoding="utf-8"))
            line |= {key: totals[key] for key in ("tried", "runs", "attempts")}
            line["runs_per_second"] = round(totals["runs"] / max(totals["seconds"], 1e-9))
        program = directory / "program.py"
        if process.returncode not in (0, 1):
            line["error"] = process.stderr[-500:]
        if program.exists():
            code = program.read_text(encoding="utf-8")
            c = (directory / "program.c").read_text(encoding="utf-8")
            native = load_c(c, Path(folder))
            line |= {
                "lines": count_lines(code),
                "wrong": judge(problem, load_python(code), native),
            }
            line["code"] = code
        line["solved"] = line.get("wrong", "") is None
        return line


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def judge(problem: Any, python: ProgramFunction, native: ProgramFunction | None) -> str | None:
    """Return the first size that a program gets wrong; None if there is none."""
    rng = random.Random("judge")
    for size in SIZES:
        for number in range(EACH):
            before, _ = problem.sample(rng, size)
            for cells in (before, before + [0] * len(before)):
                programs = [native] if native else [python]
                if number < EACH_IN_PYTHON and native:
                    programs.append(python)
                for program in programs:
                    try:
                        answer = program(list(cells))
                    except Exception as error:  # any error counts as a mistake
                        return f"size {size}: {type(error).__name__}"
                    if not problem.right(before, answer):
                        return f"size {size}"
    return None


def count_lines(code: str) -> int:
    """Return the lines of the function that does the work, without comments and docstring."""
    body = code[code.rindex("\ndef ") :].split("\n")[2:]
    kept = [line.strip() for line in body if line.strip()]
    return sum(not line.startswith(("#", '"""')) for line in kept)


def one_line(line: dict[str, Any]) -> str:
    """Return one result as a line."""
    what = (
        "solved" if line["solved"] else f"wrong: {line['wrong']}" if "wrong" in line else "none"
    )
    return (
        f"{line['problem']:18} seed {line['seed']} {line['mode']:9} {what:14} "
        f"{line['seconds']:6.1f} s ({line['cpu_seconds']:6.1f} CPU s)  "
        f"{line.get('tried', 0):>12,} loops  load {line['load']}"
    )


def table(done: list[dict[str, Any]]) -> str:
    """Return the results as Markdown: by mode and class, then each problem."""
    parts = [
        "# Array programs from examples\n\nMade by `benchmarks/synthesis.py`, which says what "
        "counts as solved.\n"
    ]
    for mode in sorted({line["mode"] for line in done}):
        mine = [line for line in done if line["mode"] == mode]
        limits = sorted({f"{line['minutes']:g}" for line in mine})
        loads = sorted(line["load"] for line in mine)
        parts.append(
            f"## {mode.capitalize()}, at most {' or '.join(limits)} minutes\n\n"
            f"Load of the machine {loads[0]} to {loads[-1]}.\n"
        )
        parts += [
            "| class | solved | seconds | CPU seconds | loops tried | examples run | lines |"
        ]
        parts += ["|---|---|---|---|---|---|---|"]
        for kind in dict.fromkeys(line["kind"] for line in mine):
            parts.append(_row(kind, [line for line in mine if line["kind"] == kind]))
        parts.append(_row("all", mine))
        speeds = [line["runs_per_second"] for line in mine if line.get("runs_per_second")]
        if speeds:
            parts.append(
                f"\nMedians of what was solved. Examples run a second and core: "
                f"{median(speeds):,.0f} (median).\n"
            )
        parts += ["\n| problem | seed | | seconds | CPU seconds | loops tried | lines | load |"]
        parts += ["|---|---|---|---|---|---|---|---|"]
        for line in mine:
            what = "solved" if line["solved"] else line.get("wrong", "none found")
            parts.append(
                f"| {line['problem']} | {line['seed']} | {what} | {line['seconds']:.0f} | "
                f"{line['cpu_seconds']:.0f} | {line.get('tried', 0):,} | "
                f"{line.get('lines', '')} | {line['load']} |"
            )
        parts.append("")
    return "\n".join(parts)


def _row(name: str, lines: list[dict[str, Any]]) -> str:
    solved = [line for line in lines if line["solved"]]

    def middle(key: str) -> str:
        values = [line[key] for line in solved if key in line]
        return f"{median(values):,.0f}" if values else "-"

    keys = ("seconds", "cpu_seconds", "tried", "runs", "lines")
    return f"| {name} | {len(solved)} of {len(lines)} | " + " | ".join(map(middle, keys)) + " |"


if __name__ == "__main__":
    main()
