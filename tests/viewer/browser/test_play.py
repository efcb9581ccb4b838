"""The *Play* page of the docs: its machines from a plain file server, within another page."""

import dataclasses
import functools
import http.server
import importlib.util
import json
import re
import threading
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from softmachine.recipes import get_recipe
from softmachine.viewer import live_file
from softmachine.viewer.live_file import live_page
from softmachine.zoo import models

ROOT = Path(__file__).parents[3]
PAGE = "play-machines.html"


@pytest.fixture(scope="module")
def play():
    """The script that `make docs` calls."""
    found = importlib.util.spec_from_file_location("play", ROOT / "viewer-ui" / "play.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path, play_page):
    """The address of a plain file server with the docs' frame and the page in it."""
    text = (ROOT / "docs" / "play.md").read_text(encoding="utf-8")
    frame = re.search(r"<iframe.*?</iframe>", text, re.DOTALL)[0]
    style = (ROOT / "docs" / "stylesheets" / "site.css").read_text(encoding="utf-8")
    head = f'<html lang="en"><head><title>Play</title><style>{style}</style>'
    icon = '<link rel="icon" href="data:,"></head>'
    (tmp_path / "index.html").write_text(f"<!doctype html>{head}{icon}<body>{frame}</body>")
    (tmp_path / PAGE).write_bytes(Path(play_page.removeprefix("file://")).read_bytes())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        server.shutdown()
        thread.join()


def test_make_docs_writes_what_the_page_shows():
    assert f"viewer-ui/play.py site/{PAGE}" in (ROOT / "Makefile").read_text()
    text = (ROOT / "docs" / "play.md").read_text(encoding="utf-8")
    assert f'src="{PAGE}"' in text
    assert f'href="{PAGE}"' in text


def test_its_machines_are_those_that_the_page_can_run(play):
    text = (ROOT / "docs" / "play.md").read_text(encoding="utf-8")
    kinds = [live_file._check(play.living(name)) for name in play.MACHINES]
    assert {*kinds} == {*live_file.RUNS}
    told = re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)
    others = ["sort", play.untrained().name]
    assert sorted(told) == sorted([*(f"zoo:{name}" for name in play.MACHINES), *others])
    assert {*play.MACHINES} <= {*models.names()}


def test_what_sorts_is_what_the_search_found(play):
    """Its program is the code in the benchmark's results, letter by letter."""
    lines = (ROOT / "benchmarks" / "synthesis-earlier-results.jsonl").read_text().splitlines()
    (found,) = [x for x in map(json.loads, lines) if x["problem"] == "sort" and x["solved"]]
    one = play.sorting()
    task = one.experiment.task.held_out(larger=True)
    made = live_file._program(one, task)["code"]
    changes = "\ndef change("
    assert made.partition(changes)[2] == found["code"].partition(changes)[2] != ""


def test_a_list_is_sorted(new_page, tmp_path, play):
    """In the page, as in Python: memory, steps and program, for lists of many lengths."""
    one = play.sorting()
    path = tmp_path / "sort.html"
    path.write_text(live_page([one]), encoding="utf-8")
    page = new_page()
    page.goto(path.as_uri())
    task = one.experiment.task
    for typed in ([4, 2, 7, 1], [1], [3, 3, 9, 1, 3, 20, 2], [*range(16, 0, -1)]):
        laid = task.lay_out(typed)
        found = page.evaluate(
            """(typed) => {
                const machine = window.softmachine[0];
                const trace = machine.run({ size: null, seed: 0, input: typed });
                const memory = [...trace.example.get("inputs").data];
                return {
                    memory, steps: trace.length, after: machine.runHard(memory, trace.length),
                    program: machine.program.run(memory).memory,
                };
            }""",
            typed,
        )
        assert found["memory"] == laid.memory
        assert found["steps"] == laid.steps == (len(typed) + 1) ** 2
        assert found["after"] == sorted(typed) + laid.memory[len(typed) :]
        assert found["program"] == found["after"]
    page.get_by_label("your own").fill("4 2 7 1")
    page.get_by_label("your own").press("Enter")
    expect(page.locator("output.count")).to_have_text("0 / 25")
    page.locator("h1").click()
    page.keyboard.press("End")
    cells = page.locator('figure[data-panel="Memory"] canvas')
    expect(cells).to_have_attribute("aria-label", re.compile("cell 0: 1.*cell 3: 7"))
    # Both writes of a step go to the same cell: the second one finds what the first one wrote.
    said = page.locator(".sentence").inner_text()
    assert "It writes 2 into cell 0. It writes 1 into cell 0. " in said


def test_what_is_trained_there_is_the_recipe_untrained(play):
    one = play.untrained()
    said = live_file._describe(one, live_file._check(one))
    recipe = get_recipe("ntm-copy").training
    assert said["training"] == {
        "width": 8, "smallest": 1, "largest": 20, "memory_rows": [32, 128],
        "learning_rate": recipe.optimizer.learning_rate, "decay_steps": 40_000,
        "clip_norm": recipe.optimizer.clip_norm,
    }  # fmt: skip


