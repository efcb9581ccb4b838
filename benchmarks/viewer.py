"""How fast the viewer's page is, measured in a browser.

Usage: ``python benchmarks/viewer.py --json FILE``. Opens traces of a Neural Turing Machine
with a memory of 128 x 20 in headless Chromium, as large as the page: how long it takes from
choosing a file, or from loading a page that holds the trace, until it is drawn; and how many
frames per second are drawn while a trace plays at one step a frame, with how much of the
processor's time the page's main thread takes for each: 16.7 ms is what there is. The numbers
in the traces are random, so that no two frames look alike. Headless Chromium draws without a
graphics card.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import CDPSession, Page, sync_playwright
from safetensors.numpy import save

from softmachine.experiments.environment import describe_environment
from softmachine.traces.page import page_with

ROWS, COLUMNS, WIDTH, HIDDEN = 128, 20, 8, 100
PLAYED, LONG = 200, 2_000
REPETITIONS = 5

AXES = {
    "head": 2, "read head": 1, "write head": 1, "row": ROWS, "column": COLUMNS, "shift": 3,
    "hidden": HIDDEN, "input channel": WIDTH + 1, "output channel": WIDTH,
}  # fmt: skip
FIELDS = {
    "memory": ("matrix", "row", "column"),
    "weightings": ("weighting", "head", "row"),
    "reads": ("vector", "read head", "column"),
    "gates": ("probability", "head"),
    "key_strengths": ("scalar", "head"),
    "sharpenings": ("scalar", "head"),
    "shifts": ("distribution", "head", "shift"),
    "keys": ("vector", "head", "column"),
    "erases": ("vector", "write head", "column"),
    "adds": ("vector", "write head", "column"),
    "controller": ("vector", "hidden"),
}
EXAMPLE = {
    "inputs": ("bits", "input channel"),
    "targets": ("bits", "output channel"),
    "mask": ("bits", "output channel"),
    "outputs": ("logits", "output channel"),
    "wrong": ("bits", "output channel"),
}

POSITIVE = ("probability", "weighting", "distribution", "scalar")

UNTIL_DRAWN = """
last => new Promise((resolve) => {
  const look = () => {
    const count = document.querySelector("output.count")?.textContent ?? "";
    const drawn = document.querySelector("article canvas")?.getAttribute("aria-label");
    if (count.endsWith(`/ ${last}`) && drawn) resolve(performance.now() - (window.chosen ?? 0));
    else requestAnimationFrame(look);
  };
  look();
})
"""
"""Resolves to milliseconds since a file was chosen, or else since the page was asked for."""

PLAY = """
() => new Promise((resolve) => {
  const [times, count] = [[], document.querySelector("output.count")];
  const frame = (now) => {
    times.push([now, count.textContent]);
    if (document.querySelector('button[aria-label^="Pause"]')) requestAnimationFrame(frame);
    else resolve(times);
  };
  document.querySelector('button[aria-label^="Play"]').click();
  requestAnimationFrame(() => requestAnimationFrame(frame));
})
"""
"""Plays to the end; resolves to the time of each frame and the step that it shows."""


def make_trace(steps: int) -> bytes:
    """Return a trace file of random numbers, after docs/traces.md."""
    random = np.random.default_rng(0)
    arrays, sizes = {}, {**AXES, "step": steps}

    def declare(place: str, name: str) -> dict:
        kind, *axes = (FIELDS if place == "fields" else EXAMPLE)[name]
        shape = [steps, *(sizes[axis] for axis in axes)]
        if kind == "bits":
            arrays[f"{place}/{name}"] = random.integers(0, 2, shape, np.uint8)
        else:
            numbers = random.random(shape, np.float32)
            arrays[f"{place}/{name}"] = numbers if kind in POSITIVE else 2 * numbers - 1
        along = ["step", *axes] if place == "example" else axes
        return {"name": name, "kind": kind, "axes": along, "group": "heads", "over": None,
                "description": ""}  # fmt: skip

    description = {
        "title": f"{steps} steps", "machine": "NTM", "task": "Copy", "source": "",
        "recipe": "", "size": None, "seed": None, "length": steps,
        "steps": list(range(1, steps + 1)),
        "axes": {name: {"size": size, "labels": None} for name, size in sizes.items()},
        "fields": [declare("fields", name) for name in FIELDS],
        "example": [declare("example", name) for name in EXAMPLE],
        "initial": [], "hard": None, "circuit": None, "pointers": [], "scores": {},
        "error": "wrong_bits",
    }  # fmt: skip
    return save(arrays, {"softmachine_trace": "1", "trace": json.dumps(description)})


def time_file(page: Page, empty: Path, trace: Path, steps: int) -> float:
    """Return seconds from choosing a file until it is drawn."""
    page.goto(empty.as_uri())
    page.evaluate(
        "document.addEventListener('change', () => { window.chosen = performance.now() }, true)"
    )
    page.get_by_label("Trace files", exact=True).set_input_files(trace)
    return page.evaluate(UNTIL_DRAWN, steps) / 1000


def time_page(page: Page, full: Path, steps: int) -> float:
    """Return seconds from asking for a page that holds a trace until that is drawn."""
    page.goto("about:blank")
    page.goto(full.as_uri(), wait_until="commit")
    return page.evaluate(UNTIL_DRAWN, steps) / 1000


def processor_seconds(session: CDPSession) -> tuple[float, float]:
    """Return how long the page's main thread has been at work, in all and in its script.

    It is the processor's time, which other programs on the same cores hardly change.
    """
    metrics = session.send("Performance.getMetrics")["metrics"]
    seconds = {x["name"]: x["value"] for x in metrics}
    return seconds["TaskDuration"], seconds["ScriptDuration"]


def time_playing(page: Page, full: Path, steps: int) -> dict[str, float]:
    """Return frames per second while a trace plays, and how long the frames took."""
    page.goto(full.as_uri())
    page.evaluate(UNTIL_DRAWN, steps)
    page.get_by_label("speed").select_option("60 / s")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    work, script = processor_seconds(session)
    frames = page.evaluate(PLAY)
    work_after, script_after = processor_seconds(session)
    times = [time for time, _ in frames]
    gaps = sorted(b - a for a, b in itertools.pairwise(times))
    return {
        "seconds": (times[-1] - times[0]) / 1000,
        "frames_per_second": 1000 * len(gaps) / (times[-1] - times[0]),
        "processor_ms_per_frame": 1000 * (work_after - work) / len(gaps),
        "script_ms_per_frame": 1000 * (script_after - script) / len(gaps),
        "steps_shown": len({step for _, step in frames}),
        "median_frame_ms": statistics.median(gaps),
        "frame_ms_95th_of_100": gaps[int(0.95 * len(gaps))],
    }


def main() -> None:
    """Measure, print and, if asked to, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("there is no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        directory = Path(name)
        pages, traces = {}, {}
        for steps in (PLAYED, LONG):
            data = make_trace(steps)
            traces[steps] = directory / f"{steps}.trace"
            traces[steps].write_bytes(data)
            pages[steps] = directory / f"{steps}.html"
            pages[steps].write_text(page_with([(f"{steps}", data)]))
        empty = directory / "empty.html"
        empty.write_text(page_with([]))
        # No sandbox: Chromium refuses one where it runs as root, as in containers.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        turns = range(REPETITIONS)
        result = {
            "memory": [ROWS, COLUMNS],
            "long_trace_bytes": traces[LONG].stat().st_size,
            "open_file_seconds": [time_file(page, empty, traces[LONG], LONG) for _ in turns],
            "open_page_seconds": [time_page(page, pages[LONG], LONG) for _ in turns],
            "playing": [time_playing(page, pages[PLAYED], PLAYED) for _ in turns],
            "browser": browser.version,
            "load_average": os.getloadavg()[0],
            "environment": describe_environment(),
        }
        browser.close()
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
