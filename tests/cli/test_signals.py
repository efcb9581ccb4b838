"""What a command ends with when it is told to end."""

import gc
import signal
import sys
import time

import pytest

from softmachine.cli.main import main
from softmachine.cli.progress import ProgressDisplay

SMALL = """
--task.width 2 --machine.memory-rows 6 --machine.memory-columns 4
--machine.controller.hidden 6 --training.batch 2 --training.max-sequences 80
--training.curriculum.largest 2 --training.validate-every 10
--training.checkpoint-every 10 --training.solved.sequences 8
""".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def _handlers():
    """Those of a terminal, also in a background job, whose shell ignores Ctrl-C."""
    before = {which: signal.getsignal(which) for which in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for which, handler in before.items():
        signal.signal(which, handler)


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_training_says_with_which_signal_it_ended(sent, status, tmp_path, monkeypatch, capsys):
    def report(*_):
        if not signals:
            signals.append(sent)
            signal.raise_signal(sent)

    signals = []
    monkeypatch.setattr(ProgressDisplay, "report", report)
    with pytest.raises(SystemExit) as stop:
        main(["train", "ntm-copy", *SMALL, "--run", str(tmp_path / "run")])
    assert stop.value.code == status
    assert "Interrupted. Continue with: softmachine resume" in capsys.readouterr().out
    assert (tmp_path / "run/checkpoints/last.safetensors").exists()


def test_any_command_ends_in_good_order(monkeypatch):
    ended = []

    def print_info():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            ended.append("in good order")

    monkeypatch.setattr("softmachine.cli.listing.print_info", print_info)
    with pytest.raises(SystemExit) as stop:
        main(["info"])
    assert stop.value.code == 143
    assert ended == ["in good order"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # a second one ends it at once


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
@pytest.mark.parametrize("where", ["collection", "finalizer"])
def test_a_signal_that_python_would_ignore_is_heard(sent, status, where, monkeypatch, capsys):
    """JAX has a callback of garbage collection, in which Ctrl-C often comes."""

    def raise_once(*_):
        if not signals:
            signals.append(sent)
            signal.raise_signal(sent)

    class Finalized:
        __del__ = raise_once

    def print_info():
        if where == "finalizer":
            Finalized()
        else:
            gc.callbacks.append(raise_once)
            gc.collect()
        time.sleep(20)

    signals = []
    hook = sys.unraisablehook
    monkeypatch.setattr("softmachine.cli.listing.print_info", print_info)
    try:
        with pytest.raises(SystemExit) as stop:
            main(["info"])
    finally:
        if raise_once in gc.callbacks:
            gc.callbacks.remove(raise_once)
    assert stop.value.code == status
    assert signals == [sent]
    assert capsys.readouterr() == ("", "")
    assert sys.unraisablehook is hook
