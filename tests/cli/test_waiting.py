"""What a person sees while XLA works, and how Ctrl-C is answered then."""

import dataclasses
import io
import os
import pty
import re
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from softmachine.cli.progress import ProgressDisplay
from softmachine.cli.waiting import clock, working
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.recipes import get_recipe
from softmachine.training.phases import Settle
from softmachine.training.workers.workers import Tally

# A computation that never ends, which nothing in Python can interrupt.
FOREVER = """
import jax
def forever(*_, **__):
    loop = jax.jit(lambda: jax.lax.while_loop(lambda x: x >= 0, lambda x: x + 1, 0.0))
    compiled = loop.lower().compile()
    print("looping", flush=True)
    compiled().item()
"""
WORKING = (
    FOREVER
    + """
from softmachine.cli.waiting import working
try:
    with working("Thinking"):
        forever()
except KeyboardInterrupt:
    raise SystemExit("XLA was not reached") from None
"""
)
TRAINING = (
    FOREVER
    + """
import sys
from softmachine.cli import main, training
training.train_members = forever
main.main(["train", "ntm-copy", "--run", sys.argv[1]])
"""
)

# The first terminal that a session opens becomes its own, and sends it Ctrl-C, which tests that
# run in a shell's background have been told to ignore. Done by the program itself: a function
# to run before it would have the tests' process fork, JAX and all.
OWN_TERMINAL = """
import os, signal
os.close(os.open(os.ttyname(0), os.O_RDWR))
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


class Terminal:
    """A program on a pseudo-terminal of 80 columns."""

    def __init__(self, code: str, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        environment = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL + code, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        # A program that misses its Ctrl-C would be waited for without an end.
        self._guard = threading.Timer(180, self.process.kill)
        self._guard.start()
        self.seen = ""

    def read_until(self, text: str, times: int = 1) -> None:
        """Read on until a text is there so often; fail at the program's end."""
        while self.seen.count(text) < times:
            try:
                self.seen += os.read(self._master, 4096).decode(errors="replace")
            except OSError:  # Linux's end of file
                pytest.fail(f"it ended without {text!r}: {self.seen}")

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self) -> int:
        """Return the status, everything read."""
        try:
            while more := os.read(self._master, 4096):
                self.seen += more.decode(errors="replace")
        except OSError:
            pass
        os.close(self._master)
        self._guard.cancel()
        return self.process.wait()


@pytest.fixture
def start():
    """Return what starts a program on a terminal; end those that did not."""
    started = []

    def begin(*arguments):
        started.append(Terminal(*arguments))
        return started[-1]

    yield begin
    for terminal in started:
        terminal.process.kill()
        terminal.process.wait()


def test_seconds_go_by_while_xla_works_and_ctrl_c_ends_it(start):
    terminal = start(WORKING)
    terminal.read_until("looping")
    shown = terminal.seen.count("Thinking")
    terminal.read_until("Thinking", shown + 20)  # frames of the spinner: 2 s
    assert "0:01" in terminal.seen
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert terminal.seen.rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_a_training_answers_ctrl_c_at_once_and_ends_at_the_second(tmp_path, start):
    terminal = start(TRAINING, str(tmp_path / "run"))
    terminal.read_until("looping")
    shown = terminal.seen.count("compiling")
    terminal.read_until("compiling", shown + 10)
    terminal.press(b"\x03")
    terminal.read_until("Stopping after these updates; press Ctrl-C again to end at once.")
    assert terminal.process.poll() is None
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert f"softmachine resume {tmp_path / 'run'}" in terminal.seen.replace("\r\n", "")


def test_nothing_is_shown_on_a_pipe(capsys):
    with working("Thinking", limit=60.0) as say:
        say("Still thinking")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (65.0, "1:05"), (754.0, "12:34"), (3723.0, "1:02:03")]
)
def test_times(seconds, text):
    assert clock(seconds) == text