def test_examples_that_begin_with_larger_ones_can_be_played(play):
    one = play.sorting()
    lines = [x for x in one.experiment.task.examples.splitlines() if json.loads(x)["size"] > 4]
    task = dataclasses.replace(one.experiment.task, examples="\n".join(lines))
    experiment = dataclasses.replace(one.experiment, task=task)
    said = live_file._describe(one._replace(experiment=experiment), "nram")
    assert said["sizes"][0] == said["size"] == 5
    assert {x["size"] for x in said["examples"]} == {*said["sizes"]}
    assert all(sum(map(int, x["mask"])) >= x["size"] for x in said["examples"])


@pytest.mark.parametrize("width", [1280, 390])
def test_a_list_is_typed_and_the_tour_goes_to_its_end(new_page, site, width):
    page = new_page(width=width, height=860)
    page.goto(site)
    frame = page.frame_locator("iframe")
    frame.get_by_label("machine", exact=True).select_option("zoo:nram-copy")
    frame.get_by_role("heading", name="zoo:nram-copy").wait_for()
    typed = frame.get_by_label("your own")
    typed.fill("3 1 2 5")
    typed.press("Enter")
    frame.get_by_text("own input").first.wait_for()
    frame.locator("h1").click()  # away from the text, which has a use for the key
    page.keyboard.press("End")
    cells = frame.locator('figure[data-panel="Memory"] canvas')
    expect(cells).to_have_attribute("aria-label", re.compile(r"cell 8 \(out3\): 5"))
    frame.get_by_role("button", name="Tour").click()
    popover = frame.locator(".driver-popover")
    for stop in range(1, 7):
        expect(popover.locator(".driver-popover-progress-text")).to_have_text(f"{stop} of 6")
        popover.locator(".driver-popover-next-btn").click()
    expect(popover).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_there_is_nothing_that_axe_objects_to(new_page, play_page, width, scheme):
    for fragment in ("#step=5", "#run=1&step=2"):
        page = new_page(width=width, height=860, scheme=scheme)
        page.goto(play_page + fragment)
        expect(page.locator("output.count")).not_to_be_empty()
        found = Axe().run(page).response["violations"]
        assert [(x["id"], x["nodes"][0]["html"]) for x in found] == []


def test_the_site_mends_what_axe_objects_to_in_its_theme(new_page, tmp_path):
    """Markup as the theme makes it, some of it only once the page is there."""
    script = (ROOT / "docs" / "javascripts" / "site.js").read_text(encoding="utf-8")
    assert "javascripts/site.js" in (ROOT / "mkdocs.yml").read_text()
    inner = '<nav class="md-nav" aria-label="Start"><a href="#a">one</a></nav>'
    head = '<html lang="en"><head><title>Site</title><link rel="icon" href="data:,"></head>'
    (tmp_path / "index.html").write_text(
        f"<!doctype html>{head}<body><nav aria-label='Navigation'>{inner}{inner}</nav>"
        f"<main><h1 id='a'>Site</h1></main><script>{script}</script></body></html>"
    )
    page = new_page(width=390)
    page.goto((tmp_path / "index.html").as_uri())
    page.evaluate("""() => {
        document.querySelector("main").insertAdjacentHTML("beforeend",
            '<div class="md-typeset__scrollwrap" style="overflow:auto;width:100px">' +
            '<div style="width:900px">wide</div></div>' +
            '<nav class="md-code__nav"></nav><nav class="md-code__nav"></nav>');
    }""")
    expect(page.locator(".md-typeset__scrollwrap")).to_have_attribute("tabindex", "0")
    found = Axe().run(page).response["violations"]
    assert [(x["id"], x["nodes"][0]["html"]) for x in found] == []


def test_a_run_is_saved_as_a_film(new_page, play_page):
    page = new_page()
    page.goto(f"{play_page}#run=1&step=2")
    expect(page.locator("output.count")).to_have_text("2 / 7")
    with page.expect_download() as download:
        page.get_by_role("button", name="Film").click()
    assert download.value.suggested_filename.endswith(".webm")
    film = Path(download.value.path()).read_bytes()
    assert film[:4] == bytes.fromhex("1a45dfa3")  # EBML, in which WebM is written
    assert b"webm" in film[:64]
    assert b"V_VP" in film[:1000]
    assert len(film) > 2_000  # a busy machine drops frames
    expect(page.locator("output.count")).to_have_text("2 / 7")
    # A browser that cannot record says so, and is where it was.
    page.evaluate("() => { delete globalThis.MediaRecorder; }")
    page.get_by_role("button", name="Film").click()
    page.get_by_text("This browser cannot record films.").wait_for()
    expect(page.get_by_role("button", name="Film")).to_be_enabled()
    expect(page.locator("output.count")).to_have_text("2 / 7")
