"""The zoo: what is published can be opened anywhere, and its card tells the truth."""

import copy
import dataclasses
import json
import re
import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import softmachine.zoo.publish as publishing
from softmachine import zoo
from softmachine.cli.publishing import publish_run
from softmachine.core.errors import CheckpointError, ImagesError, SoftmachineError
from softmachine.core.files import digest
from softmachine.evaluation import published_scores
from softmachine.experiments.checkpoints import save_checkpoint
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.population import create_population
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run, save_machine
from softmachine.experiments.state import first_state
from softmachine.machines.machine import split_trainable
from softmachine.machines.mann import MANNConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes.registry import RECIPES
from softmachine.running.judging import hard_mistakes
from softmachine.synthesis.experiment import synthesis
from softmachine.synthesis.search.given import Found, save
from softmachine.tasks.memories.exams import draw_exam
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.folder import Folder
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.one_shot.omniglot import Omniglot
from softmachine.tasks.sequences.copy import Copy
from softmachine.training.trainer import train
from softmachine.zoo.card import render_card
from softmachine.zoo.models import HOME, read_model, sha256
from softmachine.zoo.publish import MAX_BYTES, publish

TESTS = [
    {"test": "size 3", "sequences": 1000, "bits": 0.5, "wrong_bits": 0.0},
    {"test": "size 8 | hard", "sequences": 1000, "bits": 21.23456, "wrong_bits": 7.25},
]


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return Experiment(
        recipe="small",
        task=Copy(width=3),
        machine=NTMConfig(
            controller=ControllerConfig(hidden=6),
            memory_rows=8,
            memory_columns=4,
            initial_weightings="first-row",
        ),
        training=TrainingConfig(
            batch=1,
            max_sequences=16,
            curriculum=Uniform(smallest=1, largest=4),
            solved=SolvedConfig(sequences=8),
            validate_every=8,
            checkpoint_every=8,
        ),
    )


@pytest.fixture(scope="module")
def run(experiment, tmp_path_factory) -> Run:
    run = Run.create(tmp_path_factory.mktemp("runs") / "small", experiment)
    train(run)
    return run


@pytest.fixture
def published(run, tmp_path):
    directory = tmp_path / "zoo"
    publish(run, "ntm-small", TESTS, directory)
    return directory


def outputs(machine, experiment):
    example = experiment.task.sample(jax.random.key(0), 4, max_size=4)
    return np.asarray(machine(example.inputs, key=jax.random.key(1)))


def finished_run(path, experiment):
    """A run as if it had been trained, with its first parameters."""
    run = Run.create(path, experiment)
    state = first_state(experiment)
    scores = {"validation_bits": 1.0, f"validation_{experiment.task.error}": 0.5}
    run.save_best(state, {"step": 1, "sequences": 4} | scores)
    run.save_last(state, Progress(step=1, sequences=4, finished=True))
    return run


def change_json(directory, change):
    path = directory / "ntm-small.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_a_published_machine_is_the_one_that_validated_best(run, published):
    assert zoo.names(published) == ["ntm-small"]
    model = zoo.open_model("ntm-small", published)
    assert model.experiment == run.experiment
    expected = outputs(run.load_machine(), run.experiment)
    np.testing.assert_array_equal(outputs(model.machine, model.experiment), expected)
    machine = zoo.load("ntm-small", published)
    np.testing.assert_array_equal(outputs(machine, model.experiment), expected)


def test_the_card_holds_what_the_run_knows(run, published):
    card = zoo.open_model("ntm-small", published).card
    environment = run.environment()
    assert {name: card[name] for name in environment} == environment
    assert card["seed"] == 0
    assert card["population"] is None
    assert card["training"]["sequences"] == 16
    best = card["training"]["best_sequences"]
    (line,) = [line for line in run.metrics() if line["sequences"] == best]
    for name, score in card["validation"].items():
        assert score == line[f"validation_{name}"]
    assert set(card["validation"]) == {"bits", "wrong_bits", "perfect"}
    assert card["validation_sequences"] == 8
    assert card["tests"] == TESTS


def test_the_card_reads_well(published):
    value = read_model(published / "ntm-small.json")
    text = (published / "ntm-small.md").read_text()
    assert text == render_card(value)
    for piece in [
        "# ntm-small\n",
        "| task | copy: Copy `size` random vectors of `width` bits. |",
        "| task settings | width 3 |",
        "| controller | lstm |",
        "controller hidden 6, controller layers 1, memory rows 8, memory columns 4,",
        f"| parameters | {value['card']['parameters']:,} |",
        "| trained on sizes | 1 to 4 |",
        "| test | sequences | bits | perfect | wrong bits |\n|---|---:|---:|---:|---:|",
        "| size 3 | 1,000 | 0.5 | - | 0 |",
        r"| size 8 \| hard | 1,000 | 21.23 | - | 7.25 |",
        "- No wrong bits in: size 3.\n",
        "- size 8 | hard: 7.25 wrong bits per sequence.\n",
        "- Its memory has 8 rows;",
        "No command line gives this experiment; Python does:",
        "| trained for | 16 sequences, ",
        f"| SHA-256 | `{value['card']['sha256']}` |",
    ]:
        assert piece in text, piece


