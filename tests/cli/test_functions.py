"""Examples of a function on the command line: found and told, refused, compiled back."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from softmachine.cli import functions, waiting, workers
from softmachine.cli.main import main
from softmachine.cli.searching import LoopDisplay, SearchState
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.programs.extraction import extract
from softmachine.programs.languages.python import python_code
from softmachine.synthesis import domain, making
from softmachine.synthesis.compiled import wires_in, wires_of
from softmachine.synthesis.making import Made, load_function
from softmachine.synthesis.reading import read_pairs
from softmachine.synthesis.search.search import Totals
from softmachine.synthesis.whole import Findings, Options, Synthesis, begin
from softmachine.training.workers.workers import ThreadWorkers
from softmachine.zoo.models import open_model

LAST = [
    {"letters": ["a", "b", "c"], "k": 1, "output": "b"},
    {"letters": ["d", "e"], "k": 0, "output": "d"},
    {"letters": ["d", "e"], "k": 0, "output": "d"},
    {"letters": ["x", "y", "z", "a"], "k": 3, "output": "a"},
]

FIRST = [line | {"output": line["letters"][0]} for line in LAST]
"""Found soonest."""


@pytest.fixture(autouse=True)
def _slow_machines(monkeypatch):
    """The time that tests give is over at once; that must not end them all."""
    monkeypatch.setattr(waiting, "OVERTIME", 3_600.0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(domain, "MOST_SMALL", 100)
    monkeypatch.setattr(making, "RANDOM", 10)
    return tmp_path


def test_a_function_is_found_told_and_written(folder, capsys):
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, FIRST)))
    gates = ["--gates", "ONE", "READ", "ADD", "READ", "ZERO", "WRITE"]
    main(["synthesize", "mine.jsonl", "--minutes", "5", *gates])
    printed = capsys.readouterr().out
    reading = "  0:00  reading mine.jsonl\n"  # at once, before anything is imported
    assert printed.startswith(f"{reading}def program(letters: list[str], k: int) -> str\n")
    assert "Line 3 says what an earlier one says: each counts once." in printed
    assert "Right on 3 of 3 (100 %) of the examples." in printed
    directory = folder / "runs" / "synthesize-mine"
    text = (directory / "program.py").read_text()
    assert text in printed
    function = load_function(text)
    for line in FIRST:
        assert function(line["letters"], line["k"]) == line["output"]
    assert "int program(const int64_t *letters" in (directory / "program.c").read_text()
    value = json.loads((directory / "program.json").read_text())
    assert value["tests"]["right"] == 3
    config, table, _ = wires_in(json.dumps(value))
    assert len(table.stop) == 2**config.registers
    assert 1 <= config.registers <= 3
    if value["ask"] is not None:
        assert value["ask"]["line"] in printed


def test_workers_search_and_find_the_same(folder, capsys, monkeypatch):
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, FIRST)))
    gates = ["--gates", "ONE", "READ", "ADD", "READ", "ZERO", "WRITE"]
    main(["synthesize", "mine.jsonl", "--minutes", "5", *gates, "--run", "alone"])
    taken = []

    class Noted(ThreadWorkers):
        def present(self):
            taken.append(1)
            return super().present() if len(taken) > 1 else {}

    monkeypatch.setattr(workers, "ProcessWorkers", Noted)
    more = ["--minutes", "5", *gates, "--run", "shared", "--workers", "2"]
    main(["synthesize", "mine.jsonl", *more])
    assert "no worker is there: waiting for one" in capsys.readouterr().out
    assert len(taken) > 1
    for name in ("program.py", "program.c", "program.json"):
        assert Path("shared", name).read_text() == Path("alone", name).read_text()
    monkeypatch.setattr(workers, "ProcessWorkers", None)  # nobody is asked for a file's mistake
    with pytest.raises(SystemExit):
        main(["synthesize", "none.jsonl", "--workers", "2"])


def test_a_c_text_that_does_something_else_fails_when_all_is_written(
    folder, capsys, monkeypatch
):
    (folder / "mine.json").write_text(json.dumps(FIRST))
    wrong = "for example 2 Python gives 'd', C 'e'"
    found = object.__new__(Synthesis)
    texts = {"python": "p", "c": "c", "json": "{}", "report": f"WRONG in C: {wrong}"}
    vars(found).update(texts, question=None, wrong_in_c=wrong)
    monkeypatch.setattr(functions, "find", lambda *_: Findings([object.__new__(Made)], []))
    monkeypatch.setattr(functions, "finish", lambda *_: found)
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "mine.json"])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert "Example 3 says what an earlier one says: each counts once." in printed.out
    assert f"WRONG in C: {wrong}" in " ".join(printed.out.split())
    path = Path("runs/synthesize-mine/program.c")
    assert printed.err == f"softmachine: {path} is not right: {wrong}\n"
    assert path.read_text() == "c"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"input": [1.5], "output": [1]}', "line 1: .* floats cannot be said"),
        ("a.csv", "a,b\n1,2\n3\n", "line 3: ragged"),
        (
            "a.jsonl",
            "\n".join(
                f'{{"a": {a}, "b": {a + 3}, "output": {a * a + 3 * a}}}' for a in (3, 4, 9)
            ),
            "line 1: .* a times b: products of unknown numbers",
        ),
        ("a.json", '[{"i": [900, 2], "o": [1800]}]', "line 1: the answer's 1800 is not among"),
        (
            "a.jsonl",
            '{"input": [1], "output": [2]}\n{"input": [1], "output": [3]}',
            "contradicts",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(
    folder, capsys, name, text, words
):
    (folder / name).write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", name])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert name in message
    assert re.search(words, message)
    assert [path.name for path in folder.iterdir()] == [name]


def test_without_time_it_says_what_may_help(folder, capsys):
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, LAST)))
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "mine.jsonl", "--minutes", "1e-9"])
    assert stop.value.code == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "What may help: more time (--minutes)" in printed
    assert "is of an earlier command" not in printed
    (folder / "runs" / "synthesize-mine" / "program.py").write_text("an earlier one")
    with pytest.raises(SystemExit):
        main(["synthesize", "mine.jsonl", "--minutes", "1e-9"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "runs/synthesize-mine/program.py is of an earlier command." in printed


def test_the_same_command_goes_on_and_other_examples_begin_anew(folder, capsys):
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, LAST)))
    given = Path("mine.jsonl")
    state = SearchState(folder / "runs" / "synthesize-mine", identity_of(given))
    state.keep(Totals(attempts=3, tried=1_000, runs=9_000))
    main(["synthesize", "mine.jsonl", "--minutes", "5"])
    capsys.readouterr()
    again = SearchState(folder / "runs" / "synthesize-mine", identity_of(given))
    assert again.totals.attempts >= 3
    assert again.totals.tried >= 1_000
    first = (folder / "runs" / "synthesize-mine" / "program.json").read_text()
    main(["synthesize", "mine.jsonl", "--minutes", "5"])  # where the first one was found
    assert (folder / "runs" / "synthesize-mine" / "program.json").read_text() == first
    assert SearchState(folder / "runs" / "synthesize-mine", "other").totals == Totals()


def identity_of(path):
    options = Options(10.0, 0, 16, 5, PAPER_GATES)
    return functions.identity(begin(read_pairs(path), options), options)


def test_an_interruption_ends_the_search(folder, capsys, monkeypatch):
    lines = [{"i": [a, b], "o": [(a * b * 7) % 11 + 1]} for a in (3, 4, 9) for b in (2, 5, 6)]
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, lines)))
    told = []

    def interrupt(*_):
        if not told:  # a second one would end it at once
            told.append(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(LoopDisplay, "report", interrupt)
    monkeypatch.setattr(waiting, "GRACE", 600.0)  # else the process may be ended
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "mine.jsonl", "--minutes", "60"])
    assert stop.value.code == 130
    assert "Interrupted. The same command continues." in capsys.readouterr().out
    kept = json.loads((folder / "runs" / "synthesize-mine" / "search.json").read_text())
    assert kept["attempts"] >= 0
    assert [path.name for path in (folder / "runs" / "synthesize-mine").iterdir()] == [
        "search.json"
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--run", "mine.jsonl"], "mine.jsonl cannot be written to: File exists"),
        (["--run", "mine.jsonl/x"], "mine.jsonl/x cannot be written to: Not a directory"),
        (["--run", "trained"], "trained holds machines of another command"),
        (["--memory", "1000000000"], "--memory must be at most 4,096, not 1,000,000,000"),
    ],
)
def test_what_cannot_be_written_or_searched_is_said_before_the_search(
    folder, capsys, options, words
):
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, LAST)))
    (folder / "trained").mkdir()
    (folder / "trained" / "config.json").write_text("{}")
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "mine.jsonl", *options])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert "traceback" not in printed.err
    assert "searching" not in printed.out
    assert {path.name for path in folder.iterdir()} == {"mine.jsonl", "trained"}
    assert [path.name for path in (folder / "trained").iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    "damage",
    [{"attempts": "x"}, {"attempts": None}, {"tried": -7}, {"attempts": 1e300}, {"error": []}],
)
def test_a_search_begins_anew_where_its_file_is_damaged(folder, damage):
    SearchState(folder, "this").keep(Totals(attempts=3))
    assert SearchState(folder, "this").totals.attempts == 3
    value = json.loads((folder / "search.json").read_text()) | damage
    del value["checksum"]  # early files had none
    (folder / "search.json").write_text(json.dumps(value))
    assert SearchState(folder, "this").totals == Totals()


@pytest.mark.usefixtures("folder")
def test_examples_may_come_through_a_pipe(capsys):
    """What is piped can be read once."""
    os.mkfifo("mine.jsonl")
    writer = threading.Thread(
        target=lambda: Path("mine.jsonl").write_text("\n".join(map(json.dumps, LAST))),
        daemon=True,
    )
    writer.start()
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "mine.jsonl", "--minutes", "1e-9"])
    writer.join()
    assert stop.value.code == 1
    assert "def program(letters: list[str], k: int) -> str" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_other_commands_say_what_a_directory_of_a_function_is(capsys):
    Path("found").mkdir()
    Path("found/program.json").write_text("{}")
    with pytest.raises(SystemExit) as stop:
        main(["program", "found"])
    assert stop.value.code == 2
    assert "compile found/program.json --recipe nram-copy" in capsys.readouterr().err


def test_gates_that_make_no_function_are_refused(folder, capsys):
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, LAST)))
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "mine.jsonl", "--gates", "READ", "ONE"])
    assert stop.value.code == 2
    assert "--gates: a function needs WRITE" in capsys.readouterr().err


# --- the way back ---------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_program_becomes_a_machine_with_the_same_program(capsys):
    main(["program", "zoo:nram-access", "--to", "json", "--out", "access.json"])
    main(["compile", "access.json"])
    assert "read back: the same" in capsys.readouterr().out
    main(["program", "runs/compiled-access"])
    again = capsys.readouterr().out
    model = open_model("nram-access")
    text = python_code(extract(model.machine, model.experiment.task), "", [])
    assert again.split("def run")[1] == text.split("def run")[1]
    assert "its wires compiled, not trained, at" in " ".join(again.split())
    main(["compile", "runs/compiled-access", "--out", "doubtful", "--decided", "1.5"])
    main(["evaluate", "doubtful", "--sizes", "3", "--sequences", "20"])
    assert "0.0%" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["compile", "access.json"])  # there is one
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "registers 1\ngates INC\nelse:\n    r1 = DEC(r1)",
            "c.txt, line 4: there is no gate DEC",
        ),
        (
            "registers 1\ngates INC\nelse:\n    r1 = INC(r1)",
            "does not say what its machine is for",
        ),
        ("{", "c.txt, not JSON"),
        ('{"states": []}', "has no wires"),
    ],
)
def test_wires_that_cannot_be_used_are_refused(folder, capsys, text, words):
    Path("c.txt").write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["compile", "c.txt"])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["c.txt"]


def test_only_an_nram_has_wires(folder, capsys):
    del folder
    with pytest.raises(SystemExit):
        main(["compile", "zoo:ntm-copy"])
    assert "wires are those of an NRAM, not of NTM" in capsys.readouterr().err
    assert wires_of(open_model("nram-access").machine).config.registers == 5


def test_the_public_name_is_found_without_loading_anything():
    code = (
        "import sys, softmachine as sm; assert 'jax' not in sys.modules; print(sm.synthesize)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "function synthesize" in done.stdout
