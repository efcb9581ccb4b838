"""Lake's runs from the zip, its folders, and arrays."""

import os
from pathlib import Path

import numpy as np
import pytest

from softmachine.core.errors import ImagesError
from softmachine.tasks.one_shot.omniglot_runs import load_runs

SMALL = os.environ.get("SOFTMACHINE_OMNIGLOT_SMALL")
ANSWERS = [[2, 0, 1], [0, 2, 1]]


def files_of_runs(data_sets):
    files = {}
    for run, answers in enumerate(ANSWERS, start=1):
        name = f"run{run:02d}"
        lines = []
        for item, answer in enumerate(answers):
            query, support = (
                f"test/item{item + 1:02d}.png",
                f"training/class{answer + 1:02d}.png",
            )
            files[f"{name}/{query}"] = data_sets.png(~data_sets.drawing(run, 1, item))
            files[f"{name}/{support}"] = data_sets.png(~data_sets.drawing(run, 0, answer))
            lines.append(f"{name}/{query} {name}/{support}")
        files[f"{name}/class_labels.txt"] = "\r\n".join(lines[::-1]).encode()
    return files


def test_zip_folders_and_arrays_give_the_same(tmp_path, data_sets):
    files = files_of_runs(data_sets)
    (tmp_path / "zip").mkdir()
    data_sets.write_zip(tmp_path / "zip" / "all_runs.zip", files)
    data_sets.write_folder(tmp_path / "folders" / "all_runs", files)
    bits = [
        [[np.packbits(data_sets.drawing(run, kind, i)) for i in range(3)] for run in (1, 2)]
        for kind in (0, 1)
    ]
    np.savez(
        tmp_path / "omniglot-runs.npz",
        support_bits=bits[0],
        query_bits=bits[1],
        answers=np.array(ANSWERS, np.uint8),
    )
    places = ("zip", "zip/all_runs.zip", "folders", "folders/all_runs", "omniglot-runs.npz")
    for place in places:
        runs = load_runs(str(tmp_path / place), 105)
        assert runs.answers.tolist() == ANSWERS
        for run in range(2):
            for i in range(3):
                support, query = (
                    data_sets.drawing(run + 1, 0, i),
                    data_sets.drawing(run + 1, 1, i),
                )
                np.testing.assert_array_equal(runs.support[run, i], 255 * support)
                np.testing.assert_array_equal(runs.query[run, i], 255 * query)
    assert load_runs(str(tmp_path / "zip"), 20).support.shape == (2, 3, 20, 20)


def test_what_holds_no_runs_is_refused_in_a_sentence(tmp_path, data_sets):
    files = files_of_runs(data_sets)
    place = tmp_path / "all_runs.zip"

    def refused(match, **changes):
        if changes is not None:
            kept = {name: x for name, x in (files | changes).items() if x is not None}
            data_sets.write_zip(place, kept)
        with pytest.raises(ImagesError, match=match):
            load_runs(str(place), 20)

    labels, item = "run01/class_labels.txt", "run02/test/item02.png"
    refused("run01 lacks training/, test/ or class_labels.txt", **{labels: None})
    refused(r"labels.txt does not say which class test/item01.png is", **{labels: b"\xff what"})
    refused("some runs have fewer drawings", **{item: None})
    refused(f"all_runs.zip: {item} is no PNG or JPEG image", **{item: b""})
    data_sets.write_zip(place, {"other.txt": b""})
    with pytest.raises(
        ImagesError, match=r"has no runs of Omniglot; it should have all_runs.zip"
    ):
        load_runs(str(place), 20)
    with pytest.raises(ImagesError, match=r"not exist: 'softmachine data omniglot --out .*zip"):
        load_runs(str(tmp_path / "nowhere"), 20)
    np.savez(tmp_path / "x.npz", support_bits=np.zeros(3), query_bits=np.zeros(3), answers=[0])
    with pytest.raises(ImagesError, match=r"x.npz has arrays that are not those of runs"):
        load_runs(str(tmp_path / "x.npz"), 20)


@pytest.mark.skipif(not SMALL, reason="SOFTMACHINE_OMNIGLOT_SMALL is not set")
def test_distance_of_pixels_is_wrong_as_often_as_published():
    runs = load_runs(str(Path(SMALL)), 105)
    wrong = 0
    for support, query, answers in zip(*runs, strict=True):
        distances = np.sum(query[:, None] != support, axis=(2, 3))
        wrong += np.sum(np.argmin(distances, axis=1) != answers)
    assert wrong == 324  # 81.0 % of 400
