"""Omniglot from zips, folders and arrays: the same drawings, and splits that are as defined."""

import os
from pathlib import Path

import numpy as np
import pytest

from softmachine.core.errors import ImagesError
from softmachine.tasks.one_shot import omniglot_files
from softmachine.tasks.one_shot.images import area_average
from softmachine.tasks.one_shot.omniglot import Omniglot, test_characters
from softmachine.tasks.one_shot.omniglot_files import read_characters, reduced

test_characters.__test__ = False

SMALL = os.environ.get("SOFTMACHINE_OMNIGLOT_SMALL")
"""A folder with omniglot-small.npz and omniglot-runs.npz."""
FULL = os.environ.get("SOFTMACHINE_OMNIGLOT_FULL")
"""A folder with omniglot.npz."""


@pytest.fixture(scope="module")
def places(tmp_path_factory, data_sets):
    """The same six characters as zips, as a folder, and as arrays."""
    folder = tmp_path_factory.mktemp("omniglot")
    half = len(data_sets.characters) // 2
    # Greek is in both, as it is in the two small sets.
    parts = {
        "images_background_small1": data_sets.characters[: half + 1],
        "images_background_small2": data_sets.characters[half - 1 :],
    }
    (folder / "zips").mkdir()
    for name, characters in parts.items():
        files = data_sets.originals(characters)
        files = {f"{name}/{path}": data for path, data in files.items()}
        data_sets.write_folder(folder / "folders", files)
        extra = {
            f"__MACOSX/{name}/Latin/character04/._0686_01.png": b"not an image",
            f"{name}/Latin/.DS_Store": b"",
            f"{name}/readme.txt": b"",
        }
        data_sets.write_zip(folder / "zips" / f"{name}.zip", files | extra)
    numbers, alphabets, in_alphabet = zip(*data_sets.characters, strict=True)
    names = sorted(set(alphabets))
    bits = [[np.packbits(data_sets.drawing(n, d)) for d in data_sets.drawers] for n in numbers]
    (folder / "arrays").mkdir()
    np.savez(
        folder / "arrays" / "omniglot-small.npz",
        bits=np.array(bits),
        alphabet_names=np.array(names),
        alphabet=np.array([names.index(name) for name in alphabets], np.uint8),
        character_number=np.array(in_alphabet, np.uint8),
        omniglot_number=np.array(numbers, np.uint16),
    )
    return folder


@pytest.mark.parametrize("place", ["zips", "folders", "arrays", "arrays/omniglot-small.npz"])
def test_all_files_give_the_same_images(places, data_sets, place):
    train = Omniglot(path=str(places / place), split="character").load("train", 105)
    test = Omniglot(path=str(places / place), split="character").load("test", 21)
    assert train.names == (
        "Balinese/character01",
        "Balinese/character02",
        "Greek/character01",
        "Latin/character01",
    )
    assert train.group_names == ("Balinese", "Greek", "Latin")
    assert train.groups.tolist() == [0, 0, 1, 2]
    assert train.counts.tolist() == [3, 3, 3, 3]
    for number, drawings in zip((108, 109, 394, 683), train.drawings, strict=True):
        for drawer, image in zip(data_sets.drawers, drawings, strict=True):
            np.testing.assert_array_equal(image, 255 * data_sets.drawing(number, drawer))
    assert test.names == ("Greek/character04", "Latin/character04")
    assert test.group_names == ("Greek", "Latin")
    pixels = data_sets.drawing(686, 2).reshape(21, 5, 21, 5).mean(axis=(1, 3))
    np.testing.assert_array_equal(test.drawings[1, 1], np.rint(255 * pixels))


def test_one_zip_or_one_alphabet_is_enough(places):
    zip_alone = places / "zips" / "images_background_small2.zip"
    images = Omniglot(path=str(zip_alone), split="character").load("train", 20)
    assert images.group_names == ("Greek", "Latin")
    alphabet = places / "folders" / "images_background_small2" / "Latin"
    with pytest.raises(ImagesError, match="Latin has no drawings of Omniglot; it should have"):
        read_characters(str(alphabet))  # without its name nobody knows which alphabet it is


def test_what_is_added_to_a_folder_is_seen(tmp_path, data_sets):
    """As when the other zip is fetched after a split was refused."""
    data_sets.write_zip(tmp_path / "images_background.zip", data_sets.originals())
    source = Omniglot(path=str(tmp_path), split="official")
    with pytest.raises(ImagesError, match="needs the evaluation set, too"):
        source.load("test", 20)
    more = data_sets.originals([(965, "Angelic", 1)])
    data_sets.write_zip(tmp_path / "images_evaluation.zip", more)
    assert source.load("test", 20).names == ("Angelic/character01",)


