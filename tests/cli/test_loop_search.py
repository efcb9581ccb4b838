"""``softmachine synthesize`` searches loops first; what it finds is a run like any other."""

import json
import re
import signal

import pytest

from softmachine.cli import loop_search, synthesis, workers
from softmachine.cli.main import _parse_command, main
from softmachine.programs.running import load_python
from softmachine.synthesis.search.search import search
from softmachine.traces.file import load_trace
from softmachine.training.workers.workers import ThreadWorkers


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_sums(folder, *, spoilt=False):
    """Every element becomes the sum up to it; ``spoilt``: but for what nobody can guess."""
    lines = []
    for size in (1, 2, 3, 3, 3, 3, 20):
        for first in range(1, 6):
            array = [1 + (first * i * i + first) % 3 for i in range(size)]
            sums = [sum(array[: i + 1]) for i in range(size)]
            if spoilt:
                sums = [x * x % 7 * first for x in sums]
            lines.append({"input": [*array, 0], "output": [*sums, 0], "size": size})
            lines[-1]["mask"] = [1] * size + [0]
    seen = {json.dumps(line["input"]): line for line in lines}
    (folder / "task.jsonl").write_text("\n".join(map(json.dumps, seen.values())))


def test_a_loop_is_found_and_is_a_run_with_a_program(folder, capsys, monkeypatch):
    write_sums(folder)
    command = ["synthesize", "task.jsonl", "--members", "1"]
    main(command)
    printed = capsys.readouterr().out
    assert "search found a program, runs/synthesize-task/program.py" in printed
    directory = folder / "runs" / "synthesize-task"
    run = load_python((directory / "program.py").read_text())
    assert run([*range(1, 40), 0])[:39] == [i * (i + 1) // 2 for i in range(1, 40)]
    totals = json.loads((directory / "search.json").read_text())
    assert totals["tried"] > 0
    assert not list(directory.glob("seed-*/metrics.jsonl"))

    main(command)
    again = capsys.readouterr().out
    assert "loops tried" not in again

    monkeypatch.setattr(workers, "ProcessWorkers", ThreadWorkers)
    main([*command, "--run", "shared", "--workers", "2"])
    assert "2 workers)" in " ".join(capsys.readouterr().out.split())
    assert (folder / "shared" / "program.py").read_text() == (
        directory / "program.py"
    ).read_text()
    assert again.partition("search found")[2] == printed.partition("search found")[2]

    told = printed.rpartition("Next:")[2]
    program, trace, view = re.findall(r"softmachine (.+)", told)
    main(program.split())
    text = capsys.readouterr().out
    assert "hard machine in memories with room" in " ".join(text.split())
    assert "WRONG" not in text
    main(trace.split())
    assert load_trace("run.trace").header.recipe == "synthesize"
    assert _parse_command(*view.split())


def test_the_same_command_goes_on(folder, capsys, monkeypatch):
    write_sums(folder, spoilt=True)

    def one_attempt(batches, options, totals, seconds, accept, report, *_):
        """In place of a limit in seconds, which depend on the machine."""
        assert 0 < seconds <= 3600
        now = [totals]

        def told(reached):
            now[0] = reached
            report(reached)

        def over():
            return now[0].attempts > totals.attempts

        return search(batches, options, totals, seconds, accept, told, over)

    monkeypatch.setattr(loop_search, "search", one_attempt)
    options = synthesis.Options(0, 1, 1, 16, 1, 2, ("ZERO", "ONE", "READ", "WRITE", "INC"))
    numbers = []
    for _ in range(2):
        with pytest.raises(SystemExit) as stop:
            synthesis.synthesize(
                folder / "task.jsonl", folder / "run", 60.0, options, mode="search"
            )
        assert stop.value.code == 1
        printed = capsys.readouterr().out
        assert "loops tried" in printed
        assert "No program yet" in printed
        numbers.append(json.loads((folder / "run" / "search.json").read_text())["attempts"])
    assert numbers[1] > numbers[0] > 0


def test_an_interruption_ends_the_search(folder, capsys, monkeypatch):
    write_sums(folder, spoilt=True)
    told = []

    def interrupt(*_):
        if not told:  # a second one would end it at once
            told.append(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop_search.LoopDisplay, "report", interrupt)
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", "task.jsonl", "--members", "1", "--minutes", "60"])
    assert stop.value.code == 130
    assert "Interrupted. The same command continues." in capsys.readouterr().out
