"""Make the pictures of docs/viewer.md from the page itself.

Usage: ``python viewer-ui/capture.py docs/images/viewer [--glyphs RUN]``. Plays traces of the
zoo in headless Chromium; writes screenshots and an animated one. With a run of
``mann-glyphs``, a screenshot of an episode as well.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

import softmachine as sm
from softmachine.tasks.traced.task import TracedTask
from softmachine.traces.calling import trace_calls
from softmachine.traces.page import page_with
from softmachine.zoo import models

STILLS = [
    ("dngpu-sort", 24, 12, "light"),
    ("ntm-copy", 12, 19, "light"),
    ("nram-copy", 6, 6, "dark"),
    ("npi-quicksort", 5, 30, "light"),
]
"""Machine, size, step and colour scheme."""
GLYPHS = ("mann-glyphs", 5, 25, "light")
"""The same of an episode; its machine comes from a run."""
MOVING = "ntm-copy"
WIDE, TALL = 1280, 860
SHRUNK = 2 / 3
FRAME_MS, LAST_MS = 240, 2_000


def page_of(directory: Path, name: str, size: int, run: Path | None) -> tuple[str, int]:
    """Write a page that plays an example; return its address and the number of steps.

    The machine is that of a run, or without one the zoo's.
    """
    if run is None:
        model, source, seed = models.open_model(name), f"zoo:{name}", 3
        machine, task = model.machine, model.experiment.task
    else:
        source, seed = "runs/glyphs", 0
        machine, task = sm.Run(run).load_machine(), sm.Run(run).experiment.task.held_out()
    if isinstance(task, TracedTask):
        made = trace_calls(machine, task, size, seed, source=source)
    else:
        made = sm.trace(machine, task, size, seed, source=source)
    path = directory / f"{name}-{size}.html"
    path.write_text(page_with([(name, made.to_bytes())]), encoding="utf-8")
    return path.as_uri(), made.header.length


def open_at(browser: Browser, address: str, step: int, last: int, scheme: str) -> Page:
    """Return the page, drawn at a step."""
    viewport = {"width": WIDE, "height": TALL}
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    page.goto(f"{address}#step={step}")
    expect(page.locator("output.count")).to_have_text(f"{step} / {last}")
    return page


def picture(page: Page) -> Image.Image:
    """Return a screenshot."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--glyphs", type=Path, help="a run of mann-glyphs")
    arguments = parser.parse_args()
    out, run = arguments.out, arguments.glyphs
    out.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=60_000)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("there is no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        # No sandbox: Chromium refuses one where it runs as root, as in containers.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        pages = {}
        for still in [*STILLS, *([GLYPHS] if run else [])]:
            machine, size, step, scheme = still
            its_run = run if still is GLYPHS else None
            address, last = pages[machine] = page_of(Path(name), machine, size, its_run)
            still = picture(open_at(browser, address, step, last, scheme))
            # A palette holds the colours in a third of the bytes, rare ones too.
            still.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                out / f"{machine}.png", optimize=True
            )
        address, last = pages[MOVING]
        page = open_at(browser, address, 0, last, "light")
        size = (round(WIDE * SHRUNK), round(TALL * SHRUNK))
        frames = []
        for step in range(last + 1):
            expect(page.locator("output.count")).to_have_text(f"{step} / {last}")
            frames.append(picture(page).resize(size, Image.Resampling.LANCZOS))
            page.keyboard.press("ArrowRight")
        browser.close()
    palette = frames[-1].quantize(256)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    small[0].save(
        out / f"{MOVING}.gif",
        save_all=True,
        append_images=small[1:],
        duration=[FRAME_MS] * last + [LAST_MS],
        loop=0,
        optimize=True,
    )


if __name__ == "__main__":
    main()
