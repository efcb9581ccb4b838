"""Does anything break it? Kills at random moments, damaged files, hostile input; a table.

    python benchmarks/endurance                                # all of it: under an hour
    python benchmarks/endurance --kills 12 --damaged 0 --hostile 0 --seed 3

Needs no network and writes to a temporary directory alone, which it leaves where something
broke, and ends with status 1 then. A seed draws the same cases, but not the same moments.
"""

from __future__ import annotations

import argparse
import atexit
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

BAD = ("traceback", "unforeseen", "silently different", "otherwise", "hangs", "crashes")
GOOD = ("refused in a line", "told, and went on", "as ever")


def main() -> None:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="how many trainings are killed")
    parser.add_argument("--damaged", type=int, default=500, help="how many damaged files")
    parser.add_argument("--hostile", type=int, default=500, help="how many hostile inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="softmachine-endurance-"))
    fine: list[bool] = []
    # Registered before multiprocessing is imported, and so done after its own tidying.
    atexit.register(lambda: shutil.rmtree(folder) if fine else None)
    # One cache for all processes, which compile the same small programs.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "cache")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    os.environ["SOFTMACHINE_CACHE"] = str(folder / "cache")
    os.environ["TMPDIR"] = str(folder / "temporary")
    (folder / "temporary").mkdir()
    tempfile.tempdir = None
    os.chdir(folder)
    broken = _kills(options, folder) if options.kills else 0
    broken += _damaged(options, folder) if options.damaged else 0
    broken += _hostile(options) if options.hostile else 0
    if broken:
        sys.exit(f"{broken} broke; what was broken is in {folder}")
    fine.append(True)


def _say(words: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _kills(options: argparse.Namespace, folder: Path) -> int:
    import small
    from kills import kill_trainings

    small.write_examples(folder)
    tallies = kill_trainings(options.kills, folder, random.Random(options.seed), _say)
    print(f"{'killed':24}{'trainings':>10}{'kills':>8}{'lost':>8}{'files left':>12}")
    for tally in tallies:
        print(f"{tally.name:24}{tally.trainings:>10}{tally.kills:>8}{tally.lost:>8}"
              f"{tally.left:>12}")  # fmt: skip
        for reason in tally.reasons:
            print(f"    {reason}")
    return sum(tally.lost + tally.left for tally in tallies)


def _damaged(options: argparse.Namespace, folder: Path) -> int:
    import damage
    from workers import in_workers, start

    bases = folder / "bases"
    bases.mkdir()
    process = start(damage.make_bases, bases, log=folder / "bases.log")
    process.join()
    if process.exitcode:
        sys.exit((folder / "bases.log").read_text())
    cases = damage.cases(bases, options.damaged, options.seed)
    jobs = ((case, str(bases)) for case in cases)
    return _table("damaged", in_workers(damage.judge, jobs, options.processes),
                  lambda job: job[0].kind)  # fmt: skip


def _hostile(options: argparse.Namespace) -> int:
    import hostile
    from workers import in_workers

    cases = hostile.cases(options.hostile, options.seed)
    return _table("hostile", in_workers(hostile.judge, cases, options.processes),
                  lambda case: case[0])  # fmt: skip


def _table(title: str, judged, kind_of) -> int:
    """Count what cases came to and print it by kinds; return how many broke."""
    counts: dict[str, Counter[str]] = {}
    reasons = []
    for number, (case, found) in enumerate(judged, 1):
        word, why = (found.status, "") if hasattr(found, "status") else found
        counts.setdefault(kind_of(case), Counter())[word] += 1
        if word in BAD:
            reasons.append(f"    {word}: {case}: {' '.join(str(why).split())}")
            _say(reasons[-1])
        if number % 50 == 0:
            _say(f"{title}: {number}")
    words = [*GOOD, *BAD]
    print(f"\n{title:24}" + "".join(f"{word:>20}" for word in words))
    for kind in sorted(counts):
        print(f"{kind:24}" + "".join(f"{counts[kind][word]:>20}" for word in words))
    total = sum(counts.values(), Counter())
    print(f"{'all':24}" + "".join(f"{total[word]:>20}" for word in words))
    print("\n".join(reasons))
    return sum(total[word] for word in BAD)


if __name__ == "__main__":
    main()
