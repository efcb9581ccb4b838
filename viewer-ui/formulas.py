"""Write viewer-ui/formulas.json: the formulas that the machines of the package declare.

Usage: ``python viewer-ui/formulas.py``. The page's build turns them into MathML, so that the
page itself needs no TeX; a formula that is not among them is shown as TeX.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax

from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig

PATH = Path(__file__).with_name("formulas.json")
CONFIGS = (NTMConfig(), NRAMConfig())


def formulas() -> list[str]:
    """Return all formulas, each once."""
    machines = [config.build(1, 1, key=jax.random.key(0)) for config in CONFIGS]
    found = [field.formula for machine in machines for field in machine.trace_fields()]
    return list(dict.fromkeys(filter(None, found)))


if __name__ == "__main__":
    PATH.write_text(json.dumps(formulas(), indent=2) + "\n", encoding="utf-8")
