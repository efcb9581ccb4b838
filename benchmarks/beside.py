"""What benchmarks beside other people's code share: options, the first lines, the table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from throughput import BUSY, NAMES, duration, positive, surroundings


def checkout(text: str, name: str, file: str) -> str:
    """Parse ``NAME=PATH``; return the path if there is a checkout with a file."""
    found, separator, path = text.partition("=")
    if not separator or found != name:
        raise argparse.ArgumentTypeError(f"must be {name}=PATH, not {text!r}")
    if not (Path(path) / file).is_file():
        raise argparse.ArgumentTypeError(f"no checkout of {name} in {path!r}: no {file}")
    return str(Path(path).resolve())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how long is measured, and where to."""
    parser.add_argument("--repetitions", type=positive, default=5, metavar="N")
    parser.add_argument(
        "--seconds", type=duration, default=2.0, metavar="S",
        help="approximate length of one repetition (default: 2)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")


def begin() -> dict[str, Any]:
    """Print where it is measured, and return the report's first entries."""
    report = {"schema": 1, "surroundings": surroundings()}
    place = report["surroundings"]
    print(f"{place['cpu']}, {place['cores']} cores; Python {place['python']}")
    print(f"load average at the start {place['load_before']:.1f}")
    if place["load_before"] > BUSY:
        print("The machine is busy: do not quote the ratios.")
    print()
    return report


def table(records: Sequence[dict[str, Any]], reference: str) -> Iterator[str]:
    """Yield the lines of a table of contenders, one batch size after the other."""
    yield "                            sequences/second          softmachine first upd.  peak"
    yield " batch contender              median (min .. max)     is faster         s   MiB"
    last = None
    for entry in records:
        batch, name = (entry["workload"][key] for key in ("batch", "contender"))
        low, high = entry["sequences_per_second_range"]
        ratio = entry.get("softmachine_times_faster")
        shown = "" if name == reference or ratio is None else f"{ratio:.1f} x"
        yield (
            f"{batch if batch != last else '':>6} {NAMES[name]:<23}"
            f"{entry['sequences_per_second']:>6.0f} {f'({low:.0f} .. {high:.0f})':<18}"
            f"{shown:>9}{entry['first_update_seconds']:>10.1f}{entry['peak_memory_mib']:>6.0f}"
        )
        last = batch
