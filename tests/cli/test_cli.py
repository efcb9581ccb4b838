"""The command line: what it prints, and how it fails."""

import contextlib
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from softmachine.cli.main import main
from softmachine.cli.training import _population_outcome
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import SCHEMA
from softmachine.recipes import RECIPES, get_recipe
from softmachine.zoo import names

SMALL = """
--task.width 3 --machine.memory-rows 8 --machine.memory-columns 5
--machine.controller.hidden 12 --training.batch 4 --training.max-sequences 160
--training.curriculum.largest 4 --training.validate-every 20
--training.checkpoint-every 40 --training.solved.sequences 20
""".split()  # noqa: SIM905


SMALL_REPEATS = """
--task.width 3 --task.repeats 1 2 --task.normalized-over 1 2 --machine.memory-rows 8
--machine.memory-columns 5 --machine.controller.hidden 8 --training.batch 4
--training.max-sequences 8 --training.curriculum.largest 3 --training.validate-every 8
--training.checkpoint-every 8 --training.solved.sequences 8
""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "run"
    main(["train", "ntm-copy", *SMALL, "--run", str(path), "--seed", "3"])
    return path


@pytest.fixture(scope="module")
def population(tmp_path_factory) -> tuple[Path, str]:
    """A population of two, and what was printed while it was trained."""
    path = tmp_path_factory.mktemp("cli") / "population"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main(["train", "ntm-copy", *SMALL, "--training.max-sequences", "40",
              "--run", str(path), "--seed", "3", "--members", "2"])  # fmt: skip
    return path, printed.getvalue()


@pytest.fixture(scope="module")
def repeats(tmp_path_factory) -> Path:
    """A run whose task has more fields than a width."""
    path = tmp_path_factory.mktemp("cli") / "repeats"
    main(["train", "paper-ntm-repeat-copy", *SMALL_REPEATS, "--run", str(path)])
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
    assert json.loads((run / "config.json").read_text())["schema"] == SCHEMA
    assert json.loads((run / "environment.json").read_text())["platform"] == "cpu"
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
    assert result["machine"] == "ntm-copy, seed 3"
    assert result["task"] == "Copy"
    assert result["options"] == {}
    assert [row["size"] for row in result["sizes"]] == [2, 5]
    row = result["sizes"][0]
    assert set(row) == {"size", "sequences", "wrong_bits", "perfect", "bits"}
    assert row["sequences"] == 10
    assert 0 <= row["wrong_bits"] <= 6
    saved = json.loads((run / "results" / "evaluation.json").read_text())
    assert saved.pop("checksum")
    assert saved == result


def test_evaluate_prints_a_table(run, capsys):
    main(
        ["evaluate", str(run), "--sizes", "3", "12", "--memory-rows", "16", "--sequences", "4"]
    )
    out = capsys.readouterr().out
    assert re.search(r"│\s+12 │\s+4 │", out)
    assert max(map(len, out.splitlines())) <= 80


def test_shares_are_printed_in_percent(capsys):
    main(["evaluate", "zoo:nram-access", "--sizes", "3", "--sequences", "4"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    cells = rows[-1].replace("│", " ").split()
    assert cells[:6] == ["3", "4", "0.0%", "0.0%", "100.0%", "100.0%"]


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


def test_a_population_is_trained_and_summed_up(population):
    path, printed = population
    assert json.loads((path / "population.json").read_text())["members"] == ["seed-3", "seed-4"]
    for seed in (3, 4):
        member = path / f"seed-{seed}"
        config = json.loads((member / "config.json").read_text())
        assert config["experiment"]["training"]["seed"] == seed
        assert len((member / "metrics.jsonl").read_text().splitlines()) == 2
        assert re.search(rf"│\s+{seed} │\s+- │", printed)
    assert "ntm-copy, 2 members: compiling" in printed
    assert "Solved: 0 of 2 members (95 % interval of the rate: 0% to 66%)" in printed
    assert f"Population: {path}" in printed
    table = [line for line in printed.splitlines() if line.startswith(("┃", "│"))]
    assert [line[0] for line in table] == ["┃", "┃", "│", "│"]
    assert max(map(len, table)) <= 80


@pytest.mark.parametrize(
    ("enough", "said"),
    [
        (1, "Solved: 1 of 2 members. That is enough: the others ended."),
        (None, "Solved: 1 of 2 members (95 % interval of the rate: 9% to 91%)."),
    ],
)
def test_of_a_population_that_was_ended_early_no_rate_is_said(tmp_path, enough, said):
    one = get_recipe("ntm-copy")
    training = dataclasses.replace(one.training, enough=enough)
    run = Run.create(tmp_path / "run", dataclasses.replace(one, training=training))
    ended = Progress(sequences=80, best_error=0.0, finished=True)
    members = [dataclasses.replace(ended, solved_sequences=80, solved_seconds=1.0), ended]
    assert _population_outcome([run, run], members) == said


def test_evaluate_a_population_as_json_is_an_object_per_member(population, capsys):
    path, _ = population
    main(["evaluate", str(path), "--sizes", "3", "--sequences", "6", "--json"])
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["machine"] for result in results] == ["ntm-copy, seed 3", "ntm-copy, seed 4"]
    for result, seed in zip(results, (3, 4), strict=True):
        saved = json.loads((path / f"seed-{seed}" / "results" / "evaluation.json").read_text())
        assert saved.pop("checksum")
        assert saved == result
    errors = [result["sizes"][0]["wrong_bits"] for result in results]

    main(["evaluate", str(path), "--sizes", "3", "--sequences", "6"])
    printed = capsys.readouterr().out
    lowest, median, highest = min(errors), sum(errors) / 2, max(errors)
    numbers = rf"{lowest:.3f}.*{median:.3f}.*{highest:.3f}"
    assert re.search(rf"│\s+3 │\s+6 │.*{numbers}", printed)
    assert "over members" in printed
    assert max(map(len, printed.splitlines())) <= 80

    main(["evaluate", str(path / "seed-4"), "--sizes", "3", "--sequences", "6", "--json"])
    assert json.loads(capsys.readouterr().out) == results[1]


def test_plot_a_population_a_member_and_both(population, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("softmachine.cli.scoring.CURVE_SEQUENCES", 8)
    path, _ = population

    def plot(*arguments):
        main(["plot", *map(str, arguments)])
        printed = [Path(line) for line in capsys.readouterr().out.split()]
        for figure in printed:
            assert figure.read_bytes().startswith(b"\x89PNG")
        return sorted(printed)

    bands = ["generalization.png", "learning-curves.png", "levels.png"]
    assert plot(path) == [path / "figures" / name for name in bands]
    member = path / "seed-3"
    names = ["example-4.png", "generalization.png", "learning-curve.png"]
    assert plot(member) == [member / "figures" / name for name in names]
    assert plot(path, member, "--out", tmp_path) == [tmp_path / name for name in bands]


def test_resume_of_a_finished_population_says_so(population, capsys):
    path, _ = population
    before = [(path / f"seed-{i}" / "metrics.jsonl").read_bytes() for i in (3, 4)]
    main(["resume", str(path)])
    assert "Solved: 0 of 2 members" in capsys.readouterr().out
    assert [(path / f"seed-{i}" / "metrics.jsonl").read_bytes() for i in (3, 4)] == before


def test_a_machine_can_be_tested_otherwise_than_it_was_trained(repeats, capsys):
    def evaluate(*options):
        main(["evaluate", str(repeats), "--sizes", "3", "--sequences", "8", "--json", *options])
        return json.loads(capsys.readouterr().out)

    plain = evaluate()
    assert plain["memory_rows"] == 8
    changed = evaluate(
        "--hard", "--no-wrap", "--memory-rows", "16", "--sharpening-factor", "2",
        "--task", "repeats=[3,3]",
    )  # fmt: skip
    assert changed["memory_rows"] == 16
    assert changed["options"] == {
        "memory_rows": 16,
        "hard": True,
        "wrap": False,
        "sharpening_factor": 2.0,
        "task": ["repeats=[3,3]"],
    }
    # A machine that knows nothing is about one bit off per bit: thrice 3 bits and the ends.
    assert changed["sizes"][0]["bits"] > 1.3 * plain["sizes"][0]["bits"]
    fewer, more = (evaluate("--task", f"repeats=[{n},{n}]") for n in (1, 2))
    assert fewer["sizes"][0]["bits"] < more["sizes"][0]["bits"]
    assert evaluate("--task", "repeats=[1,2]")["sizes"] == plain["sizes"]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("repeat=[2,2]", "with a field of RepeatCopy: noise, normalized_over"),
        ("repeats", "expected FIELD=VALUE"),
        ("output=3", "expected FIELD=VALUE"),
        ("kind_of=3", "expected FIELD=VALUE"),
        ("repeats=[2,", "'[2,' is no JSON value such as 3 or [1,3]"),
        ("repeats=two", "'two' is no JSON value"),
        ("repeats=2", "is no valid task"),
        ("repeats=[2]", "is no valid task"),
        ('repeats="22"', "is no valid task"),
        ("repeats=[null,2]", "is no valid task"),
        ("width=3.7", "is no valid task: expected int, not 3.7"),
        ("repeats=[3,2]", "must be (fewest, most)"),
        ("width=4", "the machine has 5 input and 4 output channels, this task 6 and 5"),
    ],
)
def test_bad_changes_of_the_task_are_explained(repeats, capsys, assignment, message):
    assert message in refused(capsys, "evaluate", repeats, "--task", assignment)


def test_recipes_and_info(capsys):
    main(["recipes"])
    out = capsys.readouterr().out
    single = [name for name in RECIPES if "-chomsky-" not in name]
    tuned = [name for name in single if not name.startswith("paper-")]
    listed = [line.split()[0] for line in out.splitlines() if line.startswith((*tuned,))]
    assert sorted(listed) == sorted(tuned)
    assert re.search("^stack-rnn +Stack-RNN, RNN of 256", out, re.M)
    assert "TASK is one of even-pairs, modular-arithmetic" in out
    assert "copy: reproduce a sequence of 1 to 20 vectors" in out
    assert re.search(r"^ntm-copy +NTM, LSTM controller +1-20 +40,000$", out, re.M)
    assert "paper-ntm-copy" not in out
    assert f"{len(single) - len(tuned)} more" in out
    groups = {group.splitlines()[0]: group for group in out.split("\n\n")}
    memories = groups["memories: programs on a memory of integers".ljust(80)]
    assert re.search(r"^nram-increment +add 1 to every value of an array +1-6", memories, re.M)
    assert re.search(r"^nram-lstm-copy +NRAM with an LSTM: copy", memories, re.M)
    main(["recipes", "--all"])
    out = capsys.readouterr().out
    assert all(re.search(rf"^{name} ", out, re.M) for name in single)
    assert max(map(len, out.splitlines())) <= 80
    main(["info"])
    assert re.search(r"jax +\d.*\n(.*\n)*device +cpu 0", capsys.readouterr().out)


def test_recipes_are_grouped_by_their_task_whatever_they_are_called(capsys, monkeypatch):
    monkeypatch.setattr(RECIPES, "_registered", {})

    @RECIPES.register("dnc-copy")
    def dnc_copy():
        """DNC: reproduce a sequence."""
        return get_recipe("ntm-copy")

    @RECIPES.register("apply")
    def apply():
        """DNC: apply a permutation."""
        return get_recipe("nram-permutation")

    main(["recipes"])
    copies, *groups, _ = capsys.readouterr().out.split("\n\n")
    (memories,) = (group for group in groups if group.startswith("memories: "))
    assert copies.startswith("copy: reproduce a sequence of 1 to 20 vectors")
    assert re.search("^dnc-copy +DNC +1-20", copies, re.M)
    # A machine that is not the usual one is told.
    assert re.search("^apply +DNC: apply a permutation ", memories, re.M)
    assert re.search("^nram-swap +swap two values ", memories, re.M)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "frobnicate"),
        (["train"], "RECIPE"),
        (["train", "-"], "unknown recipe '-'"),
        (["train", "--seed", "3", "nmt-copy"], "unknown recipe 'nmt-copy'"),
        (["train", "nmt-copy"], "unknown recipe 'nmt-copy': 'softmachine recipes --all'"),
        (["train", "ntm-copy", "--training.bacth", "3"], "--training.bacth"),
        (["train", "ntm-copy", "--training.batch", "three"], "--training.batch"),
        (["train", "ntm-copy", "--training.batch", "0"], "batch must be at least 1"),
        (["train", "ntm-copy", "--members", "0"], "--members must be at least 1, not 0"),
        (["train", "ntm-copy", "--members", "two"], "--members"),
        (["train", "ntm-copy", "--workers", "2"], "--workers share the members of a popul"),
        (
            ["train", "ntm-copy", "--members", "2", "--workers", "two"],
            "--workers must be a number of processes, 1 to 1,000, or the address",
        ),
        (
            ["train", "ntm-copy", "--members", "2", "--seed", "2147483647"],
            "seed must be at most",
        ),
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
        (["train", "ntm-copi"], "did you mean ntm-copy or"),
        (["evaluate", "zoo:no-such-model"], "'no-such-model': 'softmachine zoo' lists them"),
        (["evaluate", "zoo:ntm-recal"], "did you mean ntm-recall or"),
        (["ledger"], "no paths given"),
        (["publish"], "RUN"),
    ],
)
def test_mistakes_get_one_line_and_status_2(arguments, message, capsys):
    assert message in refused(capsys, *arguments)


def test_mistakes_with_a_run(run, capsys, tmp_path):
    assert "size 9 needs 9 memory rows" in refused(capsys, "evaluate", run, "--sizes", 9)
    assert "at least 1" in refused(capsys, "evaluate", run, "--sizes", 0)
    assert "--sizes" in refused(capsys, "evaluate", run, "--sizes", "many")
    assert "this machine has 3" in refused(capsys, "evaluate", run, "--memory-rows", 3)
    assert "already exists" in refused(capsys, "train", "ntm-copy", "--run", run)
    again = refused(capsys, "train", "ntm-copy", "--members", 2, "--run", run)
    assert "already exists" in again
    assert "holds an NTM, not an NRAM" in refused(capsys, "repair", run)
    assert "no heads whose moves" in refused(capsys, "moves", "zoo:nram-access")
    rows = refused(capsys, "evaluate", run, "--sharpening-factor", -1)
    assert "--sharpening-factor must be positive, not -1.0" in rows
    wrong = tmp_path / "wrong"
    (wrong / "checkpoints").mkdir(parents=True)
    (wrong / "config.json").write_bytes((run / "config.json").read_bytes())
    (wrong / "checkpoints" / "best.safetensors").write_bytes(b"\x00" * 40)
    assert "is damaged" in refused(capsys, "evaluate", wrong)


def test_every_command_has_help(capsys):
    for command in ("recipes", "zoo", "info", "train", "resume", "evaluate", "plot", "ledger",
                    "publish"):  # fmt: skip
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert not stop.value.code
        assert f"softmachine {command}" in capsys.readouterr().out


def test_the_zoo_is_listed_with_sizes_errors_and_weights(capsys):
    main(["zoo"])
    out = capsys.readouterr().out
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("zoo:")]
    assert sorted(listed) == [f"zoo:{name}" for name in names()]
    assert re.search(r"^zoo:ntm-recall +NTM, LSTM +2-6 +0 wrong +\d+ kB$", out, re.M)
    assert max(map(len, out.splitlines())) <= 80


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
            time.sleep(0.05)
        busy = subprocess.run(
            [*command, "resume", str(path)], capture_output=True, text=True, check=False
        )
        process.kill()
    assert busy.returncode == 2
    assert "being written by another process" in busy.stderr
    from softmachine.experiments.runs import Run

    state, progress = Run(path).load_last()[:2]
    assert int(state.step) == progress.step > 0


@pytest.mark.parametrize("status", [1, 2, 130])
def test_a_command_may_end_with_a_status_of_its_own(status, monkeypatch, capsys):
    def warn(*_):
        print("a warning", file=sys.stderr)
        sys.exit(status)

    monkeypatch.setattr("softmachine.cli.listing.list_recipes", warn)
    with pytest.raises(SystemExit) as stop:
        main(["recipes"])
    assert stop.value.code == status
    assert capsys.readouterr().err == "a warning\n"


@pytest.mark.parametrize("seed", ["-1", "99999999999999999999"])
def test_seeds_out_of_range_are_refused(seed, capsys):
    commands = (
        ["evaluate", "zoo:ntm-copy"],
        ["moves", "zoo:ntm-copy"],
        ["plot", "zoo:ntm-copy"],
        ["program", "zoo:nram-copy"],
        ["repair", "run"],
        ["report", "zoo:ntm-copy"],
        ["synthesize", "examples.jsonl"],
        ["trace", "zoo:nram-copy", "--out", "x"],
        ["train", "ntm-copy"],
    )
    for arguments in commands:
        error = refused(capsys, *arguments, "--seed", seed)
        limit = "least 0" if seed == "-1" else "most 2147483647"
        assert f"--seed must be at {limit}, not {seed}" in error


def test_options_may_come_before_the_recipe(monkeypatch):
    called = []
    monkeypatch.setattr(
        "softmachine.cli.training.train_recipe", lambda *arguments: called.append(arguments)
    )
    main(["train", "--seed", "3", "ntm-copy", "--run", "here"])
    main(["train", "ntm-copy", "--seed", "3", "--run", "here"])
    assert called == [
        ("ntm-copy", ["--run", "here", "--seed", "3"]),
        ("ntm-copy", ["--seed", "3", "--run", "here"]),
    ]
