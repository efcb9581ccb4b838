"""A person's own images: what is ink, which classes are tested, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from softmachine.core.errors import ImagesError
from softmachine.tasks.one_shot.folder import Folder
from softmachine.tasks.one_shot.pictures import LARGEST_SIDE, decode, files_in

PAPER = 200


def letter(number, paper=255, ink=0, shape=(12, 12)):
    """Return an image with a square of ink, whose place and size the number decides."""
    image = np.full(shape, paper, np.uint8)
    image[3 : 5 + number, 4 : 6 + number] = ink
    return image


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


def write_classes(folder, classes, images=2, **look):
    for i, name in enumerate(classes):
        for number in range(images):
            save(folder / name / f"{number}.png", letter(i + number, **look))


@pytest.fixture
def folder(tmp_path):
    write_classes(tmp_path, ["a", "b", "Greek/alpha", "Greek/beta"])
    return tmp_path


def test_classes_are_folders_and_groups_the_folders_around_them(folder):
    source = Folder(path=str(folder), test_share=1.0)
    images = source.load("test", 12)
    assert images.names == ("Greek/alpha", "Greek/beta", "a", "b")
    assert images.group_names == ("Greek",)
    assert images.groups.tolist() == [0, 0, -1, -1]
    assert images.counts.tolist() == [2, 2, 2, 2]
    np.testing.assert_array_equal(images.drawings[3, 1], letter(2, paper=0, ink=255))


@pytest.mark.parametrize(
    ("look", "ink"),
    [
        ({"paper": 255, "ink": 0}, 255),
        ({"paper": 0, "ink": 255}, 255),
        ({"paper": PAPER, "ink": 0}, 255),
        ({"paper": PAPER, "ink": 100}, 128),
        ({"paper": 55, "ink": 155}, 128),
    ],
)
def test_ink_is_bright_whatever_the_paper_was(tmp_path, look, ink):
    write_classes(tmp_path, ["a", "b"], **look)
    images = Folder(path=str(tmp_path), test_share=1.0).load("test", 12)
    np.testing.assert_array_equal(images.drawings[0, 0], letter(0, paper=0, ink=ink))


def test_most_images_decide_which_way_round_ink_is_and_an_option_overrides(tmp_path):
    write_classes(tmp_path, ["a", "b", "c"])
    write_classes(tmp_path, ["d"], paper=0, ink=255)
    with pytest.raises(
        ImagesError, match=r"d.0.png shows nothing darker .* ink bright, unlike"
    ):
        Folder(path=str(tmp_path), test_share=1.0).load("test", 12)
    save(tmp_path / "d" / "0.png", letter(1))
    with pytest.raises(ImagesError, match=r"a.0.png shows nothing brighter .*is its ink dark"):
        Folder(path=str(tmp_path), test_share=1.0, ink="bright").load("test", 6)


def test_images_are_padded_to_a_square_and_averaged(tmp_path):
    wide = letter(2, paper=PAPER, ink=0, shape=(8, 16))
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        save(tmp_path / name, wide)
    images = Folder(path=str(tmp_path), test_share=1.0)
    padded = np.pad(letter(2, paper=0, ink=255, shape=(8, 16)), ((4, 4), (0, 0)))
    np.testing.assert_array_equal(images.load("test", 16).drawings[0, 0], padded)
    averaged = padded.reshape(4, 4, 4, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(images.load("test", 4).drawings[0, 0], averaged, atol=1)
    larger = images.load("test", 32).drawings[0, 0]
    np.testing.assert_array_equal(larger, padded.repeat(2, 0).repeat(2, 1))


def test_colours_transparency_depth_and_turned_photographs(tmp_path):
    grey = letter(2)
    files = {
        "rgb.png": Image.fromarray(np.stack([grey] * 3, axis=2)),
        "palette.png": Image.fromarray(grey).convert("P"),
        "bits.png": Image.fromarray(grey > 100),
        "deep.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "alpha.png": Image.fromarray(
            np.stack([np.zeros_like(grey)] * 3 + [255 - grey], axis=2), "RGBA"
        ),
    }
    for name, image in files.items():
        image.save(tmp_path / name)
    turned = Image.fromarray(np.rot90(grey))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be shown turned clockwise
    turned.save(tmp_path / "photograph.jpg", exif=exif, quality=100)
    for file in files_in(tmp_path):
        tolerance = 3 if file.parts[-1].endswith(".jpg") else 0
        image = np.asarray(decode(file))
        np.testing.assert_allclose(image, grey, atol=tolerance, err_msg=file.where)
    green = np.zeros((5, 5, 3), np.uint8)
    green[..., 1] = 255
    save(tmp_path / "green.png", green)
    (file,) = (file for file in files_in(tmp_path) if file.parts == ("green.png",))
    assert np.all(np.asarray(decode(file)) == 150)  # 0.587 of 255


def test_some_classes_are_for_tests_as_a_seed_says(tmp_path):
    names = [f"{i:02d}" for i in range(12)]
    write_classes(tmp_path, names)

    def split(**options):
        source = Folder(path=str(tmp_path), **options)
        return [source.load(part, 4).names for part in ("train", "test")]

    train, test = split()
    assert len(test) == 5  # more than a fifth, which an episode of five classes needs
    assert sorted([*train, *test]) == names
    assert list(train) == sorted(train)
    assert split() == [train, test]
    assert split(seed=1) != [train, test]
    assert len(split(test_share=0.5)[1]) == 6
    assert len(split(least_tests=1)[1]) == 2
    everything = Folder(path=str(tmp_path), test_share=1.0)
    assert list(everything.load("test", 4).names) == names
    with pytest.raises(ImagesError, match="12 classes, and none of them is for training"):
        everything.load("train", 4)
    with pytest.raises(ImagesError, match="none of them is for tests with test_share 0"):
        Folder(path=str(tmp_path), test_share=0.0).load("test", 4)


def test_hidden_files_are_left_out(folder):
    for name in ("a/.DS_Store", "a/Thumbs.db", "a/._0.png", ".git/x.png", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"nothing")
    assert Folder(path=str(folder), test_share=1.0).load("test", 4).counts.tolist() == [2] * 4


def refused(folder, match):
    with pytest.raises(ImagesError, match=match) as error:
        Folder(path=str(folder), test_share=1.0).load("test", 4)
    assert "\n" not in str(error.value)


def test_no_folder_no_images_one_class(tmp_path):
    refused(tmp_path / "nowhere", "nowhere does not exist; it should have a folder for each")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "file is no folder; it should have")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, "empty has no images; it should have a folder of PNG or JPEG files")
    save(empty / "1.png", letter(1))
    refused(empty, r"1.png is in no folder of a class: each class needs one, in .*empty")
    (empty / "1.png").unlink()
    write_classes(empty, ["a"])
    refused(empty, "has one class alone, a")


def test_classes_with_too_few_images_are_named(folder):
    (folder / "c").mkdir()
    save(folder / "d" / "1.png", letter(1))
    refused(folder, r"each class needs two images at least, not so c, d$")
    for i in range(4):
        (folder / f"e{i}").mkdir()
    refused(folder, r"not so c, d, e0 and 3 more$")


def test_files_that_are_no_images_are_named(folder, data_sets):
    wrong = folder / "a" / "wrong.png"
    wrong.write_text("text")
    refused(folder, r"a.wrong.png is no PNG or JPEG image$")
    wrong.write_bytes(b"")
    refused(folder, r"a.wrong.png is no PNG or JPEG image$")
    wrong.write_bytes(data_sets.png(~data_sets.drawing(0))[:-500])
    refused(folder, r"a.wrong.png is damaged")
    Image.fromarray(letter(1)).save(wrong, "GIF")
    refused(folder, r"a.wrong.png is no PNG or JPEG image$")
    save(wrong, np.full((5, 5), 255, np.uint8))
    refused(folder, r"a.wrong.png shows nothing darker than its border$")
    wrong.unlink()
    wrong.symlink_to(folder / "gone")
    refused(folder, r"a.wrong.png is no file")


def with_size(data, width, height):
    """Return a PNG file that says it had another size."""
    import struct
    import zlib

    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def test_absurdly_large_images_are_refused_before_they_are_decoded(folder, data_sets):
    """There is nothing to decode: whoever tried would say that the file is damaged."""
    small = data_sets.png(letter(1))
    wrong = folder / "a" / "wrong.png"
    wrong.write_bytes(with_size(small, LARGEST_SIDE + 1, 1))
    refused(folder, r"wrong.png is too large an image: 10,001 x 1 pixels, at most 10,000 each")
    for side in (12_000, 100_000):  # Pillow warns of one, and refuses the other
        wrong.write_bytes(with_size(small, side, side))
        refused(folder, r"wrong.png is too large an image")
