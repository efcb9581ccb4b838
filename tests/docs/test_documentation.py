"""What the guides show works: their Python blocks run, their commands exist."""

import contextlib
import importlib
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import types
from pathlib import Path

import pytest

from softmachine.cli.main import _parse_command, main
from softmachine.cli.own import option
from softmachine.cli.sources import experiment_of
from softmachine.cli.training import _parse_train
from softmachine.machines.nram.gates import GATES
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.registry import MACHINES
from softmachine.recipes import RECIPES, get_recipe
from softmachine.recipes.own import on_sequences
from softmachine.tasks.registry import TASKS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
GUIDES = [
    ROOT / "docs" / f"{name}.md"
    for name in (
        "index",
        "add-a-machine",
        "add-a-memory-task",
        "add-a-task",
        "cells",
        "coming-from-pytorch",
        "for-engineers",
        "for-researchers",
        "for-students",
        "head-moves",
        "hybrid",
        "lessons/1-addressing",
        "lessons/2-pointers",
        "lessons/3-proofs",
        "lessons/4-lengths",
        "neural-gpu",
        "nram",
        "one-shot-images",
        "own-work",
        "programs",
        "synthesize",
        "teach-a-program",
        "traces",
        "which-machine",
        "zoo",
    )
]


@pytest.fixture(autouse=True)
def _names_as_they_were():
    """Guides define gates, machines, tasks and recipes of their own."""
    tables = [GATES, *(registry._registered for registry in (MACHINES, TASKS, RECIPES))]
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)


SMALL = shlex.split(
    "--machine.controller.hidden 8 --training.batch 4 --training.max-sequences 40 "
    "--training.curriculum.largest 4 --training.validate-every 20 "
    "--training.checkpoint-every 20 --training.solved.sequences 8"
)
SMALL_MACHINE = {
    NTMConfig: ["--machine.memory-columns", "5"],
    NRAMConfig: ["--machine.gates", "READ", "WRITE"],
}


def blocks(path: Path, *languages: str) -> list[tuple[int, str]]:
    """Return the fenced blocks in these languages, each with the line it starts after."""
    text = path.read_text()
    fence = rf"^```(?:{'|'.join(languages)})\n(.*?)^```$"
    return [
        (text.count("\n", 0, found.start(1)), found.group(1))
        for found in re.finditer(fence, text, re.MULTILINE | re.DOTALL)
    ]


def commands(path: Path) -> list[list[str]]:
    """Return the lines of console blocks that call this package or make, split in words."""
    lines = []
    for _, block in blocks(path, "console", "bash", "sh"):
        lines += block.replace("\\\n", " ").splitlines()
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [line for line in words if line and line[0] in ("softmachine", "make")]


def small(arguments: list[str]) -> list[str]:
    """Make a command cheap; what it says itself about anything else still counts."""
    if arguments[0] == "train" and "--help" not in arguments:
        machine = type(get_recipe(arguments[1]).machine)
        return [*arguments, *SMALL, *SMALL_MACHINE.get(machine, [])]
    if arguments[0] == "evaluate":
        return [*arguments, "--sequences", "4"]
    return arguments


@pytest.mark.parametrize("path", [*GUIDES, README], ids=lambda path: path.name)
def test_python_blocks_run(path, tmp_path, monkeypatch):
    """In order, in one module; a traceback names the line of the guide."""
    found = blocks(path, "python")
    assert found or path == README, f"{path} shows no Python"
    module = types.ModuleType("guide")
    monkeypatch.setitem(sys.modules, "guide", module)
    monkeypatch.chdir(tmp_path)
    for line, block in found:
        code = compile("\n" * line + block, str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)


