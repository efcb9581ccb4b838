"""Everything that two checkouts are compared by, made by the one that PYTHONPATH names.

Usage: ``python produce.py STAGE CHECKOUT FOLDER``; ``same_numbers`` runs it. It uses the
command line, and `tests/frozen/probing.py` beside this script, not that of the other checkout;
names of the package stand there and in `TRAININGS`.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np

Main = Callable[[list[str]], None]

TRAININGS = {
    "ntm-copy": ["ntm-copy", "--training.max-sequences", "64"],
    "ntm-ff-copy": ["ntm-ff-copy", "--training.max-sequences", "64"],
    "nram-copy": ["nram-copy", "--training.max-sequences", "256"],
    "nram-copy-lstm": [
        "nram-copy", "--training.max-sequences", "256", "--machine.controller.kind", "lstm",
    ],
    "nram-access-x4": ["nram-access", "--training.max-sequences", "256", "--members", "4"],
}  # fmt: skip
OFTEN = {"ntm": "16", "nram": "64"}
"""Sequences between validations."""
TRACED = {"ngrams": 20, "nram": 4}
"""Sizes of the examples that are traced, by a part of the machine's name; others 3."""


def trainings(main: Main) -> None:
    """Write ``runs``, and the ledger of them."""
    for name, arguments in TRAININGS.items():
        often = ("--training.validate-every", OFTEN[name.split("-")[0]])
        call(main, "train", *arguments, *often, "--run", f"runs/{name}")
    call(main, "ledger", *(f"runs/{name}" for name in TRAININGS), "--sequences", "4")


def machines(main: Main) -> None:
    """Write outputs and gradients, traces and programs of the zoo."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "frozen"))
    import probing

    for kind in ("probes", "programs", "traces"):
        Path(kind).mkdir()
    for name in probing.zoo_names("nram-"):
        for language in probing.LANGUAGES:
            file = f"programs/{name}.{language}"
            call(main, "program", f"zoo:{name}", "--to", language, "--out", file)
    for name in probing.zoo_names():
        say(f"outputs and gradients of {name}")
        arrays = {}
        for scale in probing.SCALES:
            outputs, gradient = probing.probe(probing.load(name), scale)
            arrays |= {f"outputs {scale}/{i}": x for i, x in enumerate(outputs)}
            arrays |= {f"gradient {scale}/{key}": x for key, x in gradient.items()}
        np.savez(f"probes/{name}.npz", **arrays)
        size = next((size for part, size in TRACED.items() if part in name), 3)
        file = f"traces/{name}.safetensors"
        call(main, "trace", f"zoo:{name}", "--size", str(size), "--out", file)


def command_line(checkout: Path) -> Main:
    """Return what ``softmachine`` calls; SystemExit if the package is not the checkout's."""
    import softmachine

    home = Path(softmachine.__file__).resolve()
    if not home.is_relative_to(checkout.resolve()):
        raise SystemExit(f"this is not the package of {checkout}: {home}")
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    module, function = project["scripts"]["softmachine"].split(":")
    return getattr(importlib.import_module(module), function)


def call(main: Main, *arguments: str) -> None:
    """Run one command; raise SystemExit if it fails."""
    say("softmachine " + " ".join(arguments))
    try:
        main(list(arguments))
    except SystemExit as end:
        if end.code:
            raise


START = time.monotonic()


def say(text: str) -> None:
    """Tell what comes next, apart from what commands print."""
    print(f"[{time.monotonic() - START:4.0f} s] {text}", file=sys.stderr, flush=True)


def facts() -> dict[str, str]:
    """Return what bits depend on besides the package."""
    import jax
    import jaxlib

    flags = set()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = {line.split(":")[1] for line in lines if line.startswith(("flags", "Features"))}
    return {
        "processor": platform.machine() + "".join(sorted(flags)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "devices": str(len(jax.devices())),
    }


if __name__ == "__main__":
    stage = {"trainings": trainings, "machines": machines}[sys.argv[1]]
    os.chdir(sys.argv[3])
    stage(command_line(Path(sys.argv[2])))
    Path(f"{sys.argv[1]}.facts.json").write_text(json.dumps(facts(), indent=1))
