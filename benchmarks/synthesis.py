"""How many array programs ``softmachine synthesize`` finds from examples, and in what time.

    python benchmarks/synthesis.py PROBLEMS.py [--minutes 10] [--seeds 0 1 2] [--only sort sum]
        [--mode both] [--examples 20] [--cpu-minutes 20] [--workers 2]
        [--results results.jsonl] [--table docs/synthesis-benchmark.md]

PROBLEMS.py defines ``PROBLEMS``, problems by name. Each has ``kind`` (its class),
``steps_per_size`` (a hint, 0: ever more), ``sample(rng, size, spare=cells)`` (a memory before
and after), ``right(before, memory)``, and the module has ``lines(problem)``, the examples as
``synthesize`` reads them. A problem counts as solved if the program that was printed is right
on 1,000 fresh examples each of sizes 1 to 6, 20, 50 and 200, in the smallest memory that holds
them and in one of twice the cells: the C program on all, the Python program on 50 of each. A
program that a search found is compiled into a machine, too, and extracted again.

Resumable: what there is a line for in the results is not run again, whatever has become of the
process in between; ``--minutes 0`` runs nothing and writes the table of what there is.

Variations, each of which is a table of its own: ``--mode``, a search of loops alone, machines
alone (gradients, then a search of the wires of their hard forms), gradients alone, or both, as
the command does; ``--examples N``, only so many of
the small examples and no large ones, of which the command holds some out from twenty on.
``--cpu-minutes`` ends a command by the CPU time of all its threads, which is what to compare on
a machine that others use, too. ``--workers`` gives each of so many processes, or of the workers
of a Dask cluster, a problem of its own. Executions are runs of one example: by loops in the
search, and forward and back by machines in training, not by their wires.
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
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from synthesis_page import page

from softmachine.cli.workers import opened
from softmachine.programs.running import ProgramFunction, load_c, load_python
from softmachine.training.workers.each import imap_unordered

SIZES = (1, 2, 3, 4, 5, 6, 20, 50, 200)
EACH, EACH_IN_PYTHON = 1_000, 50
FEW_SIZES, FEW = (3, 4, 5), 12
"""With fewer examples than `FEW`, only these sizes: there have to be two of one."""
MARK = "<!-- benchmarks/synthesis.py writes what is below -->"
WORKER = """
import dataclasses, os, signal, sys, threading, time
from pathlib import Path
from softmachine.cli import loop_search, synthesis as command
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.training.nram.wire_search import WireSearch
path, run, minutes, seed, steps, mode, cpu, together = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a worker's process ignores it
parent = os.getppid()
def watch():
    while time.process_time() < float(cpu):
        time.sleep(0.2)
        if os.getppid() != parent:
            os._exit(1)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=watch, daemon=True).start()
