"""Run directories that were damaged, changed, exchanged, or left half-made."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from softmachine.core.errors import CheckpointError, RunError, SoftmachineWarning
from softmachine.core.files import replacing, sealed, sweep
from softmachine.experiments import checkpoints
from softmachine.experiments.metrics import MetricsFile
from softmachine.experiments.population import create_population, open_population
from softmachine.experiments.progress import Extent
from softmachine.experiments.runs import Run
from softmachine.training.trainer import train, train_members


@pytest.fixture(scope="module")
def trained(experiment, tmp_path_factory):
    """A finished run, and a copy's maker."""
    run = Run.create(tmp_path_factory.mktemp("damage") / "run", experiment)
    train(run)
    return run


@pytest.fixture
def copy(trained, tmp_path):
    target = tmp_path / "copy"
    subprocess.run(["cp", "-r", trained.path, target], check=True)
    return target


def header(path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def rewrite(path, change) -> None:
    """Change a checkpoint's metadata and leave its tensors."""
    value, tensors = header(path)
    change(value["__metadata__"])
    text = json.dumps(value).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + tensors)


# The record


@pytest.mark.parametrize("name", ["last", "best"])
def test_every_byte_of_the_record_is_under_the_checksum(copy, name):
    path = copy / "checkpoints" / f"{name}.safetensors"
    whole = path.read_bytes()
    begin = whole.index(b'"record"')
    rng = np.random.default_rng(0)
    for place in rng.integers(begin, begin + 400, 60):
        bad = bytearray(whole)
        bad[place] ^= 1 << int(rng.integers(7))
        path.write_bytes(bad)
        run = Run(copy)
        with pytest.raises(CheckpointError, match="damaged"):
            run.load_last() if name == "last" else run.load_best()


@pytest.mark.parametrize("what", ["experiment", "record", "checksum", "schema", "format"])
def test_no_part_of_the_metadata_can_be_left_out_or_changed(copy, what):
    path = copy / "checkpoints" / "last.safetensors"
    whole = path.read_bytes()
    for change in (lambda m: m.pop(what), lambda m: m.update({what: m[what] + " "})):
        rewrite(path, change)
        with pytest.raises(CheckpointError):
            Run(copy).load_last()
        path.write_bytes(whole)
    Run(copy).load_last()


def test_a_record_of_another_shape_is_refused(copy, trained):
    """Under a right checksum, as only a faulty version would write it."""
    state, progress, line = trained.load_last()[:3]
    run = Run(copy)
    for record in (
        {"progress": {"step": "many"}},
        {"progress": {"stepp": 1}},
        {"progress": None},
        {},
    ):
        path = copy / "checkpoints" / "last.safetensors"
        checkpoints.save_checkpoint(path, state, record, run.tie)
        with pytest.raises(CheckpointError, match="its record is none"):
            run.load_last()
        with pytest.raises(CheckpointError, match="its record is none"):
            run.load_progress()
    run.save_last(state, progress, line)
    assert run.load_last().progress == progress


