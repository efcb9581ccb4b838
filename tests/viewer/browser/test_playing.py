"""What a person sees and does with a trace, in a browser."""

import re
import xml.etree.ElementTree as ET

import jax
import numpy as np
import pytest
from playwright.sync_api import expect

from softmachine.machines.nram.nram import NRAMConfig
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.traced.task import TracedTask
from softmachine.traces.calling import trace_calls
from softmachine.traces.file import Trace
from softmachine.traces.making import trace
from softmachine.zoo import models

from .conftest import STEPS, file_of, shows

SIZE = 4
SIZES = {
    "nram-access": 7, "nram-increment": 7, "nram-list-k": 3, "nram-list-search": 1,
    "nram-merge": 2, "nram-swap": 6, "nram-walk-bst": 2,
}  # fmt: skip
"""Others have `SIZE`. With these all machines of one make have nine cells, and one program;
but for a tree of two nodes, which takes ten."""
MINUS = "\N{MINUS SIGN}"
SVG = "{http://www.w3.org/2000/svg}"


def drawing(page, title):
    """Return the drawing of a panel."""
    return page.locator(
        "figure", has=page.get_by_role("heading", name=title, exact=True)
    ).locator("canvas")


def said(page, title):
    """Return what a panel says to those who do not see it."""
    return drawing(page, title).first.get_attribute("aria-label")


@pytest.fixture(scope="module")
def list_trace() -> Trace:
    """An NRAM that has learned nothing, on a linked list."""
    config = NRAMConfig(registers=3, gates=("READ", "TWO", "INC", "ADD", "WRITE"))
    machine = config.build(key=jax.random.key(2))
    return trace(machine, ListK(), SIZE, 3)


@pytest.fixture
def strange_file(strange):
    return file_of(*strange)


@pytest.mark.parametrize("name", models.names())
def test_machines_of_the_zoo_play(open_traces, name):
    model = models.open_model(name)
    if isinstance(model.experiment.task, TracedTask):
        plays_calls(open_traces, model.machine, model.experiment.task)
        return
    size = SIZES.get(name, SIZE)
    made = trace(model.machine, model.experiment.task, size, 1, source=f"zoo:{name}")
    page = open_traces((name, made.to_bytes()), address="#step=0")
    last = made.header.length
    shows(page, 0, last)
    for step in (1, 2):
        page.keyboard.press("ArrowRight")
        shows(page, step, last)
    page.get_by_label("Step", exact=True).fill(f"{last - 1}")
    shows(page, last - 1, last)
    if "weightings" in made.fields:
        weightings = made.fields["weightings"][last - 2]
        heads = made.header.axes["head"].labels
        for head, weighting in zip(heads, weightings, strict=True):
            assert f"{head}: largest" in said(page, "Weightings")
            row = re.search(rf"{head}: largest \S+ at row (\d+)", said(page, "Weightings"))
            assert int(row[1]) == weighting.argmax()
    elif "memory" not in made.fields:
        assert {"Maps", "Tapes"} <= set(page.locator("figure h3").all_inner_texts())
    elif "actions" in made.fields:  # stacks
        assert {"Memory", "Actions"} <= set(page.locator("figure h3").all_inner_texts())
    else:
        cells = made.fields["memory"][last - 2].argmax(1)
        assert [
            int(x) for x in re.findall(r"cell \d+[^:]*: (\d+)", said(page, "Memory"))
        ] == cells.tolist()


def plays_calls(open_traces, machine, task):
    """Assert that each step of a run of programs is shown, and all environments on the way."""
    made = trace_calls(machine, task, SIZE, 1)
    run, last = made.header.calls, made.header.length
    page = open_traces(("it", made.to_bytes()), address="#step=0")
    expect(page.locator(".ending")).to_have_text(re.compile("with the right result"))
    for position, pictures in enumerate(list(run.pictures())[:3]):
        shows(page, position, last)
        for name, cells, _ in pictures:
            shown = f"{name} {' '.join(cells)}." if cells else f"{name}."
            assert shown in drawing(page, "Environment").first.get_attribute("aria-label")
        page.keyboard.press("ArrowRight")


def test_playing_goes_on_to_the_end_and_stops(open_traces, ntm_trace):
    page = open_traces(("it", ntm_trace.to_bytes()))
    last = ntm_trace.header.length
    shows(page, 0, last)
    page.get_by_label("speed").select_option("60 / s")
    page.locator("h1").click()  # away from the selection, which has a use for the space bar
    page.keyboard.press("Space")
    shows(page, last, last)
    page.get_by_label("speed").select_option("1 / s")
    page.get_by_role("button", name="Play").click()  # begins anew
    page.get_by_role("button", name="Pause").click()
    page.locator("h1").click()
    page.keyboard.press("Home")
    shows(page, 0, last)
    page.keyboard.press("End")
    shows(page, last, last)
    page.keyboard.press("ArrowLeft")
    shows(page, last - 1, last)


