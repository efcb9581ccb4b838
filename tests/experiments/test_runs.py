"""Run directories and experiments as JSON."""

import dataclasses
import datetime
import json
import platform

import jax
import numpy as np
import pytest

import softmachine
from softmachine.core.errors import RunError, SoftmachineError
from softmachine.core.files import unsealed
from softmachine.experiments import serialization
from softmachine.experiments.curricula import Growing, Uniform
from softmachine.experiments.phases import PHASES
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_from_json, experiment_to_json
from softmachine.machines.machine import split_trainable
from softmachine.machines.mann import MANNConfig
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.ntm.presets import NTM_PRESETS
from softmachine.recipes import RECIPES
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.sequences.copy import Copy

NAMES = [name for name in RECIPES if "-chomsky-" not in name or name.endswith("-odds-first")]
"""Recipes; of the Chomsky hierarchy, which has one for each pair, each machine once."""


@pytest.mark.parametrize("name", NAMES)
def test_recipes_survive_json(name):
    experiment = RECIPES[name]()
    text = json.dumps(experiment_to_json(experiment))
    assert experiment_from_json(json.loads(text), "x") == experiment


@pytest.mark.parametrize("name", NTM_PRESETS)
def test_presets_and_curricula_survive_json(name, experiment, with_training):
    experiment = dataclasses.replace(experiment, machine=NTM_PRESETS[name])
    experiment = with_training(experiment, curriculum=Growing())
    text = json.dumps(experiment_to_json(experiment))
    assert experiment_from_json(json.loads(text), "x") == experiment


def broken(experiment, change):
    value = experiment_to_json(experiment)
    change(value)
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(schema=99), "x has schema 99; this version of softmachine reads"),
        (lambda v: v.pop("experiment"), "x does not hold an experiment"),
        (lambda v: v["experiment"]["training"].update(bacth=3), "bacth"),
        (lambda v: v["experiment"]["training"].update(batch="many"), "batch"),
        (
            lambda v: v["experiment"]["training"].update(batch="4"),
            "expected int, not '4' @.*batch",
        ),
        (lambda v: v["experiment"]["training"].update(batch=4.5), "expected int, not 4.5"),
        (lambda v: v["experiment"]["training"].update(batch=True), "expected int, not True"),
        (lambda v: v["experiment"]["training"].update(batch=0), "batch must be at least 1"),
        (
            lambda v: v["experiment"]["machine"].update(kind_of="Abacus"),
            "experiment: unknown machine 'Abacus'",
        ),
        (lambda v: v.update(experiment=3), "experiment: expected an object with fields, not 3"),
        (
            lambda v: v["experiment"]["machine"].update(controller=[]),
            r"expected an object with fields, not \[\] @ \$\.machine\.controller",
        ),
        (
            lambda v: v["experiment"]["machine"].update(order="x" * 5000),
            r"must be one of 'write-read', .*; not 'xxxx[x.]{0,50}' @ \$\.machine\.order$",
        ),
        (lambda v: v["experiment"]["training"].update(memory_rows=""), "a list, not '' @"),
        (lambda v: v["experiment"]["training"].update(phases={}), r"a list, not \{\} @"),
        (lambda v: v.update(schema=2, experiment=[]), "a field has not the type that it has"),
        (lambda v: v.update(schema=5, experiment={}), "5 cannot be upgraded: missing field or"),
    ],
)
def test_bad_configuration_is_explained(experiment, change, message):
    with pytest.raises(RunError, match=message):
        experiment_from_json(broken(experiment, change), "x")


def test_a_directory_in_use_is_not_overwritten(experiment, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="already exists"):
        Run.create(tmp_path / "run", experiment)
    assert (tmp_path / "run" / "thesis.txt").read_text() == "years of work"


def test_a_run_says_where_and_with_what_it_began(experiment, tmp_path):
    run = Run.create(tmp_path / "run", experiment)
    found = run.environment()
    assert found == unsealed(json.loads((run.path / "environment.json").read_text()))
    age = datetime.datetime.now(datetime.UTC).date() - datetime.date.fromisoformat(
        found["date"]
    )
    assert 0 <= age.days <= 1
    assert found["softmachine"] == softmachine.__version__
    assert found["python"] == platform.python_version()
    assert found["jax"] == jax.__version__
    assert (found["platform"], found["devices"]) == ("cpu", len(jax.devices()))
    assert found["hardware"]
    assert found["cores"] >= 1
    assert found["steps_in_c"] is None
    assert found["commit"] is None or found["commit"].strip() == found["commit"] != ""