def as_schema_1(path, record=None) -> None:
    """Write a checkpoint as the first version did."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    old = json.loads(metadata["record"])
    record = record or old.get("progress", old)
    metadata = {
        "format": metadata["format"],
        "schema": "1",
        "checksum": checkpoints._checksum(tensors, {}),
        "record": json.dumps(record),
    }
    save_file(tensors, path, metadata)


def test_a_run_of_the_first_schema_goes_on_and_says_what_it_lacks(
    experiment, trained, tmp_path, assert_same, without_times
):
    run = Run.create(tmp_path / "old", experiment)
    train(run, end_at_20)
    for path in (run.path / "checkpoints").iterdir():
        as_schema_1(path)
    for name in ("config.json", "environment.json"):
        value = json.loads((run.path / name).read_text())
        del value["checksum"]
        (run.path / name).write_text(json.dumps(value))
    old = Run(run.path)
    assert old.load_progress().step == 20
    assert old.load_best()[1]["step"] <= 20
    with pytest.warns(SoftmachineWarning, match="begun by an older softmachine"):
        train(old)
    assert_same(old.load_last().state, trained.load_last().state)
    assert without_times(old.metrics()) == without_times(trained.metrics())
    train(old)  # nothing to warn of any more


def test_the_first_schema_s_record_has_to_be_that_of_its_state(copy):
    path = copy / "checkpoints" / "last.safetensors"
    as_schema_1(path)
    progress = Run(copy).load_progress()
    assert progress.step == 40
    as_schema_1(path, {"step": 39})
    with pytest.raises(CheckpointError, match="its record tells of 39 updates"):
        Run(copy).load_last()
    as_schema_1(path, {"step": 40, "finished": "yes"})
    with pytest.raises(CheckpointError, match="its record is none"):
        Run(copy).load_last()


# What stands beside the checkpoints


def test_a_changed_configuration_is_refused(copy):
    config = copy / "config.json"
    text = config.read_text()
    changed = text.replace('"sharpening_smoothing": 0.0', '"sharpening_smoothing": 3.0')
    assert changed != text
    config.write_text(changed)
    with pytest.raises(RunError, match="changed or damaged: its content does not match"):
        Run(copy)
    value = json.loads(changed)
    del value["checksum"]
    config.write_text(json.dumps(value))
    for load in (Run(copy).load_best, Run(copy).load_last, Run(copy).load_progress):
        with pytest.raises(CheckpointError, match="another experiment than the one beside it"):
            load()
    config.write_text(json.dumps(sealed(value)))
    with pytest.raises(CheckpointError, match="another experiment than the one beside it"):
        Run(copy).load_best()
    # How the text is laid out is nobody's business.
    config.write_text(json.dumps(json.loads(text)))
    Run(copy).load_best()


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{", "\x00", '{"checksum": "x"}', "[" * 100_000, '{"a": NaN}', "\udc80"],
    ids=lambda text: repr(text)[:12],
)
@pytest.mark.parametrize("name", ["config.json", "environment.json", "results/x.json"])
def test_json_that_cannot_be_read_is_one_sentence(copy, name, text):
    path = copy / name
    path.write_bytes(text.encode(errors="surrogateescape"))

    def read():
        run = Run(copy)
        return run.environment(), run.load_result("x")

    with pytest.raises(RunError, match=re.escape(str(path))) as error:
        read()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["seed-0", "seed-0"], "it names seed-0 twice"),
        (["../x"], "'../x' is not a name of a member"),
        (["/etc"], "'/etc' is not a name of a member"),
        ([".."], r"'\.\.' is not a name of a member"),
        ([""], "'' is not a name of a member"),
        ([3], "3 is not a name of a member"),
        ([], "it names no members"),
        ("seed-0", "it names no members"),
        (None, "it names no members"),
    ],
)
def test_an_index_names_different_directories_within(experiment, tmp_path, members, message):
    path = tmp_path / "population"
    create_population(path, experiment, 2)
    index = path / "population.json"
    for value in (
        {"schema": 1, "members": members},
        sealed({"schema": 2, "members": members}),
    ):
        index.write_text(json.dumps(value))
        with pytest.raises(RunError, match=message):
            open_population(path)


def test_a_member_cannot_vanish_from_the_index(experiment, tmp_path):
    path = tmp_path / "population"
    create_population(path, experiment, 3)
    index = path / "population.json"
    index.write_text(index.read_text().replace('"seed-1",', ""))
    with pytest.raises(RunError, match="does not match its checksum"):
        open_population(path)


# Metrics


def end_at_20(progress, _line) -> None:
    """Ask for the end during the updates before."""
    if progress.step == 15:
        os.kill(os.getpid(), signal.SIGINT)


def halfway(path, experiment) -> Run:
    """A run that ended with two validations after its last checkpoint."""
    run = Run.create(path, experiment)

    train(run, end_at_20)
    for step in (25, 30):
        run.append_metrics(run.metrics()[-1] | {"step": step})
    return run


def test_damaged_metrics_are_kept_and_told_of(
    experiment, trained, tmp_path, assert_same, without_times
):
    run = halfway(tmp_path / "run", experiment)
    path = run.path / "metrics.jsonl"
    damaged = path.read_bytes().replace(b'"validation_bits"', b'"validation_bats"', 1)
    path.write_bytes(damaged)
    with pytest.warns(SoftmachineWarning, match=r"metrics\.jsonl: line 1 cannot be read"):
        run.metrics()
    with pytest.warns(SoftmachineWarning, match=r"it is kept as metrics-damaged-1\.jsonl"):
        train(Run(run.path))
    assert (run.path / "metrics-damaged-1.jsonl").read_bytes() == damaged
    assert_same(run.load_last().state, trained.load_last().state)
    assert without_times(run.metrics()) == without_times(trained.metrics())[1:]
    # Once is enough: what goes on is sound.
    train(Run(run.path))
    assert not (run.path / "metrics-damaged-2.jsonl").exists()


LINES = [{"step": step, "sequences": 4 * step, "bits": step / 7} for step in (5, 10, 15, 20)]


@pytest.mark.parametrize(
    ("second", "left"),
    [
        (b'{"step": 10, "sequences": 41, "bits": 1.0}\n', [5, 10, 15]),  # what it was not
        (b'{"step": 10, "sequences": 4', [5]),  # the next line is glued to it
        (b"", [5, 15]),
        (b"\xff\x00\n", [5, 15]),
        (b"[" * 100_000 + b"\n", [5, 15]),
        (b"[1]\n", [5, 15]),
        (b'{"step": 10, "sequences": 40}\n', [5, 15]),
        (b'{"step": "10", "sequences": 40, "bits": 1.0}\n', [5, 15]),
    ],
    ids=["changed", "cut", "gone", "binary", "nested", "list", "short", "text"],
)
@pytest.mark.parametrize("known", [True, False])
def test_readable_lines_go_on_and_all_bytes_are_kept(tmp_path, second, left, known):
    """Whether a checkpoint knows what came before its line, or is too old for that."""
    file = MetricsFile(tmp_path / "metrics.jsonl", ["bits"])
    for line in LINES:
        file.append(line)
    extent = file.extent(LINES[-1]) if known else None
    texts = file.path.read_bytes().splitlines(keepends=True)
    damaged = texts[0] + second + texts[2] + texts[3] + b'{"step": 2'
    file.path.write_bytes(damaged)
    if not known and (not second or 10 in left):  # nobody can see it
        assert not file.restore(20, extent, LINES[-1])
        return
    with pytest.warns(SoftmachineWarning, match="damaged-1"):
        assert file.restore(20, extent, LINES[-1])
    assert (tmp_path / "metrics-damaged-1.jsonl").read_bytes() == damaged
    assert [line["step"] for line in file.lines(None)] == [*left, 20]
    with pytest.warns(SoftmachineWarning, match="damaged-2"):
        file.restore(20, Extent(bytes=10**9, sha256=""), LINES[-1])


def test_a_torn_last_line_and_lines_after_the_checkpoint_are_done_again(
    experiment, trained, tmp_path, without_times
):
    run = halfway(tmp_path / "run", experiment)
    path = run.path / "metrics.jsonl"
    kept = path.read_bytes().splitlines(keepends=True)[:4]
    path.write_bytes(path.read_bytes() + b'{"step": 35, "seq')
    assert [line["step"] for line in run.metrics()] == [5, 10, 15, 20, 25, 30]
    train(Run(run.path))
    assert without_times(run.metrics()) == without_times(trained.metrics())
    assert path.read_bytes().splitlines(keepends=True)[:4] == kept
    assert {p.name for p in run.path.glob("metrics*")} == {"metrics.jsonl"}


@pytest.mark.parametrize("damage", ["last line lost", "last line twice", "two lines exchanged"])
def test_lines_that_were_lost_or_doubled_are_told_of(copy, damage):
    """The last checkpoint knows its own line, and no update comes twice."""
    path = copy / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "last line lost":
        lines.pop()
    elif damage == "last line twice":
        lines.append(lines[-1])
    else:
        lines[-1], lines[-2] = lines[-2], lines[-1]
    path.write_bytes(b"".join(lines))
    with pytest.warns(SoftmachineWarning, match=r"metrics\.jsonl was changed or damaged"):
        Run(copy).metrics()


def test_metrics_that_are_gone_are_missed(copy):
    (copy / "metrics.jsonl").unlink()
    with pytest.warns(SoftmachineWarning, match=r"metrics\.jsonl is gone"):
        train(Run(copy))
    assert [line["step"] for line in Run(copy).metrics()] == [40]


# What kills leave behind

DIE = """
import os, sys
from softmachine.experiments import runs, population, directories
count = int(sys.argv[2])