def test_outputs_and_what_was_wrong_are_told(open_traces, strange, strange_file):
    _, arrays = strange
    page = open_traces(("it", strange_file))
    for step in range(1, STEPS + 1):
        shows(page, step, STEPS)
        said_bits = {
            "input": arrays["example/inputs"],
            "target": arrays["example/targets"],
            "output": arrays["example/outputs"] > 0,
        }
        for name, array in said_bits.items():
            bits = " ".join(str(int(x)) for x in array[step - 1])
            assert f"{name}: {bits}" in said(page, "Tapes")
        page.keyboard.press("ArrowRight")


def test_jumps_go_to_errors_and_writes(open_traces, strange_file, list_trace):
    page = open_traces(("it", strange_file))
    shows(page, 1, STEPS)
    for key, step in (("e", 3), ("e", 5), ("e", 5), ("E", 3), ("E", 3)):
        page.keyboard.press(key)
        shows(page, step, STEPS)
    page.get_by_role("button", name="Next error").click()
    shows(page, 5, STEPS)
    page = open_traces(("list", list_trace.to_bytes()))
    memory = np.concatenate([list_trace.initial["memory"][None], list_trace.fields["memory"]])
    changes = np.abs(np.diff(memory, axis=0)).max((1, 2))
    writes = [i + 1 for i, change in enumerate(changes) if change >= 0.1 * changes.max()]
    last = list_trace.header.length
    shows(page, 0, last)
    for step in writes:
        page.keyboard.press("w")
        shows(page, step, last)


HOLD_FRAMES = """
window.held = [];
window.requestAnimationFrame = (draw) => held.push(draw);
window.drawHeld = () => held.splice(0).forEach((draw) => draw(performance.now()));
"""


def test_keys_count_before_anything_is_drawn(open_traces, new_page, strange_file, list_trace):
    page = new_page()
    page.add_init_script(HOLD_FRAMES)
    open_traces(("it", strange_file), ("list", list_trace.to_bytes()), page=page)
    page.locator("article").wait_for(state="attached")
    assert page.locator("html").get_attribute("data-step") is None
    page.keyboard.press("e")
    page.keyboard.press("e")
    page.evaluate("drawHeld()")
    shows(page, 5, STEPS)
    page.keyboard.press("ArrowLeft")
    page.get_by_label("compare with").select_option("list")
    page.locator("article").nth(1).wait_for(state="attached")
    page.evaluate("drawHeld()")
    shows(page, 4, list_trace.header.length)
    page.evaluate("location.hash = '#trace=1&step=0&machine=hard'")
    expect(page.locator("article")).to_have_count(1)
    page.locator("h1").click()  # away from the selection, which has a use for the key
    page.keyboard.press("e")
    page.evaluate("drawHeld()")
    assert list_trace.example["wrong"].any()
    shows(page, list_trace.header.hard.stopped_after, list_trace.header.length)


def test_the_present_is_marked_where_its_step_is(open_traces, strange_file):
    page = open_traces(("it", strange_file))
    marks = drawing(page, "Tapes").locator("xpath=..").locator(".marks > *")
    for step in range(1, STEPS + 1):
        shows(page, step, STEPS)
        expect(marks).to_have_count(3)
        boxes = [mark.bounding_box() for mark in marks.all()]
        assert len({(box["x"], box["width"]) for box in boxes}) == 1
        page.keyboard.press("Home" if step > 1 else "End")
        page.mouse.click(boxes[0]["x"] + boxes[0]["width"] / 2, boxes[0]["y"] + 2)
        shows(page, step, STEPS)
        page.keyboard.press("ArrowRight")


def test_soft_and_hard_machine_are_both_there(open_traces, list_trace):
    page = open_traces(("list", list_trace.to_bytes()), address="#step=3")
    last = list_trace.header.length
    shows(page, 3, last)

    def cells():
        return [int(x) for x in re.findall(r"cell \d+[^:]*: (\d+)", said(page, "Memory"))]

    assert cells() == list_trace.fields["memory"][2].argmax(1).tolist()
    page.get_by_role("button", name="hard").click()
    page.wait_for_url("**machine=hard**")
    assert cells() == list_trace.hard["memory"][2].tolist()
    registers = [int(x) for x in re.findall(r"r\d: (\d+)", said(page, "Registers over time"))]
    assert registers == list_trace.hard["registers"][2].tolist()
    page.get_by_role("button", name="soft").click()
    page.wait_for_url(lambda url: "machine=hard" not in url)
    assert cells() == list_trace.fields["memory"][2].argmax(1).tolist()


