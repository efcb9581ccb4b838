"""Trackers: what they are told, and what those of other packages keep on this computer."""

import struct
import sys
import tomllib
from pathlib import Path

import pytest

from softmachine.cli.main import main
from softmachine.core.errors import SoftmachineError, SoftmachineWarning
from softmachine.experiments.runs import Run
from softmachine.training.trackers import TRACKERS, _flat, find_tracker
from softmachine.training.trainer import train, train_members


class Recorder:
    def __init__(self, fails_at=None):
        self.told, self.fails_at = [], fails_at

    def _take(self, what, *more):
        self.told.append((what, *more))
        if what == self.fails_at:
            raise OSError("the network is gone")

    def begin(self, run):
        self._take("begin", run.path.name)

    def log(self, run, sequences, metrics):
        self._take("log", run.path.name, sequences, metrics)

    def end(self, run, progress):
        self._take("end", run.path.name, progress.sequences)


@pytest.fixture
def run(tmp_path, experiment, with_training):
    small = with_training(
        experiment, max_sequences=40, validate_every=20, checkpoint_every=20, solved=None
    )
    return Run.create(tmp_path / "run", small)


def values(run, name="validation_bits"):
    return [(line["sequences"], line[name]) for line in run.metrics()]


def test_a_tracker_is_told_of_everything(run):
    recorder = Recorder()
    train(run, trackers=[recorder])
    assert [told[0] for told in recorder.told] == ["begin", "log", "log", "end"]
    logged = [told[2:] for told in recorder.told if told[0] == "log"]
    assert [(at, found["validation_bits"]) for at, found in logged] == values(run)
    assert recorder.told[-1] == ("end", "run", 40)


def test_members_are_told_apart(run, tmp_path):
    other = Run.create(tmp_path / "other", run.experiment.with_seed(5))
    recorder = Recorder()
    train_members([run, other], trackers=[recorder])
    for name in ("run", "other"):
        assert [x[0] for x in recorder.told if x[1] == name] == ["begin", "log", "log", "end"]


def test_reports_go_on_beside_trackers(run):
    reported = []
    train(run, lambda _, line: reported.append(line), trackers=[Recorder()])
    assert reported == run.metrics()


@pytest.mark.parametrize("fails_at", ["begin", "log", "end"])
def test_a_tracker_that_fails_is_left_out_and_training_goes_on(run, fails_at):
    failing, other = Recorder(fails_at), Recorder()
    with pytest.warns(SoftmachineWarning, match="Recorder is left out .* the network is gone"):
        progress = train(run, trackers=[failing, other])
    assert progress.finished
    assert failing.told[-1][0] == fails_at
    assert [told[0] for told in other.told] == ["begin", "log", "log", "end"]


def test_unknown_ones_and_packages_that_are_missing(monkeypatch, run, capsys):
    with pytest.raises(SoftmachineError, match="there are tensorboard, trackio, wandb, mlflow"):
        train(run, trackers=["excel"])
    for name, package in (("tensorboard", "tensorboardX"), ("wandb", "wandb")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(SoftmachineError, match=rf"pip install 'softmachine\[{name}\]'"):
            find_tracker(name)
    with pytest.raises(SystemExit):
        main(["train", "ntm-copy", "--track", "wandb", "--run", str(run.path / "none")])
    assert "needs the package wandb" in capsys.readouterr().err
    assert not (run.path / "none").exists()


def test_every_tracker_is_an_extra():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert TRACKERS.keys() <= tomllib.loads(text)["project"]["optional-dependencies"].keys()


def test_configurations_are_flattened():
    value = {"a": {"b": 1, "c": [2, {"d": 3}], "e": []}, "f": None}
    assert dict(_flat(value)) == {"a.b": 1, "a.c.0": 2, "a.c.1.d": 3, "a.e": [], "f": None}


def records(path):
    """Return what an event file holds: length, checksum, bytes, checksum, and again."""
    data, start = path.read_bytes(), 0
    while start < len(data):
        (length,) = struct.unpack_from("<Q", data, start)
        yield data[start + 12 : start + 12 + length]
        start += 16 + length


@pytest.mark.filterwarnings("ignore")
def test_tensorboard(run):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    train(run, trackers=["tensorboard"])
    (path,) = (run.path / "tensorboard").iterdir()
    events = [Event.FromString(record) for record in records(path)]
    found = [
        (event.step, one.simple_value)
        for event in events
        for one in event.summary.value
        if one.tag == "validation_bits"
    ]
    assert found == [(at, pytest.approx(value)) for at, value in values(run)]


@pytest.mark.filterwarnings("ignore")
def test_mlflow(run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    train(run, trackers=["mlflow"])
    client = mlflow.MlflowClient()
    where = client.get_experiment_by_name("softmachine").experiment_id
    (kept,) = client.search_runs([where])
    assert kept.info.status == "FINISHED"
    assert kept.data.params["training.batch"] == str(run.experiment.training.batch)
    history = client.get_metric_history(kept.info.run_id, "validation_bits")
    assert [(one.step, one.value) for one in history] == values(run)


@pytest.mark.filterwarnings("ignore")
def test_wandb(run, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    train(run, trackers=["wandb"])
    (path,) = run.path.glob("wandb/offline-run-*/run-*.wandb")
    assert b"validation_bits" in path.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_trackio(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    monkeypatch.setattr(trackio.utils, "TRACKIO_DIR", tmp_path / "trackio")
    train(run, trackers=["trackio"])
    (name,) = trackio.SQLiteStorage.get_runs("softmachine")
    found = trackio.SQLiteStorage.get_logs("softmachine", name)
    rows = [(row["step"], row["validation_bits"]) for row in found if "validation_bits" in row]
    assert rows == values(run)
