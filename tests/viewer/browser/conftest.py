"""A real browser on the built page."""

import json
import shutil
import threading

import numpy as np
import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright

from softmachine.programs.notes import Provenance
from softmachine.traces.page import page_with
from softmachine.viewer.live_file import Living, live_page
from softmachine.viewer.server import build_app
from softmachine.zoo import models

expect.set_options(timeout=180_000)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Browsers of the system; Playwright's own is not looked for."""


@pytest.fixture(scope="session")
def browser():
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        # Chromium refuses to run as root inside its sandbox; what it loads here is ours.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser):
    """Pages, none of which may have complained by the end of the test."""
    complaints, contexts = [], []

    def make(width=1280, height=900, scheme="light", **options):
        # By itself the page plays what it opens.
        options = {"reduced_motion": "reduce"} | options
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(180_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        return page

    make.complaints = complaints
    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def open_traces(new_page, tmp_path):
    """Open the page from a file, with traces in it: names and what their files hold."""

    def open_(*traces, address="", page=None, **options):
        page = page or new_page(**options)
        path = tmp_path / "page.html"
        path.write_text(page_with(traces), encoding="utf-8")
        page.goto(f"{path.as_uri()}{address}")
        return page

    return open_


def of_zoo(name):
    """A machine of the zoo, as a live file takes it."""
    model = models.open_model(name)
    card = model.card
    origin = Provenance(name, card["recipe"], card["seed"], card["commit"])
    return Living(f"zoo:{name}", model.experiment, model.machine, origin)


@pytest.fixture(scope="session")
def play_page(tmp_path_factory):
    """The address of a page that runs ntm-copy and nram-copy by itself, from a file."""
    path = tmp_path_factory.mktemp("play") / "play.html"
    machines = [of_zoo("ntm-copy"), of_zoo("nram-copy")]
    path.write_text(live_page(machines), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def live(served):
    """The address of a server with small machines."""
    config = uvicorn.Config(
        lambda: None, port=0, log_level="warning", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # so that the first page waits for the server instead of being refused
    port = socket.getsockname()[1]
    config.app = build_app(served, [], token="secret", port=port)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}/?token=secret"
    server.should_exit = True
    thread.join()


def shows(page, step, last):
    """Wait until the page has drawn a step of the last one's trace."""
    expect(page.locator("output.count")).to_have_text(f"{step} / {last}")


TYPES = {"U8": np.uint8, "I32": np.int32, "F32": np.float32}


def file_of(description, arrays, version="2"):
    """Return a trace file, written here byte by byte after docs/traces.md."""
    header = {"__metadata__": {"softmachine_trace": version, "trace": json.dumps(description)}}
    body = b""
    for name, array in arrays.items():
        kind = next(kind for kind, known in TYPES.items() if array.dtype == known)
        end = len(body) + array.nbytes
        shape = list(array.shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), end]}
        body += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def field(name, kind, *axes, **more):
    return {
        "name": name, "kind": kind, "axes": list(axes), "group": "some", "over": None,
        "description": f"What {name} is.",
    } | more  # fmt: skip


STEPS = 6


@pytest.fixture
def strange():
    """A trace of a machine that this package does not know: description and arrays."""
    random = np.random.default_rng(0)
    axes = {
        "step": STEPS, "dial": 3, "planet": 9, "input channel": 2, "output channel": 2
    }  # fmt: skip
    description = {
        "title": "a strange machine", "machine": "Astrolabe", "task": "Sky", "source": "",
        "recipe": "", "size": None, "seed": None, "length": STEPS,
        "steps": list(range(1, STEPS + 1)),
        "axes": {name: {"size": size, "labels": None} for name, size in axes.items()},
        "fields": [
            field("dials", "scalar", "dial"),
            field("light", "probability"),
            field("orbits", "distribution", "dial", "planet"),
            field("aim", "pointer", "dial", over="planet"),
            field("chart", "matrix", "planet", "dial"),
        ],
        "example": [
            field("inputs", "bits", "step", "input channel"),
            field("targets", "bits", "step", "output channel"),
            field("mask", "bits", "step", "output channel"),
            field("outputs", "logits", "step", "output channel"),
            field("wrong", "bits", "step", "output channel"),
        ],
        "initial": [], "hard": None, "circuit": None, "pointers": [],
        "scores": {"wrong_bits": 2.0}, "error": "wrong_bits",
    }  # fmt: skip
    description["axes"]["dial"]["labels"] = ["east", "north", "zenith"]
    orbits = random.random((STEPS, 3, 9), np.float32)
    bits = random.integers(0, 2, (STEPS, 2), np.uint8)
    wrong = np.zeros((STEPS, 2), np.uint8)
    wrong[2, 1] = wrong[4, 0] = 1
    outputs = np.where(bits ^ wrong, 3.0, -3.0).astype(np.float32)
    arrays = {
        "fields/dials": random.normal(size=(STEPS, 3)).astype(np.float32),
        "fields/light": random.random(STEPS, np.float32),
        "fields/orbits": orbits / orbits.sum(2, keepdims=True),
        "fields/aim": random.integers(0, 9, (STEPS, 3), np.int32),
        "fields/chart": random.normal(size=(STEPS, 9, 3)).astype(np.float32),
        "example/inputs": random.integers(0, 2, (STEPS, 2), np.uint8),
        "example/targets": bits,
        "example/mask": np.ones((STEPS, 2), np.uint8),
        "example/outputs": outputs,
        "example/wrong": wrong,
    }
    return description, arrays