def test_pointing_at_a_gate_shows_what_it_may_have_given(open_traces, list_trace):
    page = open_traces(("list", list_trace.to_bytes()), address="#step=2")
    shows(page, 2, list_trace.header.length)
    canvas = drawing(page, "Circuit of this step")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 38, box["y"] + box["height"] / 6)  # r1 afterwards
    tip = page.locator(".tip")
    tip.wait_for()
    value = list_trace.fields["registers"][1, 0].argmax()
    share = list_trace.fields["registers"][1, 0, value]
    assert "r1, after step 2" in tip.inner_text()
    assert re.search(rf"{value}\s+{100 * share:.0f} %", tip.inner_text())


def test_the_history_of_a_cell_is_shown_and_leads_on(open_traces, strange, strange_file):
    _, arrays = strange
    page = open_traces(("it", strange_file))
    shows(page, 1, STEPS)
    drawing(page, "Chart").click(position={"x": 60, "y": 25})
    history = page.locator(".history figure")
    history.wait_for()
    title = history.get_by_role("heading").inner_text()
    column = {"east": 0, "north": 1, "zenith": 2}[title.split(", ")[2]]
    row = int(re.search(r"planet (\d+)", title)[1])
    for step in range(1, STEPS + 1):
        shows(page, step, STEPS)
        number = arrays["fields/chart"][step - 1, row, column]
        written = f"{number:.{3 if abs(number) < 1 else 2}f}".replace("-", MINUS)
        assert written in history.locator("canvas").get_attribute("aria-label")
        page.keyboard.press("ArrowRight")
    box = history.locator("canvas").bounding_box()
    history.locator("canvas").click(position={"x": 60, "y": box["height"] / 2})
    shows(page, 1, STEPS)
    page.keyboard.press("Escape")
    history.wait_for(state="detached")


def test_everything_is_reached_by_keyboard(open_traces, strange_file):
    page = open_traces(("it", strange_file))
    shows(page, 1, STEPS)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "() => { const e = document.activeElement;"
            " return e.getAttribute('aria-label') || e.textContent || e.tagName }"
        ))  # fmt: skip
    everything = page.evaluate(
        "() => [...document.querySelectorAll("
        "'button, select, input, canvas[tabindex], summary')]"
        ".filter((e) => e.checkVisibility() && !e.disabled)"
        ".map((e) => e.getAttribute('aria-label') || e.textContent || e.tagName)"
    )
    assert set(everything) <= reached
    chart = drawing(page, "Chart")
    chart.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.locator(".tip").wait_for()
    expect(page.locator(".tip")).to_contain_text("planet 0, east")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator(".tip")).to_contain_text("planet 1, east")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="chart, planet 1, east").wait_for()


def test_two_traces_stand_side_by_side(open_traces, ntm_trace, strange_file):
    page = open_traces(("one", ntm_trace.to_bytes()), ("two", strange_file), width=1400)
    last = ntm_trace.header.length
    shows(page, 0, last)
    page.get_by_label("compare with").select_option("two")
    page.locator("article").nth(1).wait_for()
    boxes = [page.locator("article").nth(i).bounding_box() for i in (0, 1)]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    page.wait_for_url("**with=1**")
    page.keyboard.press("ArrowRight")
    shows(page, 1, max(last, STEPS))
    page.get_by_label("compare with").select_option("nothing")
    expect(page.locator("article")).to_have_count(1)


def test_an_address_leads_to_a_step_and_says_where_one_is(open_traces, ntm_trace, strange_file):
    page = open_traces(
        ("one", ntm_trace.to_bytes()), ("two", strange_file), address="#trace=1&step=4"
    )
    shows(page, 4, STEPS)
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**step=5**")
    assert "trace=1" in page.url
    page.evaluate("location.hash = '#trace=1&step=2'")
    shows(page, 2, STEPS)
    page.evaluate("location.hash = '#step=99999&trace=77&with=-1&machine=%3Cb%3E'")
    shows(page, ntm_trace.header.length, ntm_trace.header.length)


def saved(page, kind, path):
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Save the view as {kind}").click()
    download.value.save_as(path)
    return path.read_bytes()


def test_the_view_is_saved_as_svg(open_traces, list_trace, tmp_path):
    page = open_traces(
        ("list", list_trace.to_bytes()), address="#step=2", accept_downloads=True
    )
    shows(page, 2, list_trace.header.length)
    root = ET.fromstring(saved(page, "SVG", tmp_path / "it.svg"))
    assert root.tag == f"{SVG}svg"
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "step 2 of 8" in texts
    assert {"Circuit of this step", "Memory over time"} <= set(texts)
    labels = list_trace.header.axes["cell"].labels
    assert set(filter(None, labels)) <= set(texts)
    assert not list(root.iter(f"{SVG}script"))


