"""Write the page that the docs' *Play* shows: machines of the zoo, which it runs by itself.

Usage: ``python viewer-ui/play.py site/play-machines.html``; ``make docs`` calls it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from softmachine.core.files import replacing
from softmachine.programs.notes import Provenance
from softmachine.viewer.live_file import Living, live_page
from softmachine.zoo.models import open_model

MACHINES = ("nram-copy", "ntm-copy", "nram-merge", "nram-reverse", "stack-rnn-an-bn")
"""The zoo's machines of the page, by name; the first one runs when it is opened."""


def living(name: str) -> Living:
    """Return a model of the zoo as the page shows it."""
    model = open_model(name)
    card = model.card
    origin = Provenance(f"zoo:{name}", card["recipe"], card["seed"], card["commit"])
    return Living(f"zoo:{name}", model.experiment, model.machine, origin)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    text = live_page([living(name) for name in MACHINES])
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"{out}: {len(MACHINES)} machines, {len(text) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