def test_python_of_the_card_runs(published, monkeypatch, capsys):
    text = (published / "ntm-small.md").read_text()
    monkeypatch.chdir(published)
    original = zoo.open_model
    monkeypatch.setattr(zoo, "open_model", lambda name: original(name, published))
    use, again = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(use, {})
    assert "delim" in capsys.readouterr().out
    exec(again.replace("softmachine.train(", "("), {})
    assert Run("runs/ntm-small").experiment == original("ntm-small", published).experiment


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        (Glyphs(train_classes=6, test_classes=5, drawings=2), None),
        (Omniglot(path="no/where.npz"), "`softmachine data omniglot --out no` fetches it"),
        (Folder(path="no/where"), "own images, looked for in `no/where`"),
    ],
)
def test_a_card_says_where_images_are_to_be_had(source, needed, tmp_path, capsys, monkeypatch):
    """Those that are not there do not keep a machine from being published and opened."""
    experiment = Experiment(
        recipe="small",
        task=Episodes(source=source, side=4, per_class=2, names=2),
        machine=MANNConfig(
            controller=ControllerConfig(hidden=3), memory_rows=4, memory_columns=2, heads=1
        ),
        training=TrainingConfig(curriculum=Uniform(smallest=2, largest=2)),
    )
    rows = [{"test": "2 classes", "sequences": 9, "instance_10": 0.5, "instance_2": 0.25}]
    publish(finished_run(tmp_path / "run", experiment), "small", rows, tmp_path / "zoo")
    text = (tmp_path / "zoo" / "small.md").read_text()
    assert "| instance 2 | instance 10 |" in text
    assert "| 0.25 | 0.5 |" in text
    assert text.count("Its examples") == (needed is not None)
    original = zoo.open_model
    monkeypatch.setattr(zoo, "open_model", lambda name: original(name, tmp_path / "zoo"))
    use = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    if needed is None:
        exec(use, {})
        assert "instance" in capsys.readouterr().out
    else:
        assert needed in text
        with pytest.raises(ImagesError, match=r"where.* does not exist"):
            exec(use, {})


def test_publishing_again_replaces(run, published):
    assert set(publish(run, "ntm-small", [], published)) == set(published.iterdir())
    assert zoo.open_model("ntm-small", published).card["tests"] == []
    text = (published / "ntm-small.md").read_text()
    assert "never tested on other sizes" in text


def test_models_can_be_written_again(published, tmp_path, as_before_6):
    """An older schema's model comes out as today's, with the same weights and card."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "ntm-small.json"
    new = read_model(path)
    old = copy.deepcopy(new)
    old["experiment"] = as_before_6(zoo.open_model("ntm-small", published).experiment, 4)
    for part, kind in (("machine", "NTMConfig"), ("task", "Copy")):
        old["experiment"]["experiment"][part]["kind_of"] = kind
    for part, kind in (("curriculum", "Uniform"), ("objective", "TaskLoss")):
        old["experiment"]["experiment"]["training"][part]["kind_of"] = kind
    weights = tmp_path / "ntm-small.safetensors"
    parameters, rest = split_trainable(zoo.load("ntm-small", published))
    save_machine(
        weights, parameters, eqx.filter(rest, eqx.is_array), {}, digest(old["experiment"])
    )
    old["card"]["sha256"] = sha256(weights)
    path.write_text(json.dumps(old))
    (tmp_path / "ntm-small.md").write_text("# old wording\n")
    publishing.rewrite(tmp_path)
    assert read_model(path) == new
    for name in ("ntm-small.md", "ntm-small.safetensors"):
        assert (tmp_path / name).read_bytes() == (published / name).read_bytes()


def test_a_card_has_what_the_recipe_says_beside(experiment, tmp_path, monkeypatch):
    """Such as how its task differs from a paper's; not of another task or machine than its."""

    def recipe():
        """NTM: copy.

        Unlike the paper, all is ``small``,
        and quick.
        """
        return experiment.with_seed(3)

    named = dataclasses.replace(experiment, recipe="own-copy")
    other = dataclasses.replace(named, task=Copy(width=2))
    monkeypatch.setitem(RECIPES._registered, "own-copy", recipe)
    for name, each in (("same", named), ("other", other)):
        publish(finished_run(tmp_path / name, each), name, TESTS, tmp_path / "zoo")
    text = (tmp_path / "zoo" / "same.md").read_text()
    assert "\n\nIts recipe: Unlike the paper, all is `small`, and quick.\n\n" in text
    assert "Its recipe" not in (tmp_path / "zoo" / "other.md").read_text()


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.startswith("ntm-")])
def test_a_task_that_is_not_the_papers_is_said_to_be_so(name):
    task = zoo.open_model(name).experiment.task
    told = "Unlike the paper" in (HOME / f"{name}.md").read_text()
    assert told == (task != type(task)())  # as `as_published` has it


