"""How the command line fails: one line on whatever went wrong."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from softmachine.cli.failures import FAULT, LONGEST
from softmachine.cli.main import main
from softmachine.cli.parsing import one_line
from softmachine.core.errors import SoftmachineWarning, close_names
from softmachine.core.files import write_json
from softmachine.experiments.runs import Run
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.synthesis.experiment import synthesis
from softmachine.tasks.memories.given import Given


def refused(capsys, *arguments, status=2) -> str:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert stop.value.code == status
    assert captured.err.startswith("softmachine: ")
    assert captured.err.count("\n") == 1
    return captured.err


# The parser


def in_terminal(*arguments) -> str:
    """Return what a command prints in a terminal of 80 columns."""
    parent, child = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "softmachine", *arguments],
        stdin=child,
        stdout=child,
        stderr=child,
        env=environment,
    ) as process:
        os.close(child)
        data = b""
        with contextlib.suppress(OSError):  # Linux: the other end has been closed
            while more := os.read(parent, 4096):
                data += more
        os.close(parent)
    assert process.returncode == 2
    return data.decode().replace("\r\n", "\n")


PARSER = [
    (
        ["evaluate"],
        "Missing from softmachine evaluate: RUN|zoo:NAME directory of a run or a population, "
        "or zoo:NAME. (required)",
    ),
    (
        ["evaluate", "zoo:ntm-copy", "--size", "3"],
        "Unrecognized options: --size, 3. Perhaps you meant: --sizes. The machine of "
        "zoo:ntm-copy has --hard, --wrap, --sharpening-factor of its own",
    ),
    (
        ["plot", "zoo:ntm-copy", "--no-wrapp"],
        "Unrecognized options: --no-wrapp. Perhaps you meant: --wrap, --no-wrap. The machine "
        "of zoo:ntm-copy has --hard, --wrap, --sharpening-factor of its own",
    ),
    (
        ["trace", "zoo:nram-copy", "--no-wrap", "--out", "x"],
        "Unrecognized options: --no-wrap. The machine of zoo:nram-copy has --hard of its own",
    ),
    (
        ["evaluate", "zoo:nram-copy", "--task.width", "3"],
        "Unrecognized options: --task.width, 3. The machine of zoo:nram-copy has --hard of its "
        "own. Fields of the task are changed by --task FIELD=VALUE",
    ),
    (["evaluate", "x", "--hard"], "x does not exist: it is no run directory"),
    (
        ["train", "ntm-copy", "--machine.memory-row", "5"],
        "Unrecognized options: --machine.memory-row, 5. Perhaps you meant: "
        "--machine.memory-rows, --machine.memory-columns",
    ),
    (
        ["train", "ntm-copy", "--machine.memory-rows", "0"],
        "Error parsing machine: NTMConfig.memory_rows must be at least 1, not 0",
    ),
    (
        ["program", "x", "--to", "pyhton"],
        "invalid choice 'pyhton' for argument '--to'. Expected one of ('python', 'c', 'json', "
        "'svg', 'dot').",
    ),
    (["evaluat"], "there is no command 'evaluat'; did you mean evaluate?"),
]


@pytest.mark.parametrize(("arguments", "message"), PARSER)
def test_the_parser_s_message_is_one_line_with_its_suggestions(arguments, message, capsys):
    assert refused(capsys, *arguments).startswith(f"softmachine: {message}")


@pytest.mark.parametrize("case", [1, 6, 8])
def test_in_a_terminal_it_is_the_same_broken_between_words(case):
    arguments, message = PARSER[case]
    lines = in_terminal(*arguments).splitlines()
    assert " ".join(lines) == f"softmachine: {message}"
    assert len(lines) > 1
    assert max(map(len, lines)) < 80


def test_a_command_that_there_is_not_is_called_that(capsys):
    error = refused(capsys, "bogus")
    assert error.startswith(
        "softmachine: there is no command 'bogus'; the commands are recipes"
    )
    assert close_names("trane", ["train", "trace", "zoo"]) == "; did you mean train or trace?"


def test_boxes_without_letters_for_frames():
    box = (
        " Unrecognized options                \n"
        " ----------------------------------- \n"
        "  Unrecognized options: --member, 2  \n"
        "  -----------------------------------\n"
        "  Perhaps you meant:                 \n"
        "      --members {None}|INT           \n"
        "          Train a population of many.\n"
    )
    assert one_line(box) == "Unrecognized options: --member, 2. Perhaps you meant: --members"
    assert one_line("") == ""


# The net


class UnforeseenError(Exception):
    """An exception of some library."""


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Let a command raise; temporary files go to a directory of their own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fail_with(error):
        def list_recipes(*_, **__):
            raise error

        monkeypatch.setattr("softmachine.cli.listing.list_recipes", list_recipes)

    return fail_with


def test_what_nobody_foresaw_is_a_line_and_a_file(failing, capsys, tmp_path):
    failing(UnforeseenError("one\ntwo \x1b[31m\n" + "x" * 5000))
    error = refused(capsys, "recipes", status=FAULT)
    found = re.search(r"UnforeseenError: one; the traceback is in (\S+)$", error)
    text = Path(found[1]).read_text()
    assert "Traceback (most recent call last)" in text
    assert "UnforeseenError: one" in text
    assert "arguments: ['recipes']" in text
    assert [path.name for path in tmp_path.iterdir()] == [os.path.basename(found[1])]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (OSError(28, "No space left on device", "/x/y"), 2, "/x/y: No space left on device"),
        (OSError("odd"), FAULT, "OSError: odd"),
        (MemoryError(), 2, "there is not enough memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), 2, "there is not enough memory"),
        (RecursionError("too deep"), FAULT, "RecursionError: too deep"),
        (KeyError("Given"), FAULT, "KeyError: 'Given'"),
    ],
    ids=str,
)
def test_any_error_is_one_line(error, status, words, failing, capsys):
    failing(error)
    assert words in refused(capsys, "recipes", status=status)


def test_a_traceback_that_cannot_be_written_is_done_without(failing, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/no/such/directory")
    failing(UnforeseenError("it"))
    error = refused(capsys, "recipes", status=FAULT)
    assert error.endswith("UnforeseenError: it\n")


def test_no_message_is_longer_than_a_screen(capsys):
    error = refused(capsys, "evaluate", "/" + "x" * 100_000)
    assert len(error) < LONGEST + 100
    assert "does not exist" in error


def test_warnings_of_the_package_are_notes(monkeypatch, capsys):
    import warnings

    def list_recipes(*_, **__):
        warnings.warn("this was\nput aside", SoftmachineWarning, stacklevel=1)

    monkeypatch.setattr("softmachine.cli.listing.list_recipes", list_recipes)
    main(["recipes"])
    assert capsys.readouterr().err == "softmachine: note: this was put aside\n"


# Edges


@pytest.mark.parametrize(
    "arguments",
    [
        ["resume", "x" * 300],
        ["evaluate", "x" * 300],
        ["view", "x" * 300],
        ["ledger", "x" * 300],
        ["train", "ntm-copy", "--run", "x" * 300],
        ["train", "ntm-copy", "--members", "2", "--run", "x" * 300],
        ["train", "ntm-copy", "--run", "two\nlines"],
        ["evaluate", "zoo:../../etc/passwd"],
        ["evaluate", "zoo:ntm-copy", "--task", "width=" + "[" * 100_000],
        ["evaluate", "zoo:ntm-copy", "--task", "width=NaN"],
        # Parts that do not belong together.
        ["train", "nram-swap", "--machine.controller.kind", "lstm"],
    ],
    ids=lambda words: " ".join(words)[:50],
)
def test_odd_names_and_values_are_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    error = refused(capsys, *arguments)
    assert "not foreseen" not in error
    assert "traceback" not in error
    assert list(tmp_path.iterdir()) == []


ABSURD = [
    ["train", "ntm-copy", "--machine.memory-columns", "1000000000"],
    ["train", "ntm-copy", "--machine.memory-rows", "1000000000"],
    ["train", "ntm-copy", "--machine.controller.hidden", "10000000"],
    ["train", "ntm-copy", "--training.batch", "1000000000"],
    ["train", "ntm-copy", "--training.curriculum.largest", "2000000000"],
    ["train", "ntm-copy", "--members", "2000000000"],
    ["train", "nram-copy", "--training.curriculum.largest", "1000000"],
    ["evaluate", "zoo:ntm-copy", "--memory-rows", "2000000000"],
    ["evaluate", "zoo:ntm-copy", "--sequences", "2000000000"],
    ["evaluate", "zoo:nram-copy", "--sizes", "1000000"],
    ["plot", "zoo:ntm-copy", "--size", "1000000000"],
    ["moves", "zoo:ntm-copy", "--memory-rows", "2000000000"],
    ["trace", "zoo:ntm-copy", "--size", "1000000000", "--out", "x"],
]


@pytest.mark.parametrize("arguments", ABSURD, ids=" ".join)
def test_absurd_sizes_are_refused_before_anything_is_made(
    arguments, tmp_path, monkeypatch, capsys
):
    """On a computer of 4 GB, whatever this one has."""
    monkeypatch.setattr("softmachine.core.room.available", lambda: 4 * 10**9)
    monkeypatch.chdir(tmp_path)
    error = refused(capsys, *arguments)
    assert re.search(r"of memory; .* are available|too large|steps; at most", error)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_of_a_folder_with_a_synthesis_run(tmp_path, capsys):
    examples = "\n".join(
        json.dumps({"input": [a, 1, 0], "output": [a, 1, 0]}) for a in (1, 2, 3)
    )
    experiment = synthesis(Given(examples=examples), NRAMConfig(registers=2))
    run = Run.create(tmp_path / "runs" / "mine", experiment)
    out = tmp_path / "results.md"
    main(["ledger", str(tmp_path / "runs"), "--out", str(out)])
    assert "synthesize" in out.read_text()
    # The provenance of a program is the run's: a damaged one is told.
    write_json(run.path / "environment.json", {"commit": "x", "checksum": "y"})
    assert "does not match its checksum" in refused(capsys, "ledger", run.path, "--out", out)