def test_a_character_may_lack_drawings(tmp_path, data_sets):
    files = data_sets.originals(data_sets.characters[2:4])
    del files["Greek/character04/0397_02.png"]
    data_sets.write_folder(tmp_path, files)
    images = Omniglot(path=str(tmp_path), split="character").load("test", 105)
    assert images.counts.tolist() == [2]
    characters = read_characters(str(tmp_path))
    assert characters.counts.tolist() == [3, 2]
    np.testing.assert_array_equal(images.drawings[0, 1], 255 * data_sets.drawing(397, 3))
    assert not characters.bits[1, 2].any()


def characters(numbers, alphabets="Greek", in_alphabet=1):
    """Return characters without drawings."""
    numbers = np.array(numbers, np.int32)
    alphabets = [alphabets] * len(numbers) if isinstance(alphabets, str) else alphabets
    return omniglot_files.Characters(
        np.zeros((len(numbers), 1, omniglot_files.PACKED), np.uint8),
        np.ones(len(numbers), np.int32),
        numbers,
        tuple(alphabets),
        np.broadcast_to(np.array(in_alphabet, np.int32), numbers.shape),
    )


def test_splits_are_as_defined():
    everything = characters(range(1, 1624), in_alphabet=np.arange(1, 1624) % 26)
    assert np.flatnonzero(test_characters(everything, "santoro")).tolist() == [
        *range(1200, 1623)
    ]
    assert np.flatnonzero(test_characters(everything, "official")).tolist() == [
        *range(964, 1623)
    ]
    by_character = test_characters(everything, "character")
    np.testing.assert_array_equal(by_character, np.arange(1, 1624) % 26 % 4 == 0)
    eight = ["Balinese", "Early_Aramaic", "Greek", "Japanese_(katakana)"]
    eight += ["Korean", "Latin", "Sanskrit", "Tagalog"]
    tests = test_characters(characters(range(1, 9), eight), "alphabet")
    assert tests.tolist() == [True, True, False, False, False, False, False, True]


@pytest.mark.parametrize(
    ("split", "numbers", "alphabets", "why"),
    [
        ("santoro", range(1, 1623), "Greek", "needs all 1,623 characters, these are 1,622"),
        ("official", [1, 964], "Greek", "needs the evaluation set, too"),
        ("official", [965, 966], "Greek", "needs the background set, too"),
        ("alphabet", [1, 2], ["Balinese", "ULOG"], "small background sets, .* no ULOG"),
        ("alphabet", [1, 2], "Balinese", "leaves no character to train on"),
        ("alphabet", [1, 2], "Greek", "leaves no character for tests"),
        ("character", [1, 2], "Greek", "leaves no character for tests"),
    ],
)
def test_splits_that_there_cannot_be_are_refused(split, numbers, alphabets, why, monkeypatch):
    some = characters(numbers, alphabets)
    monkeypatch.setattr("softmachine.tasks.one_shot.omniglot.read_characters", lambda _: some)
    with pytest.raises(ImagesError, match=f"somewhere: split {split} .*{why}"):
        Omniglot(path="somewhere", split=split).images("test", 20)


def test_a_refusal_says_which_splits_there_are(places):
    with pytest.raises(ImagesError, match=r"are 6; it can have alphabet or character$"):
        Omniglot(path=str(places / "zips")).load("train", 20)


def test_what_is_no_omniglot_is_refused_in_a_sentence(tmp_path, data_sets):
    def refused(match):
        with pytest.raises(ImagesError, match=match):
            read_characters(str(place))

    place = tmp_path / "nowhere"
    refused(
        "nowhere does not exist: 'softmachine data omniglot --out .*nowhere' fetches Omniglot; "
        "or name another path, with images_background.zip"
    )
    place.mkdir()
    refused("nowhere has no drawings of Omniglot; it should have")
    place = tmp_path / "text.zip"
    place.write_text("no zip")
    refused("text.zip cannot be read as a zip")
    place = tmp_path / "other.zip"
    data_sets.write_zip(place, {"Greek/alpha/1.png": b""})
    refused("other.zip has no drawings of Omniglot")
    name = "Greek/character01/0394_01.png"
    place = tmp_path / "broken.zip"
    data_sets.write_zip(place, {name: b"no image"})
    refused(f"broken.zip: {name} is no PNG or JPEG image")
    place = tmp_path / "cut.zip"
    data_sets.write_zip(place, {name: data_sets.png(~data_sets.drawing(1))[:-600]})
    refused(f"cut.zip: {name} is damaged")
    place = tmp_path / "small.zip"
    data_sets.write_zip(place, {name: data_sets.png(np.ones((28, 28), bool))})
    refused(f"{name} has 28 x 28 pixels, not 105 x 105")
    place = tmp_path / "two.zip"
    twice = [(394, "Greek", 1), (394, "Latin", 1)]
    data_sets.write_zip(place, data_sets.originals(twice, (1,)))
    refused(r"two.zip: Latin/.*: character 394 is Greek/character01 as well")
    place = tmp_path / "nameless.zip"
    data_sets.write_zip(place, {"x": b""})
    place.write_bytes(place.read_bytes().replace(b"x", b"\0"))
    refused(r"nameless.zip has no drawings of Omniglot")
    place = tmp_path / "flipped.zip"
    data_sets.write_zip(place, data_sets.originals(drawers=(1,)))
    data = bytearray(place.read_bytes())
    data[data.index(b"IDAT") + 20] ^= 0xFF
    place.write_bytes(data)
    refused("flipped.zip: Balinese/character01/0108_01.png cannot be read: Bad CRC")