def test_a_module_of_your_own_stands_by_itself(tmp_path, monkeypatch):
    """What a guide says to put into a file is run as that file, alone."""
    guide = ROOT / "docs" / "own-work.md"
    module = next(block for _, block in blocks(guide, "python") if "@task" in block)
    Path(tmp_path, "my_module.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    main(["train", "--from", "my_module:short", "--run", "made", *SMALL[2:]])
    del sys.modules["my_module"]
    assert (tmp_path / "made" / "config.json").exists()


def test_no_command_of_dask_opens_a_web_server_to_others():
    """It listens on all addresses by default, also with ``--host`` and ``--no-dashboard``."""
    text = re.sub(r"\\\n +", "", (ROOT / "docs" / "cluster.md").read_text())
    quiet = "--no-dashboard --dashboard-address 127.0.0.1:0"
    assert text.count(f'quiet="{quiet}"') == 1
    begun = re.findall(r"^.*\bdask,? (?:scheduler|worker)\b.*$", text, re.MULTILINE)
    assert len(begun) == 6
    for line in begun:
        assert "$quiet" in line or quiet in re.sub(r'[",]', "", line)
        assert "--host" in line or line.startswith("args: ")  # a pod's addresses are its own


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_c_of_the_guide_calls_what_is_written(tmp_path):
    """The page's own example, compiled with a function that does what the page says."""
    [(_, caller)] = blocks(ROOT / "docs" / "synthesize.md", "c")
    [signature] = re.findall(r"^(int program\(.*\));$", caller, re.MULTILINE)
    assert signature == (
        "int program(const int64_t *prices, size_t prices_length, "
        "int64_t *answer, size_t *length)"
    )
    body = """
    for (size_t i = 0; i < prices_length; i++)
        answer[i] = i && answer[i - 1] > prices[i] ? answer[i - 1] : prices[i];
    *length = prices_length;
    return 0;"""
    (tmp_path / "main.c").write_text(caller)
    (tmp_path / "program.c").write_text(
        f"#include <stddef.h>\n#include <stdint.h>\n{signature} {{{body}\n}}\n"
    )
    command = ["cc", "-std=c99", "-Wall", "-Werror", "main.c", "program.c", "-o", "made"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.check_output([tmp_path / "made"]).split() == b"3 3 4 4 5".split()


@pytest.mark.parametrize("name", ["add-a-machine", "add-a-task"])
def test_guides_to_extending_are_short(name):
    lines = (ROOT / "docs" / f"{name}.md").read_text().splitlines()
    assert len(lines) < 200


@pytest.mark.parametrize("path", [*GUIDES, README], ids=lambda path: path.name)
def test_names_in_the_text_exist(path):
    """What stands between backquotes as a name of the package, called or not."""
    text = path.read_text().replace("`sm.", "`softmachine.")
    for name in re.findall(r"`softmachine\.([A-Za-z_][\w.]*\w)", text):
        found = sys.modules["softmachine"]
        for i, part in enumerate(name.split(".")):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module("softmachine." + ".".join(name.split(".")[: i + 1]))
            assert hasattr(found, part), f"softmachine.{name}"
            found = getattr(found, part)


TEXTS = [
    *(
        x
        for x in sorted((ROOT / "docs").rglob("*.md"))
        if x.name not in ("results.md", "lab-log.md")
    ),
    *sorted(ROOT.glob("*.md")),
]
"""All that a person may follow."""


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_can_be_given(path, tmp_path, monkeypatch):
    """Commands and all their options are there; nothing is run."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("words.jsonl").write_text('{"input": "ab", "output": "ba"}\n' * 20)
    recipes = {}
    monkeypatch.setattr(
        "softmachine.cli.sources.experiment_of",
        lambda source: (
            experiment_of(source)
            if source.startswith("zoo:")
            else recipes.get(source, get_recipe("ntm-copy"))
        ),
    )
    for program, *words in commands(path):
        if program == "make":
            assert {x for x in words if "=" not in x and x[0] != "-"} <= {*targets}
            continue
        own, words = option(words, "--from")
        name, *arguments = words
        if name != "train":
            _parse_command(name, *arguments)
            continue
        data, arguments = option(arguments, "--data")
        if own is not None:
            experiment = get_recipe("lstm-copy")
        elif data is not None:
            experiment = on_sequences(arguments.pop(0), data)
        else:
            experiment = get_recipe(arguments.pop(0))
        options = _parse_train(experiment, arguments)
        recipes[str(options.run)] = experiment


def test_commands_of_the_readme_have_a_time():
    """In console blocks each says how long it takes, what only prepares for others aside."""
    time = re.compile(r"# .*?(\d+ (s|min)\b|\ba minute\b)")
    lines = [line for _, block in blocks(README, "console") for line in block.splitlines()]
    without = [line for line in lines if not time.search(line)]
    assert without == ["source .venv/bin/activate"]
    assert "Times are rough, of a first call on two cores." in README.read_text()


def test_the_readme_has_the_worst_seed_beside_the_median():
    """As results.md has them, of an NTM that copies six times the trained length."""
    results = (ROOT / "docs" / "results.md").read_text()
    section = results.partition("\n## ntm-copy\n")[2].partition("\n## ")[0]
    cells = [
        line.strip("| ").split(" | ")
        for line in section.splitlines()
        if re.match(r"\| \d+ \|", line)
    ]
    wrong = sorted(float(row[-1]) for row in cells)
    median, told = statistics.median(wrong), README.read_text()
    [row] = [line for line in told.splitlines() if line.startswith("| NTM, `ntm-copy` |")]
    assert f"{median:.2f} of 960 bits wrong" in row
    assert f"median of the {len(wrong)} seeds; the worst: {wrong[-1]:.0f})" in row


def test_commands_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.setattr("softmachine.running.scoring.BATCH", 4)
    monkeypatch.setattr("softmachine.cli.scoring.CURVE_SEQUENCES", 8)
    monkeypatch.setattr("softmachine.viewer.server.uvicorn.Server.run", lambda *_, **__: None)
    monkeypatch.setattr("softmachine.viewer.server.webbrowser.open", lambda _: None)
    monkeypatch.chdir(tmp_path)
    for program, *arguments in commands(README):
        if program != "softmachine":
            continue
        try:
            main(small(arguments))
        except SystemExit as stop:
            if stop.code:
                pytest.fail(f"softmachine {shlex.join(arguments)} exits with {stop.code}")