def test_a_member_of_a_population_says_so(experiment, tmp_path):
    runs = create_population(tmp_path / "runs", experiment, 2)
    train(runs[1])
    publish(runs[1], "member", TESTS, tmp_path / "zoo")
    card = zoo.open_model("member", tmp_path / "zoo").card
    assert (card["population"], card["seed"]) == (2, 1)
    assert "as one of 2 members" in (tmp_path / "zoo" / "member.md").read_text()


def test_what_a_search_found_beside_members_is_none_of_them(
    tmp_path, doubling_machine, doubling_task
):
    experiment = synthesis(doubling_task, doubling_machine.config)
    create_population(tmp_path / "runs", experiment, 2)
    run = save(tmp_path / "runs" / "search", Found(doubling_machine, doubling_task), 0)
    publish(run, "double", [], tmp_path / "zoo")
    assert zoo.open_model("double", tmp_path / "zoo").card["population"] is None
    page = (tmp_path / "zoo" / "double.md").read_text()
    assert "By `softmachine synthesize EXAMPLES`" in page
    assert "members of a population" not in page


def test_an_unknown_model_is_answered_with_those_there_are(published, tmp_path_factory):
    for name in ("ntm-smal", "../ntm-small"):
        with pytest.raises(SoftmachineError, match=r"unknown model .*: there are ntm-small"):
            zoo.load(name, published)
    with pytest.raises(SoftmachineError, match="there is none in"):
        zoo.load("ntm-small", tmp_path_factory.mktemp("empty"))


def test_damaged_weights_are_refused(published):
    path = published / "ntm-small.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        zoo.load("ntm-small", published)
    path.write_bytes(whole[:100])
    with pytest.raises(CheckpointError, match="damaged or no safetensors file"):
        zoo.load("ntm-small", published)
    path.unlink()
    with pytest.raises(CheckpointError, match="does not exist"):
        zoo.load("ntm-small", published)


def test_weights_of_another_model_are_refused(experiment, published, tmp_path):
    path = published / "ntm-small.safetensors"
    whole = path.read_bytes()
    tie = digest(json.loads((published / "ntm-small.json").read_text())["experiment"])
    save_checkpoint(path, {"parameters": {"weight": jnp.zeros(3)}}, {}, tie)
    with pytest.raises(CheckpointError, match="belongs to another experiment"):
        zoo.load("ntm-small", published)
    # The same machine, another seed.
    other = finished_run(tmp_path / "other", experiment.with_seed(1))
    publish(other, "other", [], tmp_path)
    path.write_bytes((tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="another experiment than the one beside it"):
        zoo.load("ntm-small", published)
    # Of the same experiment: a sound file, but not the one of the card.
    path.write_bytes(whole)
    machine = zoo.load("ntm-small", published)
    parameters, rest = split_trainable(jax.tree.map(lambda x: x + 1, machine))
    save_machine(path, parameters, eqx.filter(rest, eqx.is_array), {}, tie)
    with pytest.raises(CheckpointError, match="damaged or not the file of its card"):
        zoo.load("ntm-small", published)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(schema=99), "zoo schema 99; this softmachine reads 1"),
        (
            lambda v: v.pop("card"),
            r"ntm-small\.json is not a model of the zoo: it holds no card",
        ),
        (lambda v: v.pop("experiment"), "it holds no experiment"),
        (
            lambda v: v["experiment"]["experiment"]["task"].update(width=0),
            r"ntm-small\.json holds no valid experiment",
        ),
    ],
)
def test_a_foreign_description_is_explained(published, change, message):
    change_json(published, change)
    with pytest.raises(SoftmachineError, match=message):
        zoo.load("ntm-small", published)


def test_a_damaged_description_is_explained(published):
    (published / "ntm-small.json").write_text("{")
    with pytest.raises(SoftmachineError, match=r"ntm-small\.json cannot be read"):
        zoo.load("ntm-small", published)


