"""What the page explains: a step in words, equations with numbers, words with tips, a tour."""

import importlib.util
import io
import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from softmachine.core.errors import SoftmachineError
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.machines.stack_rnn import StackRNNConfig
from softmachine.programs.notes import Provenance
from softmachine.recipes import get_recipe
from softmachine.tasks.languages.counting import CountingLanguage
from softmachine.traces.calling import trace_calls
from softmachine.traces.examples import draw_example
from softmachine.traces.head_moves import format_account, run_by_moves, take_account
from softmachine.traces.making import trace
from softmachine.traces.page import page_with
from softmachine.viewer.live_file import Living, machine_file
from softmachine.zoo import models

from ..conftest import small
from .conftest import shows

UI = Path(__file__).parents[3] / "viewer-ui"


def sentence(page):
    return page.locator(".sentence").inner_text()


def number(page, title):
    """Return the number in a panel's formula, or several in brackets as a list."""
    said = panel(page, title).locator(".value").text_content()
    return json.loads(said.replace("−", "-").replace("(", "[").replace(")", "]"))  # noqa: RUF001


def open_at(new_page, address, fragment="", **options):
    page = new_page(**options)
    page.goto(address + fragment)
    expect(page.locator("output.count")).not_to_be_empty()
    return page


def panel(page, title):
    return page.locator(f'figure[data-panel="{title}"]')


def test_it_plays_on_load_and_ends(new_page, play_page):
    page = open_at(new_page, play_page, "#run=1", reduced_motion="no-preference")
    expect(page.locator("output.count")).to_have_text("7 / 7")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


@pytest.mark.parametrize(("fragment", "motion"), [("#step=3", "no-preference"), ("", "reduce")])
def test_it_stays_where_a_link_says_or_motion_is_not_wanted(
    new_page, play_page, fragment, motion
):
    page = open_at(new_page, play_page, fragment, reduced_motion=motion)
    shows(page, 3 if fragment else 0, 21)
    page.wait_for_timeout(700)
    shows(page, 3 if fragment else 0, 21)


def test_steps_of_a_machine_that_works_on_all_places_at_once(new_page, tmp_path):
    """Its steps are not the places of the example: none of these is the present."""
    model = models.open_model("dngpu-sort")
    made = trace(model.machine, model.experiment.task, 7, 3)
    path = tmp_path / "sort.html"
    path.write_text(page_with([("sort", made.to_bytes())]), encoding="utf-8")
    page = open_at(new_page, path.as_uri(), "#step=3")
    shows(page, 3, 7)
    told = "each place looks at itself and its neighbours."
    assert sentence(page) == f"Step 3 of 7: {told}"
    page.keyboard.press("End")
    shows(page, 7, 7)
    assert sentence(page) == f"Step 7 of 7: {told} Its state is the answer."
    # The example along its places, whatever the step.
    tapes = panel(page, "Tapes").locator("canvas")
    outputs = made.example["outputs"].argmax(1)
    letters = made.header.axes["output channel"].labels
    said = f"output: {' '.join(letters[x] for x in outputs)}"
    assert said in tapes.get_attribute("aria-label")
    tapes.hover(position={"x": 107, "y": 8})  # as the panel of maps, from 0 on
    expect(page.locator(".tip")).to_contain_text(re.compile("place 0$"))
    tapes.click(position={"x": 107, "y": 8})
    shows(page, 7, 7)


def test_a_step_of_heads_in_words(new_page, play_page):
    page = open_at(new_page, play_page, "#word=HELLO&step=1")
    shows(page, 1, 11)
    assert "The first vector, the letter H, comes in." in sentence(page)
    assert re.search(r"The write head .* and writes there\.", sentence(page))
    page.keyboard.press("End")
    shows(page, 11, 11)
    assert "Nothing comes in." in sentence(page)
    assert re.search(r"The read head .* and reads what was written in step \d", sentence(page))
    assert sentence(page).endswith("It says O, and every bit is right.")


