"""Runs of programs in a real browser."""

import dataclasses
import re
import threading

import pytest
import uvicorn
from playwright.sync_api import expect

from softmachine.machines.npi import npi_for
from softmachine.recipes import get_recipe
from softmachine.tasks.traced.tasks import Addition, QuickSort, Several
from softmachine.traces.calling import trace_calls
from softmachine.traces.file import trace_from_bytes
from softmachine.viewer.programs import served as serve_programs
from softmachine.viewer.server import build_app

from ...running.test_interpreter import Always
from .conftest import shows

TASK = QuickSort()


@pytest.fixture(scope="module")
def made(by_heart):
    return trace_calls(by_heart(TASK.held_out()), TASK, problem="3 1 2", source="it")


def says(page, panel):
    """Return what a panel tells a screen reader."""
    canvas = page.locator(f"figure[data-panel='{panel}'] canvas")
    return canvas.get_attribute("aria-label")


def test_each_step_is_shown_before_it_is_done(open_traces, made):
    page = open_traces(("it", made.to_bytes()))
    run, last = made.header.calls, made.header.length
    expect(page.locator(".ending")).to_have_text(run.ending)
    expect(page.locator(".problem")).to_have_text("quicksort: 3 1 2")
    pictures = list(run.pictures())
    for position in (0, 1, 2, 3):
        shows(page, position, last)
        step = run.steps[position]
        decision = says(page, "Next step")
        assert f"{run.told(step.call)} sees " in decision
        assert f"decides {'=> ' if step.ends else ''}{run.told(step.calls)};" in decision
        assert f"to end {'99' if step.ends else '0.7'} %" in decision
        name, cells, _ = pictures[position][0]
        assert f"{name} {' '.join(cells)}." in says(page, "Environment")
        assert f"Running: {run.told(run.steps[0].call)}" in says(page, "Calls")
        page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    shows(page, last, last)
    assert "The run has ended." in says(page, "Next step")
    assert "numbers 1 2 3." in says(page, "Environment")


def test_an_end_that_is_a_call_is_explained(open_traces, made):
    page = open_traces(("it", made.to_bytes()))
    note = page.locator("figure[data-panel='Calls'] .term").get_by_text("=>")
    expect(note).to_have_attribute("data-tip", re.compile("takes its place"))
    number = next(i for i, x in enumerate(made.header.calls.steps) if x.ends and x.calls[0])
    page.goto(f"{page.url.partition(chr(35))[0]}#step={number}")
    shows(page, number, made.header.length)
    page.locator("figure[data-panel='Next step'] canvas").hover(position={"x": 20, "y": 9})
    expect(page.get_by_text("=>: the call ends, this takes its place")).to_be_visible()


def test_calls_fold_and_lead_to_their_steps(open_traces, made):
    page = open_traces(("it", made.to_bytes()))
    shows(page, 0, made.header.length)
    tree = page.locator("figure[data-panel='Calls'] canvas")
    tree.focus()
    height = tree.bounding_box()["height"]
    # The first line has the ways of folding, from left to right; below it the calls.
    tree.click(position={"x": 125, "y": 9})  # fold all
    folded = tree.screenshot()
    tree.click(position={"x": 70, "y": 9})  # unfold all
    assert tree.screenshot() != folded
    assert tree.bounding_box()["height"] == height
    # The second line is the first thing that is called: by step 1.
    tree.click(position={"x": 80, "y": 26 + 30})
    shows(page, 0, made.header.length)
    tree.click(position={"x": 100, "y": 26 + 50})
    nested = next(i for i, step in enumerate(made.header.calls.steps[1:], 1) if step.calls[0])
    shows(page, nested, made.header.length)


def test_a_run_that_fails_says_why(open_traces):
    task = Addition()
    core = Always.deciding(task.interface.calls, "PTR", "IN1", "RIGHT")
    made = trace_calls(core, task, problem="1 + 2")
    page = open_traces(("it", made.to_bytes()), address="#step=1")
    shows(page, 1, 1)
    expect(page.locator(".ending.bad")).to_have_text(made.header.calls.ending)
    page.keyboard.press("Shift+E")
    shows(page, 0, 1)
    assert "decides PTR IN1 RIGHT" in says(page, "Next step")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(open_traces, made, scheme):
    page = open_traces(("it", made.to_bytes()), width=390, height=800, scheme=scheme)
    shows(page, 0, made.header.length)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for canvas in page.locator("figure canvas").all():
        assert canvas.bounding_box()["width"] <= 390


def test_a_run_that_contradicts_itself_is_refused(open_traces, made):
    header = made.header
    steps = list(header.calls.steps)
    steps[2] = dataclasses.replace(steps[2], seen=(9, 9, 9, 9))
    calls = dataclasses.replace(header.calls, steps=tuple(steps))
    broken = dataclasses.replace(made, header=dataclasses.replace(header, calls=calls))
    page = open_traces(("it", broken.to_bytes()))
    expect(page.locator(".message")).to_contain_text("damaged: seen is not a whole number")


@pytest.fixture(scope="module")
def live():
    task = Several(tasks=(Addition(), QuickSort()))
    machine = dataclasses.replace(npi_for(task.interface.calls), hidden=4)
    experiment = dataclasses.replace(get_recipe("npi-several"), task=task, machine=machine)
    programs = serve_programs("it", experiment, {"best": ("best", experiment.build_machine)})
    config = uvicorn.Config(
        lambda: None, port=0, log_level="warning", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()
    port = socket.getsockname()[1]
    config.app = build_app([programs], [], token="secret", port=port)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}/?token=secret", programs
    server.should_exit = True
    thread.join()


def test_a_person_chooses_kind_size_and_problem(new_page, live):
    address, programs = live
    page = new_page()
    page.goto(address)
    problem = page.locator(".problem")
    first = trace_from_bytes(programs.drawn("best", 6, 0)).header.calls
    expect(problem).to_have_text(f"addition: {first.problem}")
    page.get_by_label("problem", exact=True).select_option(label="quicksort")
    expect(problem).to_contain_text("quicksort: ")
    page.get_by_label("size", exact=True).fill("3")
    page.get_by_label("size", exact=True).press("Enter")
    drawn = trace_from_bytes(programs.drawn("best", 3, 0, kind="quicksort")).header.calls
    expect(problem).to_have_text(f"quicksort: {drawn.problem}")
    own = page.get_by_label("your own: numbers, such as 3 1 2")
    expect(own).to_have_value(drawn.problem)
    own.fill("7 5")
    own.press("Enter")
    expect(problem).to_have_text("quicksort: 7 5")
    own.fill("seven")
    own.press("Enter")
    expect(page.locator(".status")).to_contain_text("write numbers, such as 3 1 2")
    new_page.complaints.clear()  # a browser notes each answer with status 400
