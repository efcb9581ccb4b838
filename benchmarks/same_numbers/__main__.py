"""Do two checkouts of this project compute the same, bit for bit, on this machine?

Usage: ``python benchmarks/same_numbers OLD NEW``. Each of the two is a checkout, or a folder
that ``--keep`` made of one. Ends with status 1 if anything differs, 2 if it cannot be told.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import Part, compare

HERE = Path(__file__).resolve().parent
STAGES: dict[str, dict[str, str]] = {
    "trainings": {},
    # Many programs, each run once: they are compiled as they stand.
    "machines": {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
}
"""What is produced, a process each, and how JAX is set for it."""


def main() -> int:
    """Produce what is not there yet, compare, print; return the exit status."""
    parser = argparse.ArgumentParser(prog="same_numbers", description=__doc__.splitlines()[0])
    parser.add_argument(
        "sides", nargs="+", type=Path, metavar="OLD NEW",
        help="two checkouts, or folders kept of them; one alone is only kept",
    )  # fmt: skip
    parser.add_argument(
        "--python", default=sys.executable, help="runs both; has what the package needs"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR",
        help="keep what both produce in DIR/old and DIR/new; of one checkout in DIR",
    )  # fmt: skip
    parser.add_argument(
        "--accept", action="append", default=[], metavar="PATTERN",
        help="differences that match do not count, such as '*experiment*'; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--only", choices=STAGES, help="half of it: trainings, or machines of the zoo"
    )
    options = parser.parse_args()
    stages = [options.only] if options.only else list(STAGES)
    if len(options.sides) > 2 or (len(options.sides) == 1 and options.keep is None):
        parser.error("name two checkouts, or one and --keep DIR")
    for side in options.sides:
        if not kept(side, stages) and not (side / "pyproject.toml").is_file():
            parser.error(f"{side} is neither a checkout nor a folder kept of one")
    with tempfile.TemporaryDirectory(prefix="same-numbers-") as temporary:
        home = options.keep or Path(temporary)
        cache = Path(temporary) / "compiled"
        if len(options.sides) == 1:
            produced(options.sides[0], home, stages, options.python, cache)
            print(f"kept in {home}")
            return 0
        places = [home / "old", home / "new"]
        old, new = (
            side if kept(side, stages) else produced(side, place, stages, options.python, cache)
            for side, place in zip(options.sides, places, strict=True)
        )
        elsewhere = differing_facts(old, new, stages)
        if elsewhere:
            print(f"made with another {', another '.join(elsewhere)}: bits may differ by that")
        return report(compare(old, new, stages), options.accept)


def kept(folder: Path, stages: list[str]) -> bool:
    """Return whether a folder holds all of these stages."""
    return all((folder / f"{stage}.facts.json").is_file() for stage in stages)


def produced(checkout: Path, folder: Path, stages: list[str], python: str, cache: Path) -> Path:
    """Let a checkout produce everything in a new folder; exit with status 2 if it cannot."""
    folder = folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        print(f"{folder} is not empty: give another --keep", file=sys.stderr)
        raise SystemExit(2)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{checkout} (logs in {folder})", flush=True)
    environment = os.environ | {
        "PYTHONPATH": str(checkout.resolve()),
        "JAX_NUM_CPU_DEVICES": "2",
        # What both compile alike is compiled once: the program's text is its key.
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    processes = {}
    for stage in stages:
        command = [
            python,
            str(HERE / "produce.py"),
            stage,
            str(checkout.resolve()),
            str(folder),
        ]
        with (folder / f"{stage}.log").open("w") as log:
            processes[stage] = subprocess.Popen(
                command, env=environment | STAGES[stage], stdout=log, stderr=subprocess.STDOUT
            )
    failed = [stage for stage, process in processes.items() if process.wait()]
    for stage in failed:
        tail = (folder / f"{stage}.log").read_text().splitlines()[-15:]
        print(f"{stage} of {checkout} failed:", *tail, sep="\n  ", file=sys.stderr)
    if failed:
        raise SystemExit(2)
    return folder


def differing_facts(old: Path, new: Path, stages: list[str]) -> list[str]:
    """Return in what the circumstances differ, in which two folders were made."""
    name = f"{stages[0]}.facts.json"
    one, other = (json.loads((side / name).read_text()) for side in (old, new))
    return [fact for fact in one if one[fact] != other.get(fact)]


def report(parts: list[Part], accepted: list[str]) -> int:
    """Print all differences and a table; return the exit status."""
    different = 0
    rows = []
    for part in parts:
        mine = [
            text
            for text in part.differences
            if not any(fnmatch.fnmatch(text, pattern) for pattern in accepted)
        ]
        if mine:
            print(f"\n{part.name}:")
            print(*(f"  {text}" for text in mine), sep="\n")
        rows.append(
            [part.name, part.same, part.renamed, len(part.differences) - len(mine), len(mine)]
        )
        different += len(mine)
    print(f"\n{'':<24}{'same':>8}{'renamed':>10}{'accepted':>10}{'different':>11}")
    for name, *counts in rows:
        print(
            f"{name:<24}"
            + "".join(f"{n:>{w}}" for n, w in zip(counts, (8, 10, 10, 11), strict=True))
        )
    if not all(part.same + part.renamed + len(part.differences) for part in parts):
        print("a part is empty: nothing is proved")
        return 2
    print("no difference" if not different else f"{different} DIFFERENCES")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