def test_moves_are_those_that_the_command_tells(new_page, play_page):
    machine = models.load("ntm-copy")
    task = models.experiment_of("ntm-copy").task.held_out(larger=True)
    example, key = draw_example(task, 5, 0)
    account = take_account(machine, example, key)
    done = run_by_moves(machine, example, account.rows, key)
    account, done = jax.tree.map(np.asarray, (account, done))
    table = format_account(machine, task, example, account, done).splitlines()[1:]
    page = open_at(new_page, play_page, "#size=5&seed=0&step=0")
    for step, line in enumerate(table, start=1):
        page.keyboard.press("ArrowRight")
        shows(page, step, len(table))
        said = sentence(page)
        read, write = re.search(
            r"(The read head[^.]*)\. (The write head[^.]*)\.", said
        ).groups()
        for head, text in zip((0, 1), (read, write), strict=True):
            if account.weights[step - 1, head] >= 0.5:
                assert f"row {account.rows[step - 1, head]}" in text
            else:
                assert "between rows" in text
        found = re.search(r"\(of (\d+)\)", line)
        assert ("written in step" in read) == (found is not None)
        if found:
            assert f"written in step {found[1]}" in read
        assert ("writes there" in write) == (" write" in line)


def test_a_step_of_a_circuit_in_words_and_as_a_line_of_the_program(new_page, play_page):
    page = open_at(new_page, play_page, "#run=1&input=4.2.7&step=2")
    shows(page, 2, 5)
    assert "It reads cell 3, which holds 7. It writes 7 into cell 6." in sentence(page)
    program = panel(page, "Program").locator("canvas")
    expect(program).to_have_attribute("aria-label", re.compile(r"memory\[\(base \+ i\) % n\]"))
    page.keyboard.press("ArrowLeft")
    expect(program).to_have_attribute("aria-label", re.compile(r"start: base = "))


def test_what_is_typed_is_run_and_stands_in_the_address(new_page, play_page):
    page = open_at(new_page, play_page, "#run=1")
    typed = page.get_by_label("your own")
    assert re.fullmatch(r"\d+( \d+)*", typed.input_value())
    typed.fill("3 1 2 5")
    typed.press("Enter")
    page.get_by_text("own input").first.wait_for()
    shows(page, 0, 6)
    page.wait_for_function("location.hash.includes('input=3.1.2.5')")
    page.locator("h1").click()  # away from the text, which has a use for the key
    page.keyboard.press("End")
    cells = panel(page, "Memory").locator("canvas")
    expect(cells).to_have_attribute("aria-label", re.compile(r"cell 5 \(out0\): 3"))
    page.wait_for_function("location.hash.includes('step=6')")
    link = page.url
    other = open_at(new_page, link)
    shows(other, 6, 6)
    expect(other.get_by_label("your own")).to_have_value("3 1 2 5")
    assert sentence(other) == sentence(page)
    typed.fill("3 -1")
    typed.press("Enter")
    expect(page.locator(".status")).to_have_text(
        "A memory is a list of whole numbers from 0 on."
    )


def test_panels_and_heads_stand_in_the_address(new_page, play_page):
    page = open_at(new_page, play_page, "#step=4")
    panel(page, "Tapes").get_by_role("button", name="Tapes", exact=True).click()
    expect(panel(page, "Tapes").locator("canvas")).to_be_hidden()
    page.get_by_label("head", exact=True).select_option("read")
    page.wait_for_function("location.hash.includes('without=Tapes')")
    page.wait_for_function("location.hash.includes('of=head')")
    other = open_at(new_page, page.url)
    expect(panel(other, "Tapes").locator("canvas")).to_be_hidden()
    expect(other.get_by_label("head", exact=True)).to_have_value("0")


def test_only_the_rows_in_use_are_shown(new_page, play_page):
    page = open_at(new_page, play_page, "#size=10&seed=0&step=5")
    note = panel(page, "Memory").locator("figcaption")
    found = re.search(r"rows (\d+) to (\d+) of 128", note.inner_text())
    first, last = map(int, found.groups())
    rows = (last - first) % 128 + 1
    assert 10 < rows < 60
    machine = models.load("ntm-copy")
    task = models.experiment_of("ntm-copy").task.held_out(larger=True)
    made = trace(machine, task, 10, 0)
    used = {int(row) for row in (made.fields["weightings"] > 0.1).nonzero()[2]}
    assert {(first + i) % 128 for i in range(rows)} >= used


