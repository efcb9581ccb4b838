"""Training in a notebook shows a bar that changes in place."""

import re
import types

import IPython.display
import pytest

from softmachine.experiments.runs import Run
from softmachine.training import notebook, train


class Notebook:
    """IPython's display protocol, as a notebook has it: the latest of every display."""

    def __init__(self):
        self.shown = []

    def display(self, bundle, *, raw, display_id):
        assert raw
        assert display_id
        self.shown.append(bundle)
        return types.SimpleNamespace(update=self.update)

    def update(self, bundle, *, raw):
        assert raw
        self.shown.append(bundle)


@pytest.fixture
def page(monkeypatch):
    page = Notebook()
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setattr(IPython.display, "display", page.display)
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    return page


@pytest.fixture
def run(tmp_path, experiment, with_training):
    small = with_training(
        experiment, max_sequences=40, validate_every=20, checkpoint_every=20, solved=None
    )
    return Run.create(tmp_path / "run", small)


def test_a_bar_goes_up_and_says_how_good_it_is(page, run):
    progress = train(run)
    values = [int(re.search(r'value="(\d+)"', x["text/html"])[1]) for x in page.shown]
    lines = run.metrics()
    assert values == [0, *(line["sequences"] for line in lines)]
    assert values[-1] == progress.sequences
    assert "compiling" in page.shown[0]["text/plain"]
    error = lines[-1]["validation_wrong_bits"]
    assert f"{error:.3g} wrong bits" in page.shown[-1]["text/plain"]
    assert all("<script" not in x["text/html"] for x in page.shown)
    page.shown.clear()
    train(run)
    [again] = page.shown
    assert 'value="40"' in again["text/html"]
    assert again["text/plain"].endswith("finished before")


def test_whoever_reports_sees_no_bar_nor_does_a_terminal(page, run, monkeypatch):
    told = []
    train(run, lambda *one: told.append(one))
    assert told
    assert page.shown == []
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    assert not notebook.in_notebook()
