"""Training throughput of the MANN of one-shot learning, beside PyTorch.

Usage: ``python benchmarks/one_shot_throughput.py --help``. Trains the recipe ``mann-glyphs`` as
the trainer does, its episodes drawn inside of the compiled loop, and our own PyTorch version of
the same machine (``pytorch_mann.py``), which is given episodes made beforehand. Contenders take
turns, as in ``throughput.py``, and first have to compute the same (``one_shot_agreement.py``).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from throughput import (
    BUSY,
    HERE,
    NAMES,
    BenchmarkError,
    add_ratios,
    compare,
    duration,
    positive,
    require_torch,
    surroundings,
    write_json,
)
from worker import available_cores
from workload import OneShot

REFERENCE = "mann"
CONTENDERS = (REFERENCE, "torch-mann", "torch-mann-compiled")


def table(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, one number of cores after the other."""
    yield "                             episodes/second           softmachine first upd.  peak"
    yield " cores contender              median (min .. max)     is faster         s   MiB"
    last = None
    for entry in records:
        cores, name = (entry["workload"][key] for key in ("cores", "contender"))
        low, high = entry["sequences_per_second_range"]
        ratio = entry.get("softmachine_times_faster")
        shown = "" if name == REFERENCE or ratio is None else f"{ratio:.1f} x"
        yield (
            f"{cores if cores != last else '':>6} {NAMES[name]:<23}"
            f"{entry['sequences_per_second']:>6.0f} {f'({low:.0f} .. {high:.0f})':<18}"
            f"{shown:>9}{entry['first_update_seconds']:>10.1f}{entry['peak_memory_mib']:>6.0f}"
        )
        last = cores


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Training throughput of the MANN.")
    parser.add_argument(
        "--cores", type=positive, nargs="+", metavar="N",
        default=sorted({1, available_cores()}),
        help="numbers of cores to compare on (default: one, and all)",
    )  # fmt: skip
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS, metavar="NAME",
        help=f"who takes part (default: {' '.join(CONTENDERS)})",
    )  # fmt: skip
    parser.add_argument("--repetitions", type=positive, default=9, metavar="N")
    parser.add_argument(
        "--seconds", type=duration, default=5.0, metavar="S",
        help="approximate length of one repetition (default: 5)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    options = parser.parse_args(arguments)
    if max(options.cores) > available_cores():
        parser.error(f"there are {available_cores()} cores, not {max(options.cores)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, measure, print; return the exit status."""
    options = parse(arguments)
    try:
        report = {"schema": 1, "surroundings": surroundings()}
        if set(options.contenders) > {REFERENCE}:
            require_torch()
            checked = subprocess.run([sys.executable, HERE / "one_shot_agreement.py"])
            if checked.returncode:
                return 1
        place = report["surroundings"]
        print(f"{place['cpu']}, {place['cores']} cores; Python {place['python']}")
        print(f"load average at the start {place['load_before']:.1f}")
        if place["load_before"] > BUSY:
            print("The machine is busy: this hurts PyTorch most, do not quote the ratios.")
        report["comparison"] = []
        for cores in options.cores:
            workloads = [OneShot(contender=name, cores=cores) for name in options.contenders]
            records = compare(
                workloads, repetitions=options.repetitions, seconds=options.seconds
            )
            add_ratios(records, REFERENCE)
            report["comparison"] += records
        print("", *table(report["comparison"]), sep="\n")
        if options.json:
            write_json(options.json, report)
    except (BenchmarkError, OSError) as error:
        print(f"one_shot_throughput.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
