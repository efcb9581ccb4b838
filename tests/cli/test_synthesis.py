"""The command that finds programs behind examples; and what it makes of malformed files."""

import json
import re
import signal
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from softmachine.cli import machine_search, presenting, synthesis, waiting, workers
from softmachine.cli.main import main
from softmachine.cli.synthesis import Options, synthesize
from softmachine.core.errors import ExamplesError, SoftmachineError
from softmachine.experiments.runs import Run
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.programs.running import c_compiler, load_c, load_python
from softmachine.synthesis.held_out import (
    LinesReport,
    Mistake,
    SynthesizedProgram,
    check_lines,
    write_program,
)
from softmachine.tasks.memories.examples import MOST_CELLS, GivenExample
from softmachine.tasks.memories.given import Given
from softmachine.training.workers.workers import ThreadWorkers

SMALL = ["--gates", "ONE", "WRITE", "--registers", "1", "--members", "2", "--memory", "9"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _slow_machines(monkeypatch):
    """The time that tests give is over at once; that must not end them all."""
    monkeypatch.setattr(waiting, "OVERTIME", 3_600.0)


@pytest.fixture
def trained_at_once(monkeypatch):
    """All the time is for training, none for the search before it."""
    monkeypatch.setattr(synthesis, "SEARCHED", 0.0)


def write_examples(folder, wanted):
    """Cell 0 shall hold a number, whatever it holds before."""
    lines = [
        {"input": [i % 8, i % 3, *[0] * (cells - 2)], "mask": [1, *[0] * (cells - 1)]}
        for cells in (3, 4, 30)
        for i in range(8)
    ]
    for line in lines:
        line["output"] = [wanted, *line["input"][1:]]
    (folder / "task.jsonl").write_text("\n".join(map(json.dumps, [*lines, lines[-1]])))


@pytest.mark.usefixtures("trained_at_once")
def test_a_program_is_found_printed_and_tested(folder, capsys):
    write_examples(folder, 1)
    main(["synthesize", "task.jsonl", *SMALL, "--minutes", "60"])
    printed = capsys.readouterr().out
    # Two of eight are held out of each size.
    words = " ".join(printed.split())
    assert words.startswith(
        "0:00 reading task.jsonl "
        "12 examples to train on (sizes 3 to 4), 4 of these sizes and 8 larger ones held out. "
        "1 line says what an earlier one says: each example counts once. "
        "Your largest number is 7, so that memories need 8 cells; smaller numbers are faster. "
        "These are few: what suits them may not be what you mean. "
    )
    directory = folder / "runs" / "synthesize-task"
    code = (directory / "program.py").read_text()
    assert code in printed
    # Each line as it stands in the file, in Python and in C.
    runs = [load_python(code)]
    if c_compiler() is not None:
        runs.append(load_c((directory / "program.c").read_text(), folder))
        assert "right on 12 of 12 (100 %) trained on, 12 of 12 (100 %) held out." in words
    for line in map(json.loads, (folder / "task.jsonl").read_text().splitlines()):
        assert [run(line["input"])[0] for run in runs] == [1] * len(runs)
    rows = [line.split("│") for line in printed.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row[1:-1]] for row in rows] == [
        ["3", "6", "100 %", "2", "100 %"],
        ["4", "6", "100 %", "2", "100 %"],
        ["30", "-", "-", "8", "100 %"],
    ]

    metrics = (directory / "seed-0" / "metrics.jsonl").read_text()
    main(["synthesize", "task.jsonl", *SMALL])
    begun = re.compile(r" +\d+:\d\d  (compiling|.* updates  no mistake)")
    outcome = [line for line in printed.splitlines() if not begun.match(line)]
    said = printed.partition("may not be what you mean.\n")[2]
    assert said.splitlines()[0].endswith("  compiling")  # not silent while it compiles
    assert capsys.readouterr().out.splitlines() == outcome
    assert (directory / "seed-0" / "metrics.jsonl").read_text() == metrics

    member = re.search(r"^(seed-\d) found a program", printed, re.MULTILINE)[1]
    assert f"Next: softmachine program runs/synthesize-task/{member} --verify\n" in printed
    for to in ("python", "c"):
        main(["program", str(directory / member), "--to", to, "--verify"])
        text = " ".join(capsys.readouterr().out.replace("*", " ").split())
        assert "right on 12 of 12 (100 %). Held out were 12 others" in text
        assert "right in Python on the examples held out (12 inputs)" in text
        assert "hard machine in memories with room" in text
        assert "WRONG" not in text

    main(["ledger", "runs", "--out", "results.md"])
    [group] = json.loads((folder / "results.json").read_text())["groups"]
    assert (group["task"], group["tests"]) == ("Given", [])
    assert group["summary"]["solved"] == sum(
        run["exam"] == {"hard": 0, "soft": 0} for run in group["runs"]
    )

    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "task.jsonl", *SMALL, "--seed", "1"])
    assert stop.value.code == 2
    assert "was begun with other examples or options" in capsys.readouterr().err


