"""Running machines from the page, on a real server."""

import queue
import re
import time

import jax.numpy as jnp
import numpy as np
import pytest
from playwright.sync_api import expect

from softmachine.machines.ntm.ntm import NTM
from softmachine.tasks.sequences.copy import Copy
from softmachine.viewer.machines import Served

from .conftest import file_of, shows


@pytest.fixture
def page(new_page, live):
    page = new_page()
    page.goto(live)
    page.get_by_role("heading", name="small ntm, size 3").wait_for()
    shows(page, 0, Copy(width=2).steps(3))
    return page


def outputs(page, step):
    """Return the bits that the page says the machine said."""
    page.evaluate(f"location.hash = location.hash.replace(/step=\\d+/, 'step={step}')")
    expect(page.locator("html")).to_have_attribute("data-step", f"{step}")
    tapes = page.locator("figure", has=page.get_by_role("heading", name="Tapes")).locator(
        "canvas"
    )
    return tapes.get_attribute("aria-label")


def test_bits_are_turned_and_the_machine_runs_again(page, served):
    machine: NTM = served[0].machine("best")
    text = page.get_by_label("Input as text")
    page.get_by_text("Input as text").click()
    before = np.array(
        [[int(x) for x in line.split()] for line in text.input_value().splitlines()]
    )
    grid = page.locator(".live canvas")
    grid.click(position={"x": 100, "y": 8})  # the first step's first channel
    page.get_by_text("own input").first.wait_for()
    after = np.array(
        [[int(x) for x in line.split()] for line in text.input_value().splitlines()]
    )
    assert np.argwhere(before != after).tolist() == [[0, 0]]
    assert np.isin(before, (0, 1)).all()
    said = np.asarray(machine(jnp.asarray(after, jnp.float32))) > 0
    task = Copy(width=2)
    scored = range(len(after) - 2, len(after) + 1)
    assert len(after) == task.steps(3)
    for step in scored:
        bits = " ".join(str(int(x)) for x in said[step - 1])
        assert f"output: {bits}" in outputs(page, step)


def test_size_seed_and_checkpoint_are_chosen(page):
    page.get_by_label("size", exact=True).fill("2")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="size 2, seed 0").wait_for()
    page.get_by_role("button", name="Another example").click()
    page.get_by_role("heading", name="size 2, seed 1").wait_for()
    with page.expect_response(lambda r: "checkpoint=20" in r.url) as answer:
        page.get_by_label("checkpoint", exact=True).select_option("after 20 sequences")
    assert answer.value.ok


def test_a_list_is_typed(page):
    page.get_by_label("machine", exact=True).select_option("small nram")
    page.get_by_role("heading", name="small nram, size 3").wait_for()
    text = page.get_by_label("your own")
    text.fill("2, 4 1 3 0")
    page.keyboard.press("Enter")
    page.get_by_text("own input").first.wait_for()
    memory = page.locator("figure", has=page.get_by_role("heading", name="Memory", exact=True))
    cells = "; ".join(rf"cell {i}[^:]*: {value}, [^;]*" for i, value in enumerate("24130"))
    expect(memory.locator("canvas")).to_have_attribute("aria-label", re.compile(f"{cells}$"))
    page.locator("h1").click()  # away from the text, which has a use for the key
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**step=1**")


def test_what_is_refused_is_said(page, new_page):
    page.get_by_label("machine", exact=True).select_option("small nram")
    page.get_by_role("heading", name="small nram, size 3").wait_for()
    text = page.get_by_label("your own")
    status = page.get_by_role("status").and_(page.locator(".status"))
    text.fill("1 two 3")
    page.get_by_role("button", name="Run this input").click()
    expect(status).to_contain_text("“two” is not a number")
    text.fill("1 2 99")
    with page.expect_console_message(), page.expect_response("**/trace?**") as answer:
        page.get_by_role("button", name="Run this input").click()
    assert answer.value.status == 400
    expect(status).to_have_text(answer.value.json()["error"])
    assert len(new_page.complaints) == 1  # the browser's own, on the answer
    assert "400" in new_page.complaints.pop()


def test_a_run_is_cancelled_by_the_next_or_by_hand(page, monkeypatch):
    drawn, begun, cancelled = Served.drawn, queue.Queue(), queue.Queue()

    def draw(self, checkpoint, size, seed, wanted, kind):
        if size == 3:
            return drawn(self, checkpoint, size, seed, kind=kind)
        begun.put(size)
        while wanted():
            time.sleep(0.01)
        cancelled.put(size)
        return b""

    monkeypatch.setattr(Served, "drawn", draw)
    status = page.locator(".status")
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    expect(cancel).to_be_hidden()
    for size, said in ((1, "Running …"), (2, "Cancelled the run before. Running …")):
        page.get_by_label("size", exact=True).fill(f"{size}")
        page.keyboard.press("Enter")
        expect(status).to_have_text(said)
        assert begun.get(timeout=180) == size
    assert cancelled.get(timeout=180) == 1
    cancel.click()
    expect(status).to_have_text("Cancelled.")
    expect(cancel).to_be_hidden()
    assert cancelled.get(timeout=180) == 2
    page.get_by_label("seed", exact=True).fill("4")
    page.get_by_label("size", exact=True).fill("3")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="size 3, seed 4").wait_for()
    expect(status).to_be_empty()


def test_runs_are_kept_to_compare(page):
    page.get_by_role("button", name="Keep this trace").click()
    page.locator("article").nth(1).wait_for()
    page.get_by_label("seed", exact=True).fill("5")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="seed 5").wait_for()
    assert page.locator("article h2").all_inner_texts() == [
        "small ntm, size 3, seed 5", "small ntm, size 3, seed 0",
    ]  # fmt: skip


def test_a_file_is_not_live_whatever_its_name(page, strange, tmp_path):
    path = tmp_path / "live: mine.trace"
    path.write_bytes(file_of(*strange))
    page.get_by_label("Trace files", exact=True).set_input_files(path)
    page.get_by_role("heading", name="a strange machine").wait_for()
    expect(page.get_by_role("button", name="Keep this trace")).to_have_count(0)


def test_the_token_stays_in_the_address(page, live):
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**step=1**")
    assert page.url.startswith(live)
