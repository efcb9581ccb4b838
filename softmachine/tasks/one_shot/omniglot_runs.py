"""The 20 runs of Lake et al.: 20 characters of one alphabet, one drawing each to learn from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt8

from softmachine.core.errors import ImagesError
from softmachine.tasks.one_shot.omniglot_files import (
    arrays_of,
    fetching,
    first_file,
    packed_bits,
    read_bits,
    reduced,
)
from softmachine.tasks.one_shot.pictures import File, files_in, files_in_zip, open_zip

ARRAYS = "omniglot-runs.npz"
ZIP = "all_runs.zip"
RUN_FILE = re.compile(r"(run\d+)/(training/class\d+\.png|test/item\d+\.png|class_labels\.txt)")
EXPECTED = f"{ZIP}, its unpacked folders (run01/training/class01.png ...), or {ARRAYS}"


class Runs(NamedTuple):
    """Runs of one-shot classification: which drawing to learn from is like the one asked for.

    In each run all drawings are of one alphabet, those to learn from by one drawer, those
    asked for by another. Whoever is scored on them must not have trained on the evaluation
    set. Source: Lake, Salakhutdinov and Tenenbaum 2015.
    """

    support: UInt8[np.ndarray, "runs classes side side"]
    """One drawing of each character; ink bright, 0 to 255."""
    query: UInt8[np.ndarray, "runs items side side"]
    answers: Int32[np.ndarray, "runs items"]
    """For each item asked for, which drawing of ``support`` has the same character."""


@lru_cache(maxsize=4)
def load_runs(path: str, side: int) -> Runs:
    """Return the runs, their drawings averaged to ``side`` by ``side``.

    Arguments:
        path: ``all_runs.zip``, ``omniglot-runs.npz``, or a folder that has one of them or the
            unpacked folders of the runs.
        side: pixels each way; 105 is the original.

    Raises ImagesError if there are no runs, or if they cannot be read.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        place = first_file(place, (ARRAYS, ZIP)) or place
    elif not place.exists():
        raise ImagesError(
            f"{place} does not exist: '{fetching(place)}' fetches Omniglot; or name another "
            f"path, with {EXPECTED}"
        )
    if place.is_dir():
        support, query, answers = _from_files(files_in(place), place)
    elif _has_arrays(place):
        support, query, answers = _from_arrays(place)
    else:
        with files_in_zip(place) as files:
            support, query, answers = _from_files(files, place)
    runs = Runs(reduced(support, side), reduced(query, side), answers)
    for array in runs:
        array.flags.writeable = False  # all who ask for it have the same one
    return runs


def _has_arrays(path: Path) -> bool:
    with open_zip(path) as archive:
        return any(name.endswith(".npy") for name in archive.namelist())


def _from_arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with arrays_of(path) as arrays:
        support, query = arrays["support_bits"], arrays["query_bits"]
        answers = arrays["answers"]
    if (
        not packed_bits(support, 3)
        or not packed_bits(query, 3)
        or answers.dtype.kind not in "iu"
        or answers.shape != query.shape[:2]
        or len(support) != len(query)
        or not answers.size
        or not 0 <= answers.min() <= answers.max() < support.shape[1]
    ):
        raise ImagesError(f"{path} has arrays that are not those of runs")
    return support, query, answers.astype(np.int32)


def _from_files(
    files: Iterable[File], place: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    runs: dict[str, dict[str, File]] = {}
    for file in files:
        if found := RUN_FILE.fullmatch("/".join(file.parts[-3:])) or RUN_FILE.fullmatch(
            "/".join(file.parts[-2:])
        ):
            runs.setdefault(found[1], {})[found[2]] = file
    if not runs:
        raise ImagesError(f"{place} has no runs of Omniglot; it should have {EXPECTED}")
    read = [_run(runs[name], f"{place}: {name}") for name in sorted(runs)]
    if len({(len(support), len(query)) for support, query, _ in read}) > 1:
        raise ImagesError(f"{place}: some runs have fewer drawings than others")
    support, query, answers = (np.stack(arrays) for arrays in zip(*read, strict=True))
    return support, query, answers


def _run(files: Mapping[str, File], where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the drawings of one run in the order of their names, and the answers."""
    training = sorted(name for name in files if name.startswith("training/"))
    tests = sorted(name for name in files if name.startswith("test/"))
    labels = files.get("class_labels.txt")
    if not training or not tests or labels is None:
        raise ImagesError(f"{where} lacks training/, test/ or class_labels.txt")
    answers = {}
    for line in labels.read().decode("utf-8", "replace").splitlines():
        names = [word.split("/", 1)[-1] for word in line.split()]
        if len(names) == 2 and names[1] in training:
            answers[names[0]] = training.index(names[1])
    if lacking := [name for name in tests if name not in answers]:
        raise ImagesError(f"{labels.where} does not say which class {lacking[0]} is")
    return (
        np.stack([read_bits(files[name]) for name in training]),
        np.stack([read_bits(files[name]) for name in tests]),
        np.array([answers[name] for name in tests], np.int32),
    )
