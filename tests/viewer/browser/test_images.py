"""The images of an episode: what the page says of them, worked out from the heads' weights."""

import numpy as np
import pytest
from playwright.sync_api import expect

from .conftest import field, file_of, shows

CLASSES = [0, 1, 1, 0, 0, 1, 0, 1]
"""Of the image in each step: a b b a a b a b."""
STEPS, ROWS, SIDE = len(CLASSES), 6, 3
WRITTEN = [0, 3, 1, 4, 2, 5, 3, 0]
"""The row to which head 2 writes. In step 7, told b, it takes row 3, until then one of a's."""
READ = {
    3: {1: 0.9, 3: 0.1},
    4: {3: 0.7, 1: 0.2, 4: 0.1},
    5: {3: 0.5, 2: 0.3, 1: 0.2},
    6: {1: 0.1, 3: 0.6, 2: 0.3},
    7: {3: 0.6, 2: 0.3, 5: 0.1},
    8: {4: 0.9, 2: 0.1},
}
"""By step, how much head 1 reads of which rows."""


def episode(
    spelled=("a", "b"), scored=range(1, STEPS + 1), every=1, reads_rows=READ, begins=(1,)
):
    """A trace of a machine that reads as ``reads_rows`` says, and names what it reads most of.

    ``spelled``: the two names. ``scored``: the steps that are. ``every``: of so many steps one
    was recorded. ``begins``: the steps at which episodes begin.
    """
    letters, wide = sorted(set("".join(spelled))), len(spelled[0])
    labels = [f"{x}{i + 1}" if wide > 1 else x for i in range(wide) for x in letters]
    codes = np.array([[x == y for y in word for x in letters] for word in spelled], np.uint8)
    names = codes[CLASSES]
    told = np.concatenate([np.zeros_like(names[:1]), names[:-1]])
    told[np.array(begins) - 1] = 0
    guesses = [*CLASSES[:5], 0, 0, 1]  # wrong in step 6
    likely = np.where(codes[guesses], 0.8, 0.2).astype(np.float32)
    counts = np.isin(np.arange(1, STEPS + 1), scored)[:, None]
    wrong = (codes[guesses] != names) & counts
    writes = np.zeros((STEPS, 2, ROWS), np.float32)
    writes[:, 0, 5] = 1  # head 1 writes where it always does
    writes[np.arange(STEPS), 1, WRITTEN] = 1
    reads = np.full((STEPS, 2, ROWS), 1 / ROWS, np.float32)
    for step, rows in reads_rows.items():
        reads[step - 1, 0] = [rows.get(row, 0) for row in range(ROWS)]
    images = np.zeros((STEPS, SIDE, SIDE), np.float32)
    images[np.arange(STEPS), np.arange(STEPS) % SIDE, np.arange(STEPS) // SIDE] = 1
    sizes = {"step": STEPS, "head": 2, "row": ROWS, "image row": SIDE, "image column": SIDE,
             "input channel": len(labels), "output channel": len(labels)}  # fmt: skip
    axes = {name: {"size": size, "labels": None} for name, size in sizes.items()}
    axes["head"]["labels"] = ["head 1", "head 2"]
    axes["output channel"]["labels"] = labels
    description = {
        "title": "an episode", "machine": "Strange", "task": "Naming", "source": "",
        "recipe": "", "size": 2, "seed": 0, "length": STEPS,
        "steps": list(range(every, STEPS + 1, every)), "axes": axes,
        "fields": [field("found", "weighting", "head", "row", does=["read", "read"]),
                   field("kept", "weighting", "head", "row", does=["write", "write"])],
        "example": [field("pictures", "matrix", "step", "image row", "image column"),
                    field("inputs", "bits", "step", "input channel"),
                    *(field(name, "bits", "step", "output channel")
                      for name in ("targets", "mask", "wrong")),
                    field("outputs", "probability", "step", "output channel")],
        "initial": [], "hard": None, "circuit": None, "pointers": [],
        "scores": {"wrong_symbols": 1.0, "bits": None, "perfect": 0.0, "instance_2": 2 / 3},
        "error": "wrong_symbols", "shares": ["perfect", "instance_2"],
    }  # fmt: skip
    arrays = {
        "fields/found": reads[every - 1 :: every],
        "fields/kept": writes[every - 1 :: every],
        "example/pictures": images,
        "example/inputs": told,
        "example/targets": names * counts.astype(np.uint8),
        "example/mask": np.broadcast_to(counts, names.shape).astype(np.uint8),
        "example/wrong": wrong.astype(np.uint8),
        "example/outputs": likely,
    }
    if len(begins) > 1:
        description["example"].append(field("episode", "integer", "step"))
        arrays["example/episode"] = np.searchsorted(
            begins, np.arange(1, STEPS + 1), side="right"
        ).astype(np.int32)
    return file_of(description, arrays)


def panel(page):
    return page.locator("figure", has=page.get_by_role("heading", name="Images", exact=True))


def drawing(page):
    return panel(page).locator("canvas")


def says(page, step, text):
    """Wait until the panel says this of a step, and has drawn it."""
    shows(page, step, STEPS)
    expect(drawing(page)).to_have_attribute("aria-label", f"Images. {text}.")


TOLD = {
    1: "step 1, image 1 of class a. guessed a with 80 %: right. "
    "the first of its class: nothing can be known of it",
    3: "step 3, image 2 of class b. guessed b with 80 %: right. told b at step 3, it wrote "
    "row 1. row 1 is now read with 90 %. all rows of b 90 %, of a 10 %: found",
    5: "step 5, image 3 of class a. guessed a with 80 %: right. told a at step 2, it wrote "
    "row 3. row 3 is now read with 50 %. all rows of a 80 %, of b 20 %: found",
    6: "step 6, image 3 of class b. guessed a with 80 %: wrong. told b at step 3, it wrote "
    "row 1. row 1 is now read with 10 %. all rows of b 10 %, of a 90 %: missed",
    7: "step 7, image 4 of class a. guessed a with 80 %: right. told a at step 5, it wrote "
    "row 2. row 2 is now read with 30 %. all rows of a 40 %, of b 60 %: missed",
}


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_says_why_an_image_was_recognised(open_traces, width, scheme):
    """Head 2 keeps the names and head 1 finds them: no other pair of heads does."""
    page = open_traces(("it", episode()), width=width, scheme=scheme)
    for step, text in TOLD.items():
        page.goto(f"{page.url.split('#')[0]}#step={step}")
        page.reload()
        says(page, step, text)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for score in ("wrong symbols: 1", "bits: NaN", "perfect: 0.0 %", "instance 2: 67 %"):
        expect(page.locator(".facts").get_by_text(score, exact=True)).to_be_visible()
    expect(panel(page).locator("figcaption")).to_contain_text(
        "head 1 reads of the rows that head 2 wrote"
    )
    # The present image is drawn large: in step 7 its ink is in the first row, at its end.
    ink, paper = drawing(page).evaluate(
        """canvas => {
          const side = Math.round(102 * devicePixelRatio);
          const { data } = canvas.getContext("2d").getImageData(0, 0, side, side);
          const at = (i) => Math.round((1 + (i + 0.5) * 100 / 3) * devicePixelRatio);
          return [[0, 2], [2, 0]].map(([y, x]) => data[4 * (at(y) * side + at(x))]);
        }"""
    )
    assert abs(ink - paper) > 150


def test_the_images_answer_to_the_keyboard_and_the_pointer(open_traces):
    page = open_traces(("it", episode()), address="#step=1")
    says(page, 1, TOLD[1])
    drawing(page).focus()
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    tip = page.locator(".tip")
    for line in TOLD[6].split(". "):
        expect(tip).to_contain_text(line)
    page.keyboard.press("Enter")
    says(page, 6, TOLD[6])
    box = drawing(page).bounding_box()
    drawing(page).click(position={"x": 96 + 38 * 2.5, "y": box["height"] - 30})
    says(page, 3, TOLD[3])


def test_names_of_several_letters_are_spelled(open_traces):
    page = open_traces(("it", episode(("ab", "ba"))), address="#step=6")
    says(
        page,
        6,
        "step 6, image 3 of class ba. guessed ab with 64 %: wrong. told ba at step 3, it wrote "
        "row 1. row 1 is now read with 10 %. all rows of ba 10 %, of ab 90 %: missed",
    )


def test_where_only_the_last_image_counts_the_names_told_say_what_was_shown(open_traces):
    page = open_traces(("it", episode(scored=[STEPS])), address="#step=5")
    says(page, 5, TOLD[5].replace("80 %: right", "80 %: not scored"))


def test_a_class_of_one_episode_is_not_one_of_the_next_that_has_its_name(open_traces):
    """Nor was the last name of an episode told to anybody, whatever was written then."""
    reads = READ | {7: {5: 0.8, 3: 0.2}}
    page = open_traces(("it", episode(begins=(1, 5), reads_rows=reads)), address="#step=4")
    first = "the first of its class: nothing can be known of it"
    for step, text in (
        (4, "image 2 of class a of episode 1. guessed a with 80 %: right. told a at step 2, it "
            "wrote row 3. row 3 is now read with 70 %. all rows of a of episode 1 70 %, of b "
            "of episode 1 30 %: found"),
        (5, f"image 1 of class a of episode 2. guessed a with 80 %: right. {first}"),
        (6, f"image 1 of class b of episode 2. guessed a with 80 %: wrong. {first}"),
        (7, "image 2 of class a of episode 2. guessed a with 80 %: right. told a at step 6, it "
            "wrote row 5. row 5 is now read with 80 %. all rows of a of episode 2 80 %, of b "
            "of episode 2 20 %: found"),
        (8, "image 2 of class b of episode 2. guessed b with 80 %: right. told b at step 7, it "
            "wrote row 3. row 3 is now read with 0.0 %. all rows of b of episode 2 0.0 %, of b "
            "of episode 1 90 %: missed"),
    ):  # fmt: skip
        if step > 4:
            page.keyboard.press("ArrowRight")
        says(page, step, f"step {step}, {text}")


def test_where_steps_are_missing_it_is_said_what_is_not_known(open_traces):
    page = open_traces(("it", episode(every=2)), address="#step=6")
    says(
        page,
        6,
        "step 6, image 3 of class b. guessed a with 80 %: wrong. the one before it came at "
        "step 3",
    )
    expect(panel(page).locator("figcaption")).to_contain_text(
        "In which rows its class was kept is not known: of 8 steps 4 were recorded"
    )
