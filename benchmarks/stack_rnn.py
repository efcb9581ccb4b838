"""Training throughput of the vector Stack-RNN beside the code of its paper.

Usage: ``python benchmarks/stack_rnn.py --help``. Contenders take turns, as in throughput.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence

from beside import add_options, begin, checkout, table
from throughput import BenchmarkError, add_ratios, compare, positive, write_json
from workload import StackWork

REFERENCE, PEER = "stack-rnn", "chomsky"
NEEDED = ("haiku", "tree", "chex", "tqdm", "einshape")
"""Modules that the paper's code imports besides those of this package."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Training throughput of the vector Stack-RNN.")
    parser.add_argument(
        "--peer", type=lambda text: checkout(text, PEER, "models/stack_rnn.py"),
        metavar=f"{PEER}=PATH",
        help="a checkout of google-deepmind/neural_networks_chomsky_hierarchy",
    )  # fmt: skip
    parser.add_argument(
        "--batches", type=positive, nargs="+", default=[32, 128], metavar="N",
        help="batch sizes to compare at (default: 32 128, ours and the paper's)",
    )  # fmt: skip
    add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; return the exit status."""
    options = parse(arguments)
    try:
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if options.peer and missing:
            raise BenchmarkError(f"the paper's code needs what is missing: {' '.join(missing)}")
        report = begin()
        report["comparison"] = []
        for batch in options.batches:
            works = [StackWork(contender=REFERENCE, batch=batch)]
            if options.peer:
                works.append(StackWork(contender=PEER, batch=batch, peer_path=options.peer))
            records = compare(works, repetitions=options.repetitions, seconds=options.seconds)
            add_ratios(records, REFERENCE)
            report["comparison"] += records
        print(*table(report["comparison"], REFERENCE), sep="\n")
        if options.json:
            write_json(options.json, report)
    except (BenchmarkError, OSError) as error:
        print(f"stack_rnn.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