if int(together) > 1:  # each has its share of the cores
    cores = max(1, loop_search.threads() // int(together))
    loop_search.threads = lambda: cores
if mode == "gradients":
    every, mode = command.synthesis, "machines"
    def without_a_search_of_wires(*given, **options):
        made = every(*given, **options)
        phases = tuple(x for x in made.training.phases if not isinstance(x, WireSearch))
        training = dataclasses.replace(made.training, phases=phases)
        return dataclasses.replace(made, training=training)
    command.synthesis = without_a_search_of_wires
options = command.Options(int(seed), 32, 1, 16, int(steps), 5, PAPER_GATES)
command.synthesize(Path(path), Path(run), float(minutes), options, mode=mode)
"""


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("problems", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", default=None, help="names of problems")
    parser.add_argument(
        "--mode", choices=("both", "search", "machines", "gradients"), default="both"
    )
    parser.add_argument("--examples", type=int, default=None, help="only so many")
    parser.add_argument("--cpu-minutes", type=float, default=1e9)
    parser.add_argument("--workers", default=None, help="how many, or tcp://host:8786")
    parser.add_argument("--results", type=Path, default=Path("synthesis-results.jsonl"))
    parser.add_argument("--table", type=Path, default=None, help="a page of Markdown to write")
    options = parser.parse_args()
    module = load(options.problems)
    if unknown := set(options.only or ()) - set(module.PROBLEMS):
        parser.error(f"{options.problems} has no problem {', '.join(sorted(unknown))}")
    done = read(options.results)
    known = {key(line) for line in done}
    wanted = [
        Wanted(name, seed, options.mode, options.minutes, options.cpu_minutes, options.examples)
        for seed in options.seeds
        for name in ((options.only or module.PROBLEMS) if options.minutes > 0 else ())
    ]
    missing = [each for each in wanted if tuple(each) not in known]
    for line in run_all(options.problems.resolve(), missing, options.workers):
        done.append(line)
        with options.results.open("a", encoding="utf-8") as file:
            print(json.dumps(line), file=file, flush=True)
        print(one_line(line), flush=True)
    figure = options.table and options.table.parent / "images" / "synthesis-examples.png"
    written = page(done, module.PROBLEMS, figure)
    print(written)
    if options.table:
        write(options.table, written)


def write(path: Path, written: str) -> None:
    """Write a page; of one that has the `MARK`, only the tables, behind it."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if MARK in before:
        tables = written[written.index("\n## ") + 1 :]
        written = f"{before[: before.index(MARK)]}{MARK}\n\n{tables}"
    path.write_text(written, encoding="utf-8")


class Wanted(NamedTuple):
    """What is run once."""

    problem: str
    seed: int
    mode: str
    minutes: float
    cpu_minutes: float
    examples: int | None


def key(line: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a line of the results is of, as `Wanted` says it."""
    early = {"cpu_minutes": 1e9, "examples": None}  # the first lines had no such keys
    return tuple({**early, **line}[name] for name in Wanted._fields)


def few_lines(lines: list[str], count: int) -> list[str]:
    """Return so many of the small examples, of all sizes by turns."""
    found: dict[int, list[str]] = {}
    for number, line in enumerate(lines):
        if (size := 1 + number % 6) in (FEW_SIZES if count < FEW else range(1, 7)):
            found.setdefault(size, []).append(line)
    turns = [line for turn in zip(*found.values(), strict=False) for line in turn]
    return turns[:count]


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


def run_all(
    problems: Path, wanted: list[Wanted], workers: str | None
) -> Iterator[dict[str, Any]]:
    """Run one after another, or as many at once as there are workers."""
    if workers is None or not wanted:
        yield from (run(problems, 1, each) for each in wanted)
        return
    together = 1 if "://" in workers else int(workers)
    with opened(workers) as given:
        assert given is not None
        for found in imap_unordered(partial(run, problems, together), wanted, given):
            if found is not None:
                yield found.result


def run(problems: Path, together: int, wanted: Wanted) -> dict[str, Any]:
    """Look for a program once, and test it; so many are run together on these cores."""
    name, seed, mode, minutes, cpu_minutes, examples = wanted
    module = load(problems)
    problem = module.PROBLEMS[name]
    given = module.lines(problem)
    given = given if examples is None else few_lines(given, examples)
    load_before, cpu_before = os.getloadavg()[0], _children()
    with tempfile.TemporaryDirectory() as folder:
        path, directory = Path(folder) / f"{name}.jsonl", Path(folder) / "run"
        path.write_text("\n".join(given), encoding="utf-8")
        begin = time.monotonic()
        cpu = 60 * cpu_minutes
        steps = problem.steps_per_size
        arguments = [path, directory, minutes, seed, steps, mode, cpu, together]
        process = subprocess.run(
            [sys.executable, "-c", WORKER, *map(str, arguments)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        line = {
            **wanted._asdict(), "kind": problem.kind, "date": f"{date.today()}",
            "cores": len(os.sched_getaffinity(0)), "together": together,
            "seconds": round(time.monotonic() - begin, 1),
            "cpu_seconds": round(_children() - cpu_before, 1),
            "load": round(load_before, 1), "status": process.returncode,
        }  # fmt: skip
        searched = directory / "search.json"
        if searched.exists():
            totals = json.loads(searched.read_text(encoding="utf-8"))
            line |= {key: totals[key] for key in ("tried", "runs", "attempts")}
            line["runs_per_second"] = round(totals["runs"] / max(totals["seconds"], 1e-9))
        line["executions"] = line.get("runs", 0) + trained(directory)
        program = directory / "program.py"
        if process.returncode not in (0, 1, 130):
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
        if (directory / "search").is_dir():
            line["came_back"] = came_back(directory)
        line["solved"] = line.get("wrong", "") is None
        return line


def came_back(directory: Path) -> bool:
    """Return whether the machine that was found, compiled anew of its wires, says the same."""
    found, again = directory / "search", directory / "compiled"
    _softmachine("compile", str(found), "--out", str(again))
    texts = [_softmachine("program", str(run)) for run in (found, again)]
    # What stands above says where a machine comes from, which may fold other lines.
    first, second = (text[text.index("\ndef ") :] for text in texts)
    return first == second


def _softmachine(*words: str) -> str:
    command = [sys.executable, "-m", "softmachine", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def trained(directory: Path) -> int:
    """Return how many examples all machines of a population were trained on."""
    total = 0
    for path in directory.glob("*/metrics.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        total += max((json.loads(line).get("sequences", 0) for line in lines), default=0)
    return total


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


if __name__ == "__main__":
    main()
