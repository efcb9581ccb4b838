"""Fetching data sets, which do not come with the package."""

from __future__ import annotations

from pathlib import Path

from softmachine.cli.folding import folded
from softmachine.tasks.one_shot.omniglot_download import (
    ADDRESS,
    CITATION,
    LICENCE,
    SMALL,
    TERMS,
    WHOLE,
    fetch,
)
from softmachine.tasks.one_shot.omniglot_files import FETCHED


def fetch_omniglot(out: Path | None, small: bool, mirror: str | None) -> None:
    """Fetch Omniglot's original files, those that are not there yet; say what they are."""
    directory = out or (FETCHED.with_name("omniglot-small") if small else FETCHED)
    originals = SMALL if small else WHOLE
    print("Omniglot: handwritten characters, each drawn by 20 people")
    print(f"Licence:  {LICENCE}")
    print(folded(f"Cite:     {CITATION}", 10))
    print(f"From:     {mirror or ADDRESS}")
    for original in originals:
        print(f"  {original.name:28} {original.size:>9,} bytes  ", end="", flush=True)
        try:
            new = fetch(original, directory, mirror or ADDRESS)
        except BaseException:
            print("not fetched")
            raise
        print("fetched" if new else "was there")
    split = "alphabet" if small else "santoro"
    print(f"All are as published. The terms of use are in {directory / TERMS.name}.")
    print(f'In Python: softmachine.tasks.Omniglot(path="{directory}", split="{split}")')
