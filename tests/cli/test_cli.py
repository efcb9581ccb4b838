"""The command line: what it prints, and how it fails."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from softmachine.cli.main import main

SMALL = """
--task.width 3 --machine.memory-rows 8 --machine.memory-columns 5
--machine.controller.hidden 12 --training.batch 4 --training.max-sequences 160
--training.curriculum.largest 4 --training.validate-every 20
--training.checkpoint-every 40 --training.solved.sequences 20
""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "run"
    main(["train", "ntm-copy", *SMALL, "--run", str(path), "--seed", "3"])
    return path


def refused(capsys, *arguments) -> str:
    """Run a command that has to fail; return its one line."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.err.startswith("softmachine: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_run_holds_what_the_guide_says(run):
    assert json.loads((run / "config.json").read_text())["schema"] == 1
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["sequences"] for line in lines] == list(range(20, 180, 20))
    assert {"bits", "wrong_bits", "validation_bits", "sequences_per_second"} <= set(lines[0])
    for name in ("last", "best"):
        assert (run / "checkpoints" / f"{name}.safetensors").is_file()


def test_seed_and_overrides_reach_the_configuration(run):
    experiment = json.loads((run / "config.json").read_text())["experiment"]
    assert experiment["training"]["seed"] == 3
    assert experiment["machine"]["controller"]["hidden"] == 12
    assert experiment["training"]["curriculum"]["largest"] == 4


def test_evaluate_json_is_one_object_and_nothing_else(run, capsys):
    main(["evaluate", str(run), "--sizes", "2", "5", "--sequences", "10", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["machine"] == "ntm-copy"
    assert result["task"] == "copy"
    assert [row["size"] for row in result["sizes"]] == [2, 5]
    row = result["sizes"][0]
    assert set(row) == {"size", "sequences", "wrong_bits", "perfect", "bits"}
    assert row["sequences"] == 10
    assert 0 <= row["wrong_bits"] <= 6
    assert json.loads((run / "results" / "evaluation.json").read_text()) == result


def test_evaluate_prints_a_table(run, capsys):
    main(
        ["evaluate", str(run), "--sizes", "3", "12", "--memory-rows", "16", "--sequences", "4"]
    )
    out = capsys.readouterr().out
    assert re.search(r"│\s+12 │\s+4 │", out)
    assert max(map(len, out.splitlines())) <= 80


def test_plot_draws_three_figures(run, capsys):
    main(["plot", str(run), "--size", "6"])
    for path in capsys.readouterr().out.split():
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    names = sorted(path.name for path in (run / "figures").iterdir())
    assert names == ["example-6.png", "generalization.png", "learning-curve.png"]


def test_resume_of_a_finished_run_says_so(run, capsys):
    before = (run / "metrics.jsonl").read_bytes()
    main(["resume", str(run)])
    assert "Not solved in 160 sequences" in capsys.readouterr().out
    assert (run / "metrics.jsonl").read_bytes() == before


def test_recipes_and_info(capsys):
    main(["recipes"])
    out = capsys.readouterr().out
    for name in ("ntm-copy", "ntm-ff-copy", "lstm-copy"):
        assert name in out
    main(["info"])
    assert re.search(r"jax +\d.*\n(.*\n)*device +cpu 0", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "frobnicate"),
        (["train"], "RECIPE"),
        (["train", "nmt-copy"], "unknown recipe 'nmt-copy'; there are ntm-copy"),
        (["train", "ntm-copy", "--training.bacth", "3"], "--training.bacth"),
        (["train", "ntm-copy", "--training.batch", "three"], "--training.batch"),
        (["train", "ntm-copy", "--training.batch", "0"], "batch must be at least 1"),
        (["train", "ntm-copy", "--machine.order", "sideways"], "sideways"),
        (
            ["train", "ntm-copy", "--machine.initial-weightings", "uniform"],
            "cannot tell its rows apart",
        ),
        (["train", "ntm-copy", "--training.memory-rows", "9"], "size 20 needs 20 memory rows"),
        (["train", "ntm-copy", "--run", "/proc/no-such-place/run"], "cannot write to /proc"),
        (["resume", "/no-such-run"], "is no run directory"),
        (["evaluate", "/no-such-run"], "is no run directory"),
        (["plot", "/no-such-run"], "is no run directory"),
    ],
)
def test_mistakes_get_one_line_and_status_2(arguments, message, capsys):
    assert message in refused(capsys, *arguments)


def test_mistakes_with_a_run(run, capsys, tmp_path):
    assert "size 9 needs 9 memory rows" in refused(capsys, "evaluate", run, "--sizes", 9)
    assert "at least 1" in refused(capsys, "evaluate", run, "--sizes", 0)
    assert "--sizes" in refused(capsys, "evaluate", run, "--sizes", "many")
    assert "this machine has 4" in refused(capsys, "evaluate", run, "--memory-rows", 4)
    assert "already exists" in refused(capsys, "train", "ntm-copy", "--run", run)
    wrong = tmp_path / "wrong"
    (wrong / "checkpoints").mkdir(parents=True)
    (wrong / "config.json").write_bytes((run / "config.json").read_bytes())
    (wrong / "checkpoints" / "best.safetensors").write_bytes(b"\x00" * 40)
    assert "is damaged" in refused(capsys, "evaluate", wrong)


def test_help_is_instant_because_nothing_heavy_is_imported():
    code = (
        "import sys; from softmachine.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'numpy', 'matplotlib', 'equinox'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_importing_the_library_changes_no_global_state():
    code = (
        "import jax; before = dict(jax.config.values)\n"
        "import softmachine, softmachine.recipes, softmachine.training.trainer\n"
        "assert dict(jax.config.values) == before"
    )
    environment = {k: v for k, v in os.environ.items() if k != "JAX_NUM_CPU_DEVICES"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_killed_then_resumed(tmp_path):
    """kill -9 costs at most the work since the last checkpoint."""
    path = tmp_path / "run"
    command = [sys.executable, "-m", "softmachine"]
    with subprocess.Popen(
        [*command, "train", "ntm-copy", *SMALL, "--training.max-sequences", "100000",
         "--run", str(path)], stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        last = path / "checkpoints" / "last.safetensors"
        while not last.exists():
            assert process.poll() is None, process.stdout.read()
        busy = subprocess.run(
            [*command, "resume", str(path)], capture_output=True, text=True, check=False
        )
        process.kill()
    assert busy.returncode == 2
    assert "being written by another process" in busy.stderr
    from softmachine.training.runs import Run

    state, progress = Run(path).load_last()
    assert int(state.step) == progress["step"] > 0
