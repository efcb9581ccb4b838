"""How long the page takes to learn to copy, by itself in a browser: seeds solved, and the time.

Usage: ``python benchmarks/page_training.py [--seeds 1 2 3] [--json FILE]``. Opens in headless
Chromium a page with the untrained machine of recipe ntm-copy, trains it with each seed as the
button *Train* does, though with nothing to draw, and tests it in between: 40 sequences every
500 updates, and 200 more if all of these are right, which ends it. ``--updates`` ends it, too.
The seed is that of the sequences; the first parameters are always the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from datetime import date
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from softmachine.recipes import get_recipe
from softmachine.viewer.live_file import Living, live_page

EACH, FEW, MANY = 500, 40, 200
TRAIN = """async ([seed, updates, each, few, many]) => {
    const learner = window.softmachine[0].learner(seed);
    const begun = performance.now();
    let tested = null;
    while (learner.updates < updates) {
        learner.update();
        if (learner.updates % each) continue;
        tested = learner.test(few);
        if (tested.wrong === 0) tested = learner.test(many);
        if (tested.wrong === 0) break;
        await new Promise((done) => setTimeout(done));
    }
    const seconds = (performance.now() - begun) / 1000;
    return { seed, updates: learner.updates, seconds, ...tested };
}"""


def main() -> None:
    """Train with each seed, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(1, 11)])
    parser.add_argument("--updates", type=int, default=14_000, help="at most, of a seed")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    experiment = get_recipe("ntm-copy")
    one = Living("ntm-copy", experiment, experiment.build_machine(), "untrained", trains=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("there is no Chromium here")
    found = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "page.html"
        path.write_text(live_page([one]), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(reduced_motion="reduce")
        page.set_default_timeout(0)
        page.goto(path.as_uri())
        page.wait_for_function("() => window.softmachine")
        for seed in options.seeds:
            load = os.getloadavg()[0]
            line = page.evaluate(TRAIN, [seed, options.updates, EACH, FEW, MANY])
            found.append(line | {"load": round(load, 1), "date": f"{date.today()}"})
            print(
                f"seed {seed}: {line['updates']:,} sequences, {line['seconds']:.0f} s, "
                f"{line['wrong']:.3g} of {line['bits']:.0f} bits wrong (load {load:.1f})",
                flush=True,
            )
            if options.json:
                options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        browser.close()
    solved = [line for line in found if line["wrong"] == 0]
    if solved:
        print(
            f"{len(solved)} of {len(found)} seeds right on {MANY} sequences, median "
            f"{median(line['updates'] for line in solved):,.0f} sequences, "
            f"{median(line['seconds'] for line in solved):.0f} s"
        )


if __name__ == "__main__":
    main()