@pytest.mark.parametrize("task", [ListK(), ListSearch(), WalkBST()])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_pointer_has_an_arrow(open_traces, tmp_path, task, width):
    machine = NRAMConfig(registers=2, gates=("READ", "INC")).build(key=jax.random.key(0))
    made = trace(machine, task, SIZE, 3)
    page = open_traces(
        ("it", made.to_bytes()), address="#step=0", width=width, accept_downloads=True
    )
    shows(page, 0, made.header.length)
    root = ET.fromstring(saved(page, "SVG", tmp_path / "it.svg"))
    memory = made.example["inputs"]
    pointers = [cell for cell in made.header.pointers if memory[cell] not in (0, cell)]
    assert len(pointers) >= SIZE - 1
    cells = next(root.iter(f"{SVG}g"))
    heads = [line.get("points").split() for line in cells.iter(f"{SVG}polyline")]
    assert [len(head) for head in heads] == [6] * len(pointers)
    assert len(list(cells.iter(f"{SVG}path"))) == len(pointers)
    # An arrow ends in the middle of the cell that it points to.
    boxes = [(float(box.get("x")), float(box.get("y"))) for box in cells.iter(f"{SVG}rect")
             if box.get("rx")]  # fmt: skip
    assert len(boxes) == len(memory)
    for cell, head in zip(pointers, heads, strict=True):
        x, y = boxes[memory[cell]]
        assert x < float(head[2]) < x + 60
        assert y - 5 < float(head[3]) < y + 40


def test_the_view_is_saved_as_png(open_traces, ntm_trace, tmp_path):
    page = open_traces(("it", ntm_trace.to_bytes()), accept_downloads=True)
    shows(page, 0, ntm_trace.header.length)
    data = saved(page, "PNG", tmp_path / "it.png")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width = int.from_bytes(data[16:20], "big")
    assert width > 1280  # twice as sharp


def test_a_machine_that_nobody_knows_is_shown_by_its_fields(open_traces, strange_file):
    page = open_traces(("it", strange_file))
    shows(page, 1, STEPS)
    titles = page.get_by_role("heading", level=3).all_inner_texts()
    assert {"Chart", "Tapes", "Orbits", "Aim"} <= set(titles)
    assert "east" in said(page, "Some")


def test_what_a_field_is_shown_as_is_declared_and_no_matter_of_its_name(open_traces, strange):
    description, arrays = strange
    fields = {field["name"]: field for field in description["fields"]}
    fields["aim"]["aside"] = True
    fields["chart"]["group"] = "memory"
    fields["light"]["group"] = "doubt"
    fields["orbits"]["name"] = "keys"
    arrays["fields/keys"] = arrays.pop("fields/orbits")
    arrays["fields/chart"][:] = 0
    arrays["fields/chart"][3:] = 1
    page = open_traces(("it", file_of(description, arrays)))
    shows(page, 1, STEPS)
    page.keyboard.press("w")
    shows(page, 4, STEPS)
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    expect(page.get_by_role("heading", name="Dials")).to_be_visible()
    expect(page.get_by_role("heading", name="Light")).to_be_visible()
    expect(page.get_by_role("heading", name="Aim")).to_be_hidden()
    page.get_by_text("1 more").click()
    expect(page.get_by_role("heading", name="Aim")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_narrow_and_wide_in_both_schemes(
    open_traces, ntm_trace, list_trace, width, scheme
):
    page = open_traces(
        ("one", ntm_trace.to_bytes()),
        ("two", list_trace.to_bytes()),
        width=width,
        scheme=scheme,
    )
    for trace_number, shown in enumerate((ntm_trace, list_trace)):
        page.evaluate(f"location.hash = '#trace={trace_number}&step=1'")
        shows(page, 1, shown.header.length)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        bar = page.locator("footer").bounding_box()
        assert bar["y"] + bar["height"] <= 900
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    brightness = np.mean([int(x) for x in re.findall(r"\d+", background)[:3]])
    assert (brightness < 60) if scheme == "dark" else (brightness > 200)


def test_files_are_opened(open_traces, strange_file, tmp_path):
    page = open_traces()
    page.get_by_role("heading", name="Drop a trace here").wait_for()
    path = tmp_path / "sky.trace"
    path.write_bytes(strange_file)
    page.get_by_label("Trace files", exact=True).set_input_files(path)
    shows(page, 1, STEPS)
    page.get_by_role("heading", name="a strange machine").wait_for()