def test_to_load_a_machine_or_a_state_draws_no_parameters(experiment, tmp_path, monkeypatch):
    """Only their shapes are asked for: to draw them takes longer than to read the file."""
    run = Run.create(tmp_path / "run", experiment)
    first = run.first()
    run.save_best(first.state, {})
    run.save_last(first.state, first.progress)
    drawn, build = [], NTMConfig.build

    def noted(config, *sizes, key):
        drawn.append(not isinstance(key, jax.core.Tracer))
        return build(config, *sizes, key=key)

    monkeypatch.setattr(NTMConfig, "build", noted)
    parameters, _ = split_trainable(run.load_machine())
    last = run.load_last().state.parameters
    assert drawn
    assert not any(drawn)
    for loaded in (parameters, last):
        jax.tree.map(np.testing.assert_array_equal, loaded, first.state.parameters)


def test_no_run_no_config_damaged_config(experiment, tmp_path):
    with pytest.raises(RunError, match=r"has no config\.json"):
        Run(tmp_path)
    run = Run.create(tmp_path / "run", experiment)
    with pytest.raises(RunError, match="no checkpoint yet"):
        run.load_machine()
    (run.path / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"config\.json cannot be read"):
        Run(run.path)


@pytest.fixture
def as_before_5(as_before_6):
    """Give the JSON of an experiment as older versions wrote it: kinds are classes."""
    return lambda experiment, schema: _with_classes(as_before_6(experiment, schema), experiment)


def _with_classes(old, experiment):
    for part in ("task", "machine"):
        old["experiment"][part]["kind_of"] = type(getattr(experiment, part)).__name__
    for part in ("curriculum", "objective"):
        kind = type(getattr(experiment.training, part)).__name__
        old["experiment"]["training"][part]["kind_of"] = kind
    return old


def test_schema_2_says_what_its_machines_did(experiment, as_before_5):
    """Logits clipped at 30 and smoothed norms, not today's default or preset."""
    for whole, machine, field, value in (
        (RECIPES["nram-copy"](), NRAMConfig(), "logit_clip", 30.0),
        (experiment, NTMConfig(memory_rows=5), "similarity_epsilon", 0.0),
    ):
        new = dataclasses.replace(whole, machine=machine)
        old = as_before_5(new, schema=2)
        del old["experiment"]["machine"][field]
        found = experiment_from_json(old, "x").machine
        assert found == dataclasses.replace(machine, **{field: value})
    assert NRAMConfig().logit_clip is None


def test_schema_3_had_options_that_are_gone(experiment, as_before_5):
    """Left out where they were as usual; refused by name where they were used."""
    nram = RECIPES["nram-copy"]()
    late = {"sharpening": 1.0, "gumbel_noise": 0.0, "straight_through": False}
    for whole, path, name, usual, used in (
        (nram, ("training",), "late", late, late | {"sharpening": 2.0}),
        (nram, ("training", "objective"), "late_value_penalty", 0.0, 0.1),
        (nram, ("training", "objective"), "floor", 1e-6, 1e-3),
        (nram, ("machine",), "renormalize", True, False),
        (nram, ("machine",), "temperature", 1.0, 0.7),
        (experiment, ("machine", "controller"), "candidate_activation", "tanh", "linear"),
    ):
        old = as_before_5(whole, schema=3)
        part = old["experiment"]
        for key in path:
            part = part[key]
        part[name] = usual
        assert experiment_from_json(old, "x") == whole
        part[name] = used
        with pytest.raises(RunError, match=f"{name} .* is no option any more"):
            experiment_from_json(old, "x")


OF_SCHEMA_5 = ("exam", "restart", "settle", "wire-search")
"""What schema 5 had fields for; recipes with other phases are younger than it."""


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in NAMES
        if all(PHASES.name_of(type(p)) in OF_SCHEMA_5 for p in RECIPES[name]().training.phases)
    ],
)
def test_schema_5_had_fields_for_what_are_phases_now(name, as_before_6):
    """In every recipe the older file tells the same experiment; in today's order of phases."""
    recipe = RECIPES[name]()
    assert experiment_from_json(json.loads(json.dumps(as_before_6(recipe))), "x") == recipe