@pytest.mark.parametrize(
    "name", ["NTM", "ntm_copy", "-ntm", "ntm--copy", "ntm copy", "../x", ""]
)
def test_names_are_words_with_hyphens(run, tmp_path, name):
    with pytest.raises(SoftmachineError, match="is not a name for a model"):
        publish(run, name, [], tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"sequences": 3}, "must have a name under 'test'"),
        ({"test": "size 3", "bits": float("nan")}, "'bits' of size 3 is not finite"),
        ({"test": "size 3", "bits": [1.0]}, "'bits' of size 3 is neither a number nor text"),
    ],
)
def test_rows_of_scores_are_checked(run, tmp_path, row, message):
    with pytest.raises(SoftmachineError, match=message):
        publish(run, "ntm-small", [row], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_finished_and_validated_runs_are_published(experiment, tmp_path):
    new = Run.create(tmp_path / "new", experiment)
    state, target = first_state(experiment), tmp_path / "zoo"
    with pytest.raises(SoftmachineError, match="is not finished: continue it with"):
        publish(new, "ntm-small", [], target)
    new.save_last(state, Progress())
    with pytest.raises(SoftmachineError, match="is not finished: continue it with"):
        publish(new, "ntm-small", [], target)
    new.save_last(state, Progress(finished=True))
    with pytest.raises(SoftmachineError, match="no checkpoint"):
        publish(new, "ntm-small", [], target)
    new.save_best(state, {"sequences": 4, "validation_bits": float("nan")})
    with pytest.raises(SoftmachineError, match=r"'bits' of the validation .* is not finite"):
        publish(new, "ntm-small", [], target)
    (new.path / "environment.json").unlink()
    with pytest.raises(SoftmachineError, match=r"has no environment\.json"):
        publish(new, "ntm-small", [], target)
    assert not target.exists()


def test_large_machines_are_refused(experiment, tmp_path):
    large = RecurrentConfig(controller=ControllerConfig(hidden=256))
    run = finished_run(tmp_path / "run", dataclasses.replace(experiment, machine=large))
    message = r"would take [\d,]+ bytes, the zoo allows 1,000,000 a file: .*268,547 param"
    with pytest.raises(SoftmachineError, match=message):
        publish(run, "lstm-large", [], tmp_path / "zoo")
    assert list((tmp_path / "zoo").iterdir()) == []


def test_a_machine_that_is_too_large_is_refused_before_it_is_tested(
    experiment, tmp_path, monkeypatch
):
    large = RecurrentConfig(controller=ControllerConfig(hidden=256))
    run = finished_run(tmp_path / "run", dataclasses.replace(experiment, machine=large))
    tested = []
    monkeypatch.setattr(published_scores, "paper_scores", lambda run: tested.append(run) or [])
    with pytest.raises(SoftmachineError, match=r"the zoo allows 1,000,000 a file"):
        publish_run(str(run.path), "lstm-large", tmp_path / "zoo")
    assert not tested
    assert not (tmp_path / "zoo").exists()


def test_a_failure_leaves_the_old_model_whole(run, published, monkeypatch):
    def fail(_value):
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in published.iterdir()}
    monkeypatch.setattr(publishing, "render_card", fail)
    with pytest.raises(SoftmachineError, match=r"cannot write to .*: No space left"):
        publish(run, "ntm-small", [], published)
    assert {path: path.read_bytes() for path in published.iterdir()} == before


def test_every_file_of_the_zoo_belongs_to_a_model():
    kinds = (".json", ".md", ".safetensors")
    found = {path.name for path in HOME.iterdir() if path.suffix in kinds}
    assert found == {name + kind for name in zoo.names() for kind in kinds}


@eqx.filter_jit
def called(machine, inputs, **how):
    return machine(inputs, **how)


@pytest.mark.parametrize("name", zoo.names())
def test_shipped_models(name):
    assert publishing.NAME.fullmatch(name)
    model = zoo.open_model(name)
    assert model.card["name"] == name
    assert (HOME / f"{name}.safetensors").stat().st_size <= MAX_BYTES
    text = (HOME / f"{name}.md").read_text(encoding="utf-8")
    assert text == render_card(read_model(HOME / f"{name}.json"))
    task, size = model.experiment.task, model.experiment.training.curriculum.smallest
    # Compiled whole, once for machines of one make: one by one, operations take longer.
    example = jax.jit(lambda key: task.sample(key, size, max_size=size))(jax.random.key(0))
    if isinstance(task, MemoryTask):
        result = called(model.machine, example.inputs, steps=int(example.steps))
        answer = task.output.answer(result, example)
    else:
        result = answer = called(model.machine, example.inputs, key=jax.random.key(1))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result))
    assert task.render(example, answer)


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.startswith("nram-")])
def test_shipped_nrams_are_algorithms(name):
    """Made hard, in the exam of hard cases, in tight and roomy memories."""
    model = zoo.open_model(name)
    exam = draw_exam(model.experiment.task, 1, 50)
    wrong = np.flatnonzero(hard_mistakes(model.machine, exam.batch))
    assert [exam.trials[i] for i in wrong[:1]] == []
