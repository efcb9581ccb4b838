"""docs/security.md names everything in the package that runs code of others."""

import re
from pathlib import Path

import softmachine

ROOT = Path(softmachine.__file__).parent
PAGE = (ROOT.parent / "docs" / "security.md").read_text()
RUNS = re.compile(
    r"\bexec\(|\bsubprocess\.\w|\bCDLL\(|\bpoint\.load\(|\bwebbrowser\.open"
    r"|import_module\((?!homes|f\"softmachine|f\"\{package|\"tyro)"
)
"""Running a text, another program or a module; not the package's own, of its own names."""
SAID = {
    "cli/own.py": "`--from MODULE[:FUNCTION]`",
    "core/native.py": "**A C compiler, for training**",
    "core/registry.py": "**Installed packages**",
    "experiments/environment.py": "**`git describe`**",
    "lessons/lesson.py": "`softmachine lesson check` runs the Python file",
    "programs/running.py": "**`exec`**",
    "training/workers/unit.py": "Workers import the\n  modules",
    "viewer/server.py": "**A browser**",
    # Packages by fixed names, that an option asks for.
    "core/frames.py": "by their fixed names",
    "running/onnx.py": "by their fixed names",
    "training/trackers.py": "by their fixed names",
    "training/workers/dask_workers.py": "by their fixed names",
    "training/workers/each.py": "by their fixed names",
    "zoo/sharing.py": "by their fixed names",
}
"""For each module that runs code, what the page says of it."""


def test_what_is_executed_is_all_that_is():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if RUNS.search(path.read_text())
    }
    assert found == SAID.keys()
    section = PAGE.partition("## What is executed")[2].partition("\n## ")[0]
    assert [module for module, words in SAID.items() if words not in section] == []