@pytest.fixture
def display(tmp_path, monkeypatch):
    """Return a maker of displays as on a terminal, and of what stands there at their end."""
    monkeypatch.setattr("softmachine.cli.progress.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    experiment = get_recipe("ntm-repeat-copy")

    def show(members, reports, capsys, tally=None, **choices):
        training = dataclasses.replace(experiment.training, **choices)
        one = dataclasses.replace(experiment, training=training)
        runs = [
            Run(path) if path.exists() else Run.create(path, one.with_seed(i))
            for i, path in enumerate(tmp_path / f"{members}-{i}" for i in range(members))
        ]
        with ProgressDisplay(runs, "softmachine resume it") as shown:
            if tally is not None:
                shown.watch(tally)
            for i, progress, error in reports:
                line = {
                    "validation_wrong_bits": error,
                    "validation_bits": 70.66,
                    "sequences_per_second": 473.0,
                }
                shown.report(i, Progress(**progress), line)
            if shown._bar is not None:
                going = Console(width=80, file=io.StringIO())
                going.print(shown._bar.get_renderable())
                show.going = going.file.getvalue()
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 80
        return " ".join(lines[-1].split())

    return show


def test_the_bar_names_what_is_now_and_what_was_best(display, capsys):
    progress = dict(sequences=20_000, best_error=0.0, best_sequences=18_000)
    line = display(1, [(0, progress, 27.72)] * 2, capsys)
    assert "70.7 bits 27.7 wrong (best 0) 473/s" in line


def test_compilation_is_not_counted_as_training(display, capsys, monkeypatch):
    """The rate of the first line has it in it: no rate then, and no time left."""
    progress = dict(sequences=20_000, best_error=0.0, best_sequences=18_000)
    for members, rate in ((1, 473), (2, 946)):
        first = [(i, progress, 27.72) for i in range(members)]
        line = display(members, first, capsys)
        assert "27.7 wrong" in line
        assert "/s" not in line
        assert "left" not in line
        assert f" {rate}/s" in display(members, first * 2, capsys)
    monkeypatch.setattr("softmachine.cli.progress.on_terminal", lambda: False)
    monkeypatch.setattr("softmachine.cli.progress.PLAIN_SECONDS", 0.0)
    assert "left" not in display(1, first[:1], capsys)
    assert re.search(r"473/s <\d:\d\d left", display(1, first[:1] * 2, capsys))


def test_the_bar_is_one_line_however_much_there_is_to_say(display, capsys):
    """What follows it at 80 columns was broken into the next lines, again and again."""
    progress = dict(sequences=20_000, best_error=0.0, best_sequences=18_000)
    reports = [(i, progress, 27.72) for i in range(12)] * 2
    for tally in (None, Tally(workers=12, lost=3, repeated=4)):
        display(12, reports, capsys, tally)
        [line] = display.going.splitlines()
        assert re.search(r"0 of 12 solved.* \d:\d\d, <\d+:\d\d left$", line)
        assert ("…" in line) == (tally is not None)
        assert "━" not in line
    assert "━" in display(1, [(0, progress, 27.72)], capsys)


def test_members_that_end_together_have_one_last_line(tmp_path, capsys, monkeypatch):
    """What each of them trained is known to the others at once, before it is reported."""
    monkeypatch.setattr("softmachine.cli.progress.on_terminal", lambda: False)
    experiment = get_recipe("ntm-copy")
    runs = [Run.create(tmp_path / f"{i}", experiment.with_seed(i)) for i in range(3)]
    line = {"validation_wrong_bits": 2.0, "validation_bits": 3.0, "sequences_per_second": 9.0}
    progress = [Progress(sequences=500) for _ in runs]
    with ProgressDisplay(runs, "softmachine resume it") as shown:
        for i, known in enumerate(progress):
            shown.report(i, known, line)
        for known in progress:
            known.finished = True
        for i, known in enumerate(progress):
            shown.report(i, known, line | {"validation_wrong_bits": 1.0})
    said = [x for x in capsys.readouterr().out.splitlines() if "1,500 sequences" in x]
    assert len(said) == 1
    assert "1 wrong (median)" in said[0]


def test_the_last_line_of_the_bar_is_the_end(display, capsys):
    """Neither the last error, as if it were the result, nor time left, nor a part of a bar."""
    progress = dict(sequences=40_000, best_error=0.0, finished=True, solved_sequences=18_000)
    line = display(1, [(0, progress, 27.72)], capsys)
    assert "27.7 wrong at the end, 0 kept" in line
    assert "left" not in line
    # A population ends when enough members are solved: most of its sequences are not needed.
    ends = [(i, progress | {"solved_sequences": s}, 0.0) for i, s in enumerate((9, None, 5))]
    line = display(3, ends, capsys)
    assert "2 of 3 solved" in line
    assert "left" not in line
    assert "╺" not in line  # the bar is full


def test_who_works_is_shown(display, capsys, tmp_path, monkeypatch):
    tally = Tally(workers=64, lost=20, repeated=31)
    going = [(i, dict(sequences=20_000, best_error=2.0), 27.72) for i in range(3)]
    line = display(3, going, capsys, tally)
    assert "64 workers, 20 lost, 31 repeated" in line
    monkeypatch.setattr("softmachine.cli.progress.on_terminal", lambda: False)
    with ProgressDisplay([Run(tmp_path / "3-0"), Run(tmp_path / "3-1")], "it") as shown:
        shown.watch(Tally())
        shown.watch(tally)
    assert capsys.readouterr().out.splitlines()[1:] == ["no worker is there: waiting for one"]


def test_a_population_without_a_criterion_is_not_said_to_be_unsolved(display, capsys):
    for members, end in ((2, False), (3, True)):
        reports = [(i, dict(sequences=100, finished=end), 5.0) for i in range(members)]
        line = display(members, reports, capsys, solved=None, phases=())
        assert "5 wrong (median)" in line
        assert "solved" not in line


@pytest.mark.parametrize("settle", [False, True])
def test_a_run_that_became_worse_says_so(settle, tmp_path):
    from softmachine.cli.training import _outcome

    experiment = get_recipe("ntm-copy")
    phases = (Settle(validations=6),) if settle else ()
    training = dataclasses.replace(experiment.training, phases=phases)
    experiment = dataclasses.replace(experiment, training=training)
    run = Run.create(tmp_path / "run", experiment)
    progress = Progress(
        sequences=40_000, best_error=0.0, best_bits=0.003, best_sequences=18_000,
        solved_sequences=18_000, solved_seconds=31.0, finished=True,
    )  # fmt: skip
    bits = {"validation_bits": 0.003, "validation_level": 20}
    right = {"step": 18_000, "sequences": 18_000, "validation_wrong_bits": 0.0} | bits
    run.append_metrics(right)
    assert "Afterwards" not in _outcome(run, progress)
    wrong = {"step": 40_000, "sequences": 40_000, "validation_wrong_bits": 28.0}
    run.append_metrics(right | wrong)
    afterwards = (
        "the last parameters are worse (28 wrong bits after 40,000 sequences);\n"
        "kept: those of 18,000 sequences, 0 wrong bits."
    )
    if settle:
        afterwards = (
            "1 later validation found mistakes (at worst 28 wrong bits);\n"
            "training went back to what was right."
        )
    assert _outcome(run, progress) == (
        "Solved after 18,000 sequences and 31 s.\n"
        "Best validation, after 18,000 sequences: 0 wrong bits, 0.003 bits.\n"
        f"Afterwards: {afterwards}"
    )
    # Not of one that was never right: that goes up and down.
    progress.solved_sequences = None
    assert "Afterwards" not in _outcome(run, progress)