@pytest.mark.usefixtures("trained_at_once")
def test_workers_train_the_members(folder, capsys, monkeypatch):
    write_examples(folder, 1)
    taken = []

    class Noted(ThreadWorkers):
        def present(self):
            taken.append(self)
            return super().present()

    monkeypatch.setattr(workers, "ProcessWorkers", Noted)
    main(["synthesize", "task.jsonl", *SMALL, "--minutes", "60", "--workers", "2"])
    printed = capsys.readouterr().out
    assert taken
    assert re.search(r"programs: \d of 2; 2 workers\n", printed)
    code = (folder / "runs" / "synthesize-task" / "program.py").read_text()
    assert code in printed
    assert load_python(code)([3, 4, 5])[0] == 1


def test_without_a_program_it_says_so_and_goes_on_later(folder, capsys):
    write_examples(folder, 2)  # there is no way to make a 2
    # The second time is for the search that the end of the first cut short.
    for updates in (50, 50, 100):
        with pytest.raises(SystemExit) as stop:
            main(["synthesize", "task.jsonl", *SMALL, "--minutes", "1e-9"])
        assert stop.value.code == 1
        printed = capsys.readouterr().out
        assert "No program yet; no mistake: 2 at none; programs: 0 of 2." in printed
        over = f"The time, compilation included, was over after {updates:,} updates"
        assert over in printed
        for seed in (0, 1):
            lines = Path(f"runs/synthesize-task/seed-{seed}/metrics.jsonl").read_text()
            assert [json.loads(line)["step"] for line in lines.splitlines()] == list(
                range(50, updates + 1, 50)
            )
    assert not Path("runs/synthesize-task/program.py").exists()


@pytest.mark.usefixtures("trained_at_once")
def test_an_interruption_keeps_what_there_is(folder, capsys, monkeypatch):
    write_examples(folder, 2)
    signals = []

    def interrupt(*_):
        if not signals:  # a second one would end it at once
            signals.append(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(machine_search.LevelDisplay, "report", interrupt)
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "task.jsonl", *SMALL, "--minutes", "60"])
    assert stop.value.code == 130
    assert "Interrupted. The same command continues." in capsys.readouterr().out
    assert Path("runs/synthesize-task/seed-1/checkpoints/last.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--minutes", "0"], "--minutes must be positive"),
        (["--memory", "2"], "line 1: .*memory of 2 cells"),
        (["--gates", "NAND"], "there is no gate 'NAND'"),
        (["--members", "0"], "--members must be at least 1"),
        (["--registers", "0"], "registers must be at least 1"),
        (["--enough", "0"], "enough must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused(folder, capsys, options, words):
    write_examples(folder, 1)
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "task.jsonl", *options])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert re.search(words, message)
    assert [path.name for path in folder.iterdir()] == ["task.jsonl"]


@pytest.mark.usefixtures("trained_at_once")
def test_a_program_that_is_wrong_on_a_line_of_the_file_is_not_enough(
    folder, capsys, monkeypatch
):
    """Right on all that members are tested on is not enough: the text is run on all lines."""
    write_examples(folder, 1)
    real = machine_search.write_program

    def spoilt(machine, task, name, *changes):
        found = real(machine, task, name, *changes)
        report = check_lines(task, lambda cells: cells)
        return found._replace(report=report) if name == "seed-0" else found

    monkeypatch.setattr(machine_search, "write_program", spoilt)
    main(["synthesize", "task.jsonl", *SMALL, "--minutes", "60"])
    assert "seed-1 found a program" in capsys.readouterr().out


def test_programs_are_written_until_there_are_enough_those_of_few_states_first(
    monkeypatch, doubling_task
):
    def report(right):
        mistake = None if right else Mistake(GivenExample(1, (1,), (2,), (True,), 1), [1])
        return LinesReport([], mistake)

    states, right = [5, 9, 2, 7], [True, True, False, True]
    runs, written = [object.__new__(Run) for _ in states], []

    def make(_, run, task):
        del task
        member = next(i for i, other in enumerate(runs) if other is run)
        written.append(member)
        return SynthesizedProgram(str(member), None, 0, "", report(right[member]))

    monkeypatch.setattr(machine_search, "_make", make)
    programs = machine_search.Programs(runs, doubling_task, 1)
    monkeypatch.setattr(programs, "_count_states", lambda member: states[member])
    assert not programs.enough([2])
    assert programs.enough([0, 1, 2, 3])
    assert written == [2, 0]
    assert [found.name for found in programs.of([0, 1, 2, 3])] == ["2", "0"]
    assert written == [2, 0]