def counted(event, arguments):
    global count
    if event in ("open", "os.rename", "os.mkdir", "os.chmod") and sys.argv[1] in str(arguments):
        count -= 1
        if count == 0:
            os._exit(9)

from softmachine.experiments.experiment import Experiment
from softmachine.experiments.serialization import experiment_from_json
import json
value = json.loads(sys.argv[3])
experiment = experiment_from_json(value, "x")
sys.addaudithook(counted)
population.create_population(sys.argv[1], experiment, 2)
"""


def test_killed_while_it_is_made_it_can_be_made(experiment, tmp_path):
    """At many of its steps on the file system; without a kill it takes more of them."""
    from softmachine.experiments.serialization import experiment_to_json

    config = json.dumps(experiment_to_json(experiment))
    processes = []
    for event in (1, 2, 4, 7, 11, 16, 22, 29, 37, 45):
        path = tmp_path / f"p{event}"
        command = [sys.executable, "-c", DIE, str(path), str(event), config]
        processes.append((path, subprocess.Popen(command)))
    begun = 0
    for path, process in processes:
        assert process.wait() == 9
        if not (path / "population.json").exists():
            begun += (path / ".creating").exists()
            with pytest.raises(RunError, match=r"does not exist|not made to its end|no run"):
                Run(path)
            create_population(path, experiment, 2)
        runs = open_population(path)
        assert [run.experiment for run in runs] == [
            experiment.with_seed(seed) for seed in (0, 1)
        ]
        for run in runs:
            with run.locked():
                pass
        left = {p.name for p in path.rglob("*") if p.is_file()}
        assert left <= {".lock", "config.json", "environment.json", "population.json"}
    assert begun >= 5


def test_what_is_not_of_its_making_is_never_cleared_away(experiment, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / ".creating").touch()
    (path / "environment.json").write_text("{}")
    (path / "results").mkdir()
    (path / "results" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="already exists, and is not empty"):
        Run.create(path, experiment)
    assert (path / "results" / "thesis.txt").read_text() == "years of work"
    (path / "results" / "thesis.txt").unlink()
    Run.create(path, experiment)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "\udcff", "x" * 300, "a\x00b"])
def test_a_name_that_cannot_be_is_one_sentence(experiment, tmp_path, name):
    for create in (Run.create, lambda *a: create_population(*a, 2)):
        with pytest.raises(RunError) as error:
            create(tmp_path / name, experiment)
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_next_to_hold_a_run_sweeps_it(copy):
    code = (
        "import sys, os, pathlib\n"
        "from softmachine.core.files import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os._exit(9)"
    )
    targets = [
        copy / "checkpoints" / "last.safetensors",
        copy / "metrics.jsonl",
        copy / "results" / "evaluation.json",
    ]
    for target in targets:
        subprocess.run([sys.executable, "-c", code, target], check=False)
    hidden = [p for p in copy.rglob(".*") if p.name != ".lock"]
    assert len(hidden) == 3
    with replacing(copy / "results" / "mine.json") as temporary:  # under way: not swept
        temporary.write_text("{}")
        with Run(copy).locked():
            assert not any(path.exists() for path in hidden)
    assert (copy / "results" / "mine.json").read_text() == "{}"


def test_a_member_s_holder_sweeps_the_population_too(experiment, tmp_path):
    path = tmp_path / "population"
    run, _ = create_population(path, experiment, 2)
    for name in (".program.py.abcdefgh", ".creating", "seed-0/.creating"):
        (path / name).touch()
    with run.locked():
        pass
    assert {p.name for p in path.rglob(".*")} == {".lock"}


def test_only_temporary_files_are_swept(tmp_path):
    for name in (".lock", ".gitignore", "x.abcdefgh", ".hidden.txt"):
        (tmp_path / name).touch()
    (tmp_path / ".x.abcdefgh").touch()
    (tmp_path / ".d.abcdefgh").mkdir()
    sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        ".lock", ".gitignore", "x.abcdefgh", ".hidden.txt", ".d.abcdefgh",
    }  # fmt: skip


def test_a_full_disk_is_one_sentence_and_costs_nothing(
    experiment, trained, tmp_path, monkeypatch, assert_same
):
    """Every write after the first checkpoint fails, as long as it does."""
    import errno
    from pathlib import Path

    run = Run.create(tmp_path / "run", experiment)
    write = Path.write_bytes

    def full(path, data):
        if len(data) > 4000 and run.has_last():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(RunError, match=r"cannot write to .*: No space left on device"):
            train_members([run])
    train(Run(run.path))
    assert_same(run.load_last().state, trained.load_last().state)