def test_schema_5_had_choices_of_optimisers_that_are_gone(experiment, as_before_6):
    for name, usual, used in (
        ("betas", [0.9, 0.999], [0.5, 0.999]),
        ("schedule", "constant", "linear"),
    ):
        old = as_before_6(experiment)
        optimizer = old["experiment"]["training"]["optimizer"]
        optimizer[name] = usual
        assert experiment_from_json(old, "x") == experiment
        optimizer |= {name: used, "decay_steps": 4}
        with pytest.raises(RunError, match=f"{name} .* is no option any more"):
            experiment_from_json(old, "x")


def test_schema_6_had_a_warm_up_that_no_recipe_used(experiment):
    old = experiment_to_json(experiment) | {"schema": 6}
    optimizer = old["experiment"]["training"]["optimizer"]
    optimizer["warmup_steps"] = 0
    assert experiment_from_json(old, "x") == experiment
    optimizer["warmup_steps"] = 100
    with pytest.raises(RunError, match=r"be upgraded: warmup_steps 100 is no option any"):
        experiment_from_json(old, "x")


def test_schema_7_had_a_bound_of_sharpening(experiment):
    whole = dataclasses.replace(experiment, machine=NTMConfig())
    old = experiment_to_json(whole) | {"schema": 7}
    machine = old["experiment"]["machine"]
    machine["max_sharpening"] = None
    assert experiment_from_json(old, "x") == whole
    machine["max_sharpening"] = 21.0
    with pytest.raises(RunError, match=r"max_sharpening 21\.0 is no option any more"):
        experiment_from_json(old, "x")


def test_schema_8_had_options_of_one_shot_learning(experiment):
    whole = dataclasses.replace(experiment, task=Episodes(), machine=MANNConfig())
    old = experiment_to_json(whole) | {"schema": 8}
    parts = old["experiment"]["task"], old["experiment"]["machine"]["controller"]
    for part, name, usual, used in zip(
        parts, ("queries", "convolutions"), (1, None), (10, {"side": 20}), strict=True
    ):
        part[name] = usual
        assert experiment_from_json(old, "x") == whole
        part[name] = used
        with pytest.raises(RunError, match=f"be upgraded: {name} .* is no option any more"):
            experiment_from_json(old, "x")
        del part[name]


def test_schema_5_had_intervals_for_a_bonus_that_nobody_used(experiment, as_before_6):
    """An objective without a bonus has no place for it, and never read it."""
    old = as_before_6(experiment)
    old["experiment"]["training"]["search"]["entropy_bonus"] = [0.1, 0.2]
    assert experiment_from_json(old, "x") == experiment


def test_an_older_schema_is_upgraded_step_by_step(experiment, monkeypatch):
    def renamed(old):
        old["training"]["batch"] = old["training"].pop("examples")
        return old

    def doubled(old):
        old["training"]["batch"] *= 2
        return old

    monkeypatch.setattr(serialization, "SCHEMA", 6)
    monkeypatch.setattr(serialization, "UPGRADES", {4: renamed, 5: doubled})
    value = experiment_to_json(experiment)
    body = value["experiment"]
    body["training"]["examples"] = body["training"].pop("batch")
    old = {"schema": 4, "experiment": body}
    kept = json.dumps(old)
    found = experiment_from_json(old, "x")
    assert found.training.batch == 2 * experiment.training.batch
    assert json.dumps(old) == kept
    del body["training"]["examples"]
    with pytest.raises(RunError, match="x holds no valid experiment: schema 4 cannot be"):
        experiment_from_json(old, "x")
    with pytest.raises(RunError, match=r"x has schema 2; .* reads schema 4 and 5 and 6"):
        experiment_from_json(old | {"schema": 2}, "x")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Half(Copy):
    """A task that is not the package's."""


def test_parts_of_ones_own_are_refused_before_anything_is_written(
    experiment, with_training, tmp_path
):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Always(Uniform):
        pass

    for own in (
        dataclasses.replace(experiment, task=Half()),
        with_training(experiment, curriculum=Always()),
    ):
        with pytest.raises(
            SoftmachineError, match="has no name that a file could hold"
        ) as error:
            Run.create(tmp_path / "run", own)
        assert "evaluate, record and a training loop" in str(error.value)
        assert not (tmp_path / "run").exists()
