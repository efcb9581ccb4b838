"""Omniglot: 1,623 characters of 50 alphabets, each drawn by 20 people."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar, Literal, get_args

import numpy as np
from jaxtyping import Bool

from softmachine.core.choices import check_fields
from softmachine.core.errors import ImagesError
from softmachine.tasks.one_shot.images import Images, ImageSource, Part, grouped
from softmachine.tasks.one_shot.omniglot_files import (
    ALL,
    BACKGROUND,
    SIDE,
    Characters,
    fetching,
    read_characters,
    reduced,
)

SANTORO = 1200
"""The last character for training in the split of Santoro et al."""
EVERY = 4
"""Split by character: each so many-th character of an alphabet is for tests."""
TESTED = ("Balinese", "Early_Aramaic", "Tagalog")
TRAINED = ("Greek", "Japanese_(katakana)", "Korean", "Latin", "Sanskrit")
"""Alphabets of the two small background sets, split by alphabet."""


Split = Literal["santoro", "official", "alphabet", "character"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Omniglot(ImageSource):
    """Characters of Omniglot, from files on this computer.

    ``softmachine data omniglot`` fetches them. The split says which characters are for tests:

    ============ ============================================================================
    split        for tests are
    ============ ============================================================================
    santoro      characters 1201 to 1623, as in Santoro et al. 2016: some share an alphabet
                 with others for training; all 1,623 have to be there
    official     the evaluation set: no alphabet of it is trained on
    alphabet     Balinese, Early Aramaic, Tagalog; of the two small background sets alone
    character    the 4th, 8th, 12th ... character of each alphabet
    ============ ============================================================================

    Smaller images are exact averages over equal squares. The data set is by Lake,
    Salakhutdinov and Tenenbaum, Human-level concept learning through probabilistic program
    induction, Science 350 (6266), 2015, under the MIT licence.
    """

    original_side: ClassVar[int | None] = SIDE

    path: str
    """``images_background.zip``, ``images_evaluation.zip``, ``images_background_small1.zip``
    or ``..._small2.zip``, the folder that such a zip is unpacked to, a folder with any of
    these, or ``omniglot.npz`` or ``omniglot-small.npz``."""
    split: Split = "santoro"

    def __post_init__(self) -> None:
        """Check the split."""
        check_fields(self)

    @property
    def needs(self) -> str:
        """The files, which do not come with the package."""
        return (
            "Its examples are made of Omniglot, which does not come with the package: "
            f"`{fetching(Path(self.path))}` fetches it to where it is looked for."
        )

    @property
    def background_alone(self) -> bool:
        """Whether no split of these files can train on a character of the evaluation set."""
        return self.split in ("official", "alphabet")

    def images(self, part: Part, side: int) -> Images:
        """Read the characters of a part, their drawings ``side`` by ``side``."""
        characters = read_characters(self.path)
        tests = test_characters(characters, self.split)
        if isinstance(tests, str):
            others = [
                split
                for split in SPLITS
                if not isinstance(test_characters(characters, split), str)
            ]
            instead = f"; it can have {' or '.join(others)}" if others else ""
            raise ImagesError(f"{self.path}: split {self.split} {tests}{instead}")
        chosen = np.flatnonzero(tests == (part == "test"))
        alphabets = [characters.alphabets[i] for i in chosen]
        numbers = characters.in_alphabet[chosen]
        groups, group_names = grouped(alphabets)
        return Images(
            reduced(characters.bits[chosen], side),
            characters.counts[chosen],
            tuple(
                f"{alphabet}/character{number:02d}"
                for alphabet, number in zip(alphabets, numbers, strict=True)
            ),
            groups,
            group_names,
        )


def test_characters(
    characters: Characters, split: Split
) -> Bool[np.ndarray, " characters"] | str:
    """Return which characters are for tests, or why there can be no such split of them."""
    if split == "santoro":
        if not np.array_equal(characters.numbers, np.arange(ALL) + 1):
            return f"needs all {ALL:,} characters, these are {len(characters.numbers):,}"
        return characters.numbers > SANTORO
    if split == "official":
        tests = characters.numbers > BACKGROUND
        lacking = "background" if tests.all() else "evaluation"
        return f"needs the {lacking} set, too" if len({*tests}) == 1 else tests
    if split == "alphabet":
        others = sorted({*characters.alphabets} - {*TESTED, *TRAINED})
        if others:
            return f"is of the two small background sets, which have no {others[0]}"
        tests = np.isin(characters.alphabets, TESTED)
    else:
        tests = characters.in_alphabet % EVERY == 0
    if len({*tests}) == 1:
        return f"leaves no character {'to train on' if tests.all() else 'for tests'}"
    return tests
