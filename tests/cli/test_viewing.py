"""The commands that show what a machine does."""

import base64
import html
import itertools
import json
import re

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from softmachine.cli.main import main
from softmachine.core.fields import named_leaves
from softmachine.experiments.runs import Run
from softmachine.traces.file import load_trace, trace_from_bytes
from softmachine.zoo import models

SMALL = """
--task.width 3 --machine.memory-rows 8 --machine.memory-columns 5
--machine.controller.hidden 12 --training.batch 4 --training.max-sequences 120
--training.curriculum.largest 4 --training.validate-every 20
--training.checkpoint-every 40 --training.solved.sequences 20
""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose name would be a tag if it were not text."""
    path = tmp_path_factory.mktemp("cli") / "a<b>&"
    main(["train", "ntm-copy", *SMALL, "--run", str(path), "--seed", "3"])
    return path


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.err.startswith("softmachine: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_trace_is_of_the_run_s_machine(run, tmp_path, capsys):
    main(["trace", str(run), "--size", "5", "--seed", "2", "--out", str(tmp_path / "t.trace")])
    made = load_trace(tmp_path / "t.trace")
    outputs = Run(run).load_machine()(jnp.asarray(made.example["inputs"], jnp.float32))
    np.testing.assert_allclose(made.example["outputs"], outputs, atol=1e-6)
    assert (made.header.recipe, made.header.source) == ("ntm-copy", str(run))
    printed = " ".join(capsys.readouterr().out.split())
    assert f"{made.header.scores['wrong_bits']:.3g} wrong bits" in printed
    assert f"perfect: {made.header.scores['perfect']:.0%}" in printed
    assert str(tmp_path / "t.trace") in printed.replace(" ", "") or "t.trace" in printed


def test_a_trace_keeps_what_is_asked_for(run, tmp_path):
    out = tmp_path / "t.trace"
    main(["trace", str(run), "--size", "20", "--every", "10", "--fields", "memory", "gates",
          "--out", str(out)])  # fmt: skip
    made = load_trace(out)
    assert made.steps == [10, 20, 30, 40, 41]
    assert set(made.fields) == {"memory", "gates"}
    # The memory of 8 rows has grown.
    assert made.fields["memory"].shape == (5, 20, 5)


def test_a_trace_of_one_s_own_input(run, tmp_path, capsys):
    rows = [[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    out = tmp_path / "t.trace"
    main(["trace", str(run), "--input", str(tmp_path / "mine.json"), "--out", str(out)])
    made = load_trace(out)
    assert made.example["inputs"].tolist() == rows
    assert made.example["targets"][2].tolist() == [1, 0, 1]
    (tmp_path / "mine.json").write_text(json.dumps(rows[:2]))
    capsys.readouterr()
    main(["trace", str(run), "--input", str(tmp_path / "mine.json"), "--out", str(out)])
    assert "the right answer is not known" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "0"], "at least 1"),
        (["--size", "50000"], "needs 100,001 steps, and at most 100,000"),
        (["--size", f"{10**30}"], "--size must be at most 2147483647, not 1000"),
        (["--every", f"{10**30}"], "--every must be at most 2147483647, not 1000"),
        (["--size", "49999"], "this recording would take"),
        (["--every", "0"], "every"),
        (["--fields", "registers"], "no field 'registers'"),
        (["--input", "none.json"], "none.json"),
        (["--size", "2", "--input", "bad.json"], "not both"),
        (["--input", "bad.json"], "is no JSON"),
    ],
)
def test_what_cannot_be_traced_is_refused(
    run, tmp_path, capsys, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("{")
    assert message in refused(capsys, "trace", run, *arguments, "--out", "t.trace")
    assert not (tmp_path / "t.trace").exists()


def test_a_memory_that_is_too_large_to_trace_is_refused(tmp_path, capsys):
    out = ["--out", tmp_path / "t.trace"]
    told = refused(capsys, "trace", "zoo:nram-access", "--size", 10**9, *out)
    assert "needs 1,000,000,002 cells, and at most 2,000" in told


@pytest.fixture
def serving(monkeypatch):
    """What the server would be asked to serve."""
    asked = []

    def serve(machines, traces, *, port, open_browser, announce):
        announce("http://127.0.0.1:1/?token=x")
        asked.append((machines, traces, open_browser, port))
        raise KeyboardInterrupt

    monkeypatch.setattr("softmachine.viewer.server.serve", serve)
    return asked


def test_view_serves_a_run_along_its_training(run, serving, capsys):
    main(["view", str(run), "--no-open", "--port", "8123"])
    (((machine,), traces, open_browser, port),) = serving
    assert (traces, open_browser, port) == ([], False, 8123)
    assert "http://127.0.0.1:1/?token=x\n" in capsys.readouterr().out  # nothing wraps after it
    labels = {key: label for key, (label, _) in machine.checkpoints.items()}
    assert labels == {
        "20": "after 20 sequences",
        "40": "after 40 sequences",
        "80": "after 80 sequences",
        "best": "best",
    }
    weights = [machine.machine(key).output.weight for key in labels]
    for one, other in itertools.pairwise(weights[:-1]):
        assert not np.array_equal(one, other)
    np.testing.assert_array_equal(weights[-1], Run(run).load_machine().output.weight)


def test_view_serves_the_zoo_and_files(serving, run, tmp_path, capsys):
    main(["trace", str(run), "--size", "2", "--out", str(tmp_path / "t.trace")])
    main(["view", "zoo:nram-access", str(tmp_path / "t.trace")])
    (((machine,), traces, open_browser, port),) = serving
    assert (machine.name, [*machine.checkpoints], open_browser, port) == (
        "zoo:nram-access", ["best"], True, 0
    )  # fmt: skip
    assert [name for name, _ in traces] == ["t.trace"]
    assert trace_from_bytes(traces[0][1]).header.size == 2
    (tmp_path / "t.trace").write_bytes(b"GIF89a")
    capsys.readouterr()
    assert "damaged or no trace" in refused(capsys, "view", tmp_path / "t.trace")
    missing = tmp_path / "missing.trace"
    assert f"there is no {missing}" in refused(capsys, "view", missing).replace("\n", "")
    assert "no run directory: it has no config" in refused(capsys, "view", tmp_path)


def test_a_report_holds_everything(run, monkeypatch, capsys):
    monkeypatch.setattr("softmachine.cli.scoring.CURVE_SEQUENCES", 8)
    monkeypatch.setattr("softmachine.evaluation.report.CANDIDATES", 4)
    main(["report", str(run)])
    printed = capsys.readouterr().out
    assert printed.startswith(f"{run / 'report.html'}\n")
    assert "webbrowser file://" in printed
    text = (run / "report.html").read_text()
    outside = re.sub(r'srcdoc="[^"]*"', "", text)
    assert "a<b>" not in outside
    assert "a&lt;b&gt;&amp;" in outside
    assert not re.search(r"<script|https?://", outside)
    assert outside.count('src="data:image/svg+xml;base64,') == 2
    assert "<td>120</td>" in outside
    assert "<td>task.width</td><td>3</td>" in outside
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', text)[1])
    tags = re.findall(r'id="trace-\d+" data-name="[^"]*">([^<]+)<', page)
    traces = [trace_from_bytes(base64.b64decode(tag)) for tag in tags]
    assert [made.header.size for made in traces] == [4, 6]
    for made in traces:
        header = made.header
        note = f"Size {header.size}, seed {header.seed}: the"
        assert f"{note} best" in outside or f"{note} worst" in outside
        assert f"of 4 examples, {header.scores['wrong_bits']:g} wrong bits" in outside
        assert header.title == f"ntm-copy, size {header.size}, seed {header.seed}"
    # What one wants to see comes first, where it was made last; numbers are for people.
    heads = re.findall("<h2>([^<]*)</h2>", outside)
    assert heads[:2] == ["Watch it", "Generalisation"]
    assert heads[-3:] == ["Repeat it", "How it was made", "Settings"]
    assert re.search(r"<td>4</td><td>8</td><td>[\d.]+</td><td>\d+\.\d%</td>", outside)


def test_a_report_that_cannot_be_written_is_refused(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("softmachine.evaluation.report.build_report", lambda *_: "<p>")
    monkeypatch.setattr("softmachine.cli.viewing.curve", lambda *_: [])
    out = tmp_path / "no" / "r.html"
    assert "cannot write" in refused(capsys, "report", run, "--out", out)


def test_a_live_page_holds_the_machine_and_its_program(tmp_path, capsys):
    out = tmp_path / "live.html"
    main(["report", "zoo:nram-access", "--live", "--out", str(out)])
    assert str(out) in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    found = re.findall(r'id="machine-(\d)" data-name="([^"]*)">([^<]*)<', text)
    assert [(number, name) for number, name, _ in found] == [("0", "zoo:nram-access")]
    held = base64.b64decode(found[0][2])
    expected = named_leaves(models.load("nram-access"))
    arrays = safetensors.numpy.load(held)
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
    header = json.loads(held[8 : 8 + int.from_bytes(held[:8], "little")])
    described = json.loads(header["__metadata__"]["machine"])
    assert described["kind"] == "nram"
    assert described["program"]["data"]["schema"] == 2
    lines = described["program"]["lines"]
    assert len(lines) == len(described["program"]["data"]["states"])
    task = models.experiment_of("nram-access").task
    for example in described["examples"]:
        memory = example["inputs"]
        assert len(memory) == task.cells(example["size"])
        assert example["targets"][0] == memory[memory[0]]
        assert example["labels"] == task.labels(memory)


def test_a_machine_that_the_page_cannot_run_is_refused(tmp_path, capsys):
    out = tmp_path / "live.html"
    error = refused(capsys, "report", "zoo:dngpu-copy", "--live", "--out", out)
    assert "watch it with softmachine view zoo:dngpu-copy" in error
    assert not [*tmp_path.iterdir()]
