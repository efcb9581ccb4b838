"""Training throughput of a DNC beside pytorch-dnc, and what rows of memory cost.

Usage: ``python benchmarks/dnc.py --help``. Contenders take turns, as in ``throughput.py``.
``--rows`` measures softmachine alone: an update against the number of rows, with dense links,
with sparse ones, and with none.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from beside import add_options, begin, checkout, table
from throughput import BenchmarkError, add_ratios, compare, positive, require_torch, write_json
from workload import DNCWork

REFERENCE, PEER = "dnc", "pytorch-dnc"
LINKS = ("dense", "sparse", "none")
MOST_DENSE = 1024
"""Dense links of more rows are not measured: their state grows with the square of these."""


def run_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure softmachine alone against the number of rows, for each kind of links."""
    results = []
    for rows in options.rows:
        kinds = [kind for kind in LINKS if kind != "dense" or rows <= MOST_DENSE]
        base = DNCWork(contender=REFERENCE, batch=options.rows_batch, memory_rows=rows)
        works = [dataclasses.replace(base, links=kind) for kind in kinds]
        results += compare(works, repetitions=options.repetitions, seconds=options.seconds)
    return results


def rows_table(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield milliseconds per update and peak memory by rows and links."""
    yield "  rows  links    ms an update  peak MiB"
    for entry in records:
        work = entry["workload"]
        yield (
            f"{work['memory_rows']:>6}  {work['links']:<7}{entry['update_milliseconds']:>14.1f}"
            f"{entry['peak_memory_mib']:>10.0f}"
        )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Training throughput of a DNC.")
    parser.add_argument(
        "--peer", type=lambda text: checkout(text, PEER, "dnc/dnc.py"), metavar=f"{PEER}=PATH",
        help="a checkout of the public ixaxaar/pytorch-dnc to measure beside",
    )  # fmt: skip
    parser.add_argument(
        "--batches", type=positive, nargs="+", default=[1, 16, 64], metavar="N",
        help="batch sizes to compare at (default: 1 16 64)",
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=positive, nargs="*", default=[], metavar="N",
        help="numbers of rows to measure softmachine's cost at, such as 64 256 1024 4096",
    )  # fmt: skip
    parser.add_argument("--rows-batch", type=positive, default=4, metavar="N")
    add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; return the exit status."""
    options = parse(arguments)
    try:
        if options.peer:
            require_torch()
        report = begin()
        report["comparison"] = []
        for batch in options.batches:
            works = [DNCWork(contender=REFERENCE, batch=batch)]
            if options.peer:
                works.append(DNCWork(contender=PEER, batch=batch, peer_path=options.peer))
            records = compare(works, repetitions=options.repetitions, seconds=options.seconds)
            add_ratios(records, REFERENCE)
            report["comparison"] += records
        print(*table(report["comparison"], REFERENCE), sep="\n")
        report["rows"] = run_rows(options)
        if options.rows:
            print("", *rows_table(report["rows"]), sep="\n")
        if options.json:
            write_json(options.json, report)
    except (BenchmarkError, OSError) as error:
        print(f"dnc.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