def test_arrays_that_are_not_omniglots_are_refused(tmp_path):
    good = {
        "bits": np.zeros((3, 2, omniglot_files.PACKED), np.uint8),
        "alphabet_names": np.array(["Greek", "Latin"]),
        "alphabet": np.array([0, 0, 1]),
        "character_number": np.array([1, 2, 1]),
    }
    path = tmp_path / "arrays.npz"

    def read(**changes):
        arrays = {name: x for name, x in (good | changes).items() if x is not None}
        np.savez(path, **arrays)
        return read_characters(str(path))

    assert read().numbers.tolist() == [1, 2, 3]
    with pytest.raises(ImagesError, match=r"arrays.npz has no array 'alphabet'"):
        read(alphabet=None)
    for changes in (
        {"bits": np.zeros((3, 2, 1000), np.uint8)},
        {"bits": np.zeros((3, 2, omniglot_files.PACKED))},
        {"alphabet": np.array([0, 0, 2])},
        {"alphabet": np.array([0, 0])},
        {"alphabet": np.array([0.0, 0.0, 1.0])},
        {"alphabet_names": np.array([1, 2])},
        {"omniglot_number": np.array([1, 1, 2])},
    ):
        with pytest.raises(
            ImagesError, match=r"arrays.npz has arrays that are not those of Om"
        ):
            read(**changes)
    with pytest.raises(ImagesError, match="cannot be read: Object arrays"):
        read(alphabet_names=np.array(["Greek", None]))
    read()
    damaged = path.read_bytes().replace(b"'shape': (3, 2", b"'shape': \xff3, 2")
    path.write_bytes(damaged)  # NumPy's reader raises tokenize.TokenError
    with pytest.raises(ImagesError, match=r"arrays.npz cannot be read"):
        read_characters(str(path))


def test_reduction_of_packed_bits(data_sets):
    images = np.stack([data_sets.drawing(i) for i in range(3)])
    bits = np.packbits(images.reshape(3, -1), axis=-1)
    np.testing.assert_array_equal(reduced(bits, 20), area_average(images.astype(np.uint8), 20))
    np.testing.assert_array_equal(reduced(bits, 105), 255 * images)


@pytest.mark.skipif(not SMALL, reason="SOFTMACHINE_OMNIGLOT_SMALL is not set")
def test_the_small_sets_are_reduced_and_split_as_published():
    path = Path(SMALL) / "omniglot-small.npz"
    with np.load(path) as arrays:
        characters = read_characters(str(path))
        for side in (20, 28):
            np.testing.assert_array_equal(reduced(characters.bits, side), arrays[f"grey{side}"])
        for split in ("alphabet", "character"):
            tests = test_characters(characters, split)
            np.testing.assert_array_equal(tests, arrays[f"test_by_{split}"])
    images = Omniglot(path=str(path), split="alphabet").load("test", 20)
    assert images.group_names == ("Balinese", "Early_Aramaic", "Tagalog")
    assert images.drawings[0, 0].sum() == 8151


@pytest.mark.skipif(not FULL, reason="SOFTMACHINE_OMNIGLOT_FULL is not set")
def test_the_whole_set_is_split_as_published():
    path = Path(FULL) / "omniglot.npz"
    characters = read_characters(str(path))
    with np.load(path) as arrays:
        tests = {"santoro": arrays["test_santoro"], "official": arrays["evaluation"]}
    for split, expected in tests.items():
        np.testing.assert_array_equal(test_characters(characters, split), expected)