@pytest.mark.parametrize("right", [1, 2])
def test_a_program_in_c_that_is_right_less_often_is_an_error(
    folder, capsys, monkeypatch, doubling_machine, right
):
    lines = [{"input": [i, 0], "output": [2 * i, 0], "mask": [1, 0]} for i in (1, 2, 3)]
    task = Given(examples="\n".join(map(json.dumps, lines)))
    found = write_program(doubling_machine, task, "somebody")
    assert found.report.right == 3
    monkeypatch.setattr(
        presenting, "load_c", lambda *_: lambda x: [2 * x[0] if x[0] <= right else 0, 0]
    )
    with pytest.raises(SoftmachineError, match=r"^WRONG in C, .*, not as in Python: right on"):
        presenting.present(folder, task, [found])
    assert "somebody found a program" in capsys.readouterr().out
    monkeypatch.setattr(presenting, "load_c", lambda *_: lambda x: [2 * x[0], 0])
    presenting.present(folder, task, [found])
    told = " ".join(capsys.readouterr().out.split())
    assert "right on 2 of 2 (100 %) trained on, 1 of 1 (100 %) held out." in told


@st.composite
def malformed(draw):
    """A file with good lines and one bad one; and the bad one's number."""
    lines = [
        {"input": [i + 1, i + 2, 0], "output": [i + 2, i + 3, 0]}
        for i in range(draw(st.integers(2, 5)))
    ]
    place = draw(st.integers(0, len(lines) - 1))
    example = lines[place]
    key = draw(st.sampled_from(["input", "output"]))
    cell = draw(st.integers(0, 2))
    kind = draw(
        st.sampled_from(
            [
                *["ragged", "negative", "big", "number", "boolean", "text", "null", "nested"],
                *["missing", "unknown", "list", "truncated", "garbage", "empty"],
                *["contradiction", "mask", "size"],
            ]
        )
    )
    values = {
        "negative": draw(st.integers(-(10**6), -1)),
        "big": draw(st.integers(MOST_CELLS, 10**40)),
        "number": draw(st.floats(allow_nan=True, allow_infinity=True)),
        "boolean": draw(st.booleans()),
        "text": draw(st.text(max_size=5)),
        "null": None,
        "nested": [1],
    }
    if kind in values:
        example[key][cell] = values[kind]
    elif kind == "ragged":
        example[key] += draw(st.lists(st.integers(0, 9), min_size=1, max_size=4))
    elif kind == "missing":
        del example[key]
    elif kind == "unknown":
        example[draw(st.text(min_size=1, max_size=5).map(lambda x: "x" + x))] = 1
    elif kind == "empty":
        example["input"] = example["output"] = []
    elif kind == "contradiction":
        lines.append({"input": example["input"], "output": [9, *example["output"][1:]]})
        place = len(lines) - 1
    elif kind == "mask":
        example["mask"] = draw(st.sampled_from([[], [0, 0, 0], [1, 1], [1, 2, 1], 5, "111"]))
    elif kind == "size":
        example["size"] = draw(st.sampled_from([0, -1, 1.5, True, "3", [3], MOST_CELLS + 1]))
    texts = [json.dumps(x) for x in lines]
    if kind == "list":
        texts[place] = json.dumps(list(example.values()))
    elif kind == "truncated":
        texts[place] = texts[place][: draw(st.integers(1, len(texts[place]) - 1))]
    elif kind == "garbage":
        words = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1)
        texts[place] = "?" + draw(words)
    return "\n".join(texts), place + 1


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(malformed())
def test_every_malformed_file_gets_a_line_number_and_leaves_nothing_behind(folder, drawn):
    text, number = drawn
    path = folder / "examples.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExamplesError) as caught:
        synthesize(path, None, 1.0, Options(0, 2, 1, 16, 1, 5, PAPER_GATES))
    assert str(caught.value).startswith(f"{path}, line {number}: ")
    assert len(str(caught.value)) < len(str(path)) + 450
    assert [entry.name for entry in folder.iterdir()] == ["examples.jsonl"]
