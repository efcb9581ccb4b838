"""Make the stored numbers anew: ``python tests/frozen/make.py``, from the repository's root.

Only after a change that is meant to change them, or for a new machine of the zoo. First see by
``python benchmarks/same_numbers OLD NEW`` what became different, and by how much.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

HOME = Path(__file__).parent


def main() -> None:
    """Write ``numbers.npz`` and ``programs.json`` beside this file."""
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
    import numpy as np
    import probing

    numbers = {}
    for name in probing.zoo_names():
        numbers |= {f"{name}/{key}": x for key, x in probing.probed(probing.load(name)).items()}
    for name in probing.TRAININGS:
        with tempfile.TemporaryDirectory() as directory:
            found = probing.train(*probing.training(name), Path(directory) / "run")
        numbers |= {f"training {name}/{key}": x for key, x in found.items()}
    np.savez_compressed(HOME / "numbers.npz", **numbers)
    programs = {name: probing.program_hashes(name) for name in probing.zoo_names("nram-")}
    (HOME / "programs.json").write_text(json.dumps(programs, indent=1) + "\n")


if __name__ == "__main__":
    main()
