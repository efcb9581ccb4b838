"""Write the page that the docs' *Play* shows: machines that it runs by itself.

Usage: ``python viewer-ui/play.py site/play-machines.html``; ``make docs`` calls it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from softmachine.core.files import replacing
from softmachine.experiments import Experiment, Uniform
from softmachine.programs.notes import Provenance
from softmachine.recipes import get_recipe
from softmachine.tasks.memories.given import Given
from softmachine.viewer.live_file import Living, live_page
from softmachine.wiring.circuit_text import parse_circuits
from softmachine.wiring.compiling import compile_wiring
from softmachine.zoo.models import open_model

MACHINES = ("nram-copy", "ntm-copy", "nram-merge", "nram-reverse", "stack-rnn-an-bn")
"""The zoo's machines of the page, by name; the first one runs when it is opened."""
SORT = Path(__file__).parent / "sort.txt"
"""The circuits of a program that sorts."""
LENGTHS = range(2, 13)
"""The lengths of the lists that it is shown on."""


def living(name: str) -> Living:
    """Return a model of the zoo as the page shows it."""
    model = open_model(name)
    card = model.card
    origin = Provenance(f"zoo:{name}", card["recipe"], card["seed"], card["commit"])
    return Living(f"zoo:{name}", model.experiment, model.machine, origin)


def sorting() -> Living:
    """Return the machine that sorts, compiled of the circuits that a search found."""
    config, table = parse_circuits(SORT.read_text(encoding="utf-8"))
    rng = np.random.default_rng(0)
    lists = [rng.integers(1, n + 1, n).tolist() for n in LENGTHS for _ in range(8)]
    lines = [
        json.dumps({"input": [*x, 0], "output": [*sorted(x), 0], "size": len(x)}) for x in lists
    ]
    machine = compile_wiring(config, table)
    base = get_recipe("nram-copy")
    lengths = Uniform(smallest=LENGTHS[0], largest=LENGTHS[-1])
    experiment = Experiment(
        recipe="sort",
        task=Given(examples="\n".join(lines), steps_per_size=0, searched=True),
        machine=machine.config,
        training=dataclasses.replace(base.training, curriculum=lengths),
    )
    origin = "softmachine synthesize, seed 0 (benchmarks/synthesis-earlier-results.jsonl)"
    about = "Sort the numbers before the first 0."
    return Living("sort", experiment, machine, origin, about)


def untrained() -> Living:
    """Return the machine of recipe ntm-copy before its training, which the page can do."""
    experiment = get_recipe("ntm-copy")
    origin = f"recipe ntm-copy, seed {experiment.training.seed}, not trained"
    about = (
        "Copy the vectors before the delimiter. Its weights are random numbers: train it, here "
        "and now, as softmachine train ntm-copy does, and watch its heads."
    )
    machine = experiment.build_machine()
    return Living("ntm-copy, untrained", experiment, machine, origin, about, trains=True)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    shown = [*map(living, MACHINES)]
    shown.insert(1, sorting())
    shown.append(untrained())
    text = live_page(shown)
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"{out}: {len(shown)} machines, {len(text) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