def test_equations_have_the_numbers_of_the_step(new_page, play_page):
    page = open_at(new_page, play_page, "#size=10&seed=0&step=5")
    machine = models.load("ntm-copy")
    task = models.experiment_of("ntm-copy").task.held_out(larger=True)
    made = trace(machine, task, 10, 0)
    for head, place in (("write", 1), ("read", 0)):
        page.get_by_label("head", exact=True).select_option(head)
        for title, field in (("Gated", "gates"), ("Content", "key_strengths")):
            expected = made.fields[field][4, place]
            assert number(page, title) == pytest.approx(expected, abs=6e-3)
        expected = made.fields["shifts"][4, place].tolist()
        assert number(page, "Shifted") == pytest.approx(expected, abs=6e-4)


def test_formulas_of_the_package_are_in_the_page():
    found = importlib.util.spec_from_file_location("formulas", UI / "formulas.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    said = json.loads((UI / "formulas.json").read_text(encoding="utf-8"))
    assert said == module.formulas(), "call: python viewer-ui/formulas.py, then make viewer"


def test_keys_and_words_explain_themselves(new_page, play_page):
    page = open_at(new_page, play_page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    for word in ("size", "perfect"):
        term = page.locator(".facts .term", has_text=word)
        term.focus()
        expect(page.locator(".tip")).to_contain_text(word)
        assert len(page.locator(".tip").inner_text()) > 30
    page.locator("article h2").hover()
    expect(page.locator(".tip")).to_be_hidden()


def stack_file():
    task = CountingLanguage(language="an-bn", sizes="up-to", strings=2)
    experiment = small("stack-rnn-an-bn", task, StackRNNConfig(memory_rows=12), 3)
    origin = Provenance("stack", "stack-rnn-an-bn", 0, None)
    return trace(experiment.build_machine(0), task, 3).to_bytes(), origin


def program_file():
    model = models.open_model("npi-addition")
    return trace_calls(model.machine, model.experiment.task, 3, 0).to_bytes()


def go_round(page):
    """Go through the tour; return the titles of its stops."""
    page.get_by_role("button", name="Tour").click()
    titles = []
    while True:
        popover = page.locator(".driver-popover")
        expect(popover.locator(".driver-popover-progress-text")).to_contain_text(
            f"{len(titles) + 1} of"
        )
        titles.append(popover.locator(".driver-popover-title").inner_text())
        button = popover.locator(".driver-popover-next-btn")
        done = button.inner_text() == "Done"
        button.click()
        if done:
            expect(popover).to_have_count(0)
            return titles


def test_a_tour_of_six_stops_for_every_family(new_page, play_page, open_traces):
    ntm = go_round(open_at(new_page, play_page))
    nram = go_round(open_at(new_page, play_page, "#run=1"))
    assert len(ntm) == len(nram) == 6
    assert {"The memory", "How it is computed"} <= {*ntm}
    assert {"The circuit", "The same as a program"} <= {*nram}
    stack = go_round(open_traces(("stack", stack_file()[0])))
    calls = go_round(open_traces(("calls", program_file())))
    assert "The memory" in stack
    assert "Programs that call programs" in calls
    for titles in (ntm, nram, stack, calls):
        assert len({*titles}) == len(titles) == 6
        assert titles[-1] == "Step by step"


def test_a_panel_as_svg_and_a_slide(new_page, play_page):
    page = open_at(new_page, play_page, "#step=5")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save Memory as SVG").click()
    svg = Path(download.value.path()).read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert ">Memory</text>" in svg
    with page.expect_download() as download:
        page.get_by_role("button", name="Slide").click()
    picture = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert picture.size == (1920, 1080)


def test_action_is_above_the_fold(new_page, play_page):
    for width, fragment in ((1280, ""), (390, ""), (1280, "#run=1"), (390, "#run=1")):
        page = open_at(new_page, play_page, fragment, width=width, height=860)
        dock = page.locator(".transport").bounding_box()["y"]
        for place in (page.locator(".sentence"), panel(page, "Memory").locator("canvas")):
            box = place.bounding_box()
            # At 390 the whole of a memory may not fit; where it is does.
            bottom = box["y"] + min(box["height"], 340)
            assert bottom <= dock + 120 * (width < 800), (width, fragment)
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_machines_that_the_page_cannot_run_are_refused_in_a_sentence():
    task = get_recipe("ntm-copy").task
    experiment = small("ntm-copy", task, RecurrentConfig(), 3)
    one = Living(
        "runs/lstm", experiment, experiment.build_machine(0), Provenance("", "", 0, None)
    )
    with pytest.raises(SoftmachineError, match=r"the page runs ntm, nram, stack-rnn by itself"):
        machine_file(one)
