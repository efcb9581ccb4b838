"""Machines and tasks know their papers, and every paper that they name can be cited."""

import re

import pytest

from softmachine.cli.main import main
from softmachine.experiments.papers import bibliography, cite, papers_of
from softmachine.machines import MACHINES
from softmachine.recipes.registry import RECIPES, get_recipe
from softmachine.tasks import TASKS, Given, OwnSequences

OWN = {Given, OwnSequences}
"""Tasks that are of no paper: a person's own examples and sequences."""


@pytest.fixture(scope="module")
def experiments():
    return [get_recipe(name) for name in RECIPES]


def test_every_machine_and_task_of_a_recipe_has_a_paper_that_can_be_cited(experiments):
    parts = {type(x): x for one in experiments for x in (one.machine, one.task)}
    assert len(parts) > 40
    for kind, part in parts.items():
        found = papers_of(part)
        assert kind in OWN or set(found) & bibliography().keys(), kind
        assert set(found) <= bibliography().keys(), kind


def test_every_registered_kind_is_of_a_recipe_or_has_a_module_that_names_a_paper(experiments):
    used = {type(x) for one in experiments for x in (one.machine, one.task)}
    for registry in (MACHINES, TASKS):
        for name in registry:
            if registry[name] not in used | OWN:
                assert papers_of(object.__new__(registry[name])), name


def test_entries_are_whole():
    entries = bibliography()
    keys = [re.match(r"@\w+\{([\w]+),", entry).group(1) for entry in entries.values()]
    assert len(set(keys)) == len(keys) > 15
    for number, entry in entries.items():
        assert entry.count("{") == entry.count("}")
        for field in ("title", "author", "year"):
            assert re.search(rf"^  {field} = \{{.+\}},$", entry, re.MULTILINE), (number, field)


@pytest.mark.parametrize(
    ("recipe", "keys"),
    [
        ("ntm-copy", ["softmachine", "graves2014neural"]),
        ("nram-copy", ["softmachine", "kurach2016neural"]),
        ("dnc-copy-reuse", ["softmachine", "graves2016hybrid", "csordas2019improving"]),
        ("lstm-copy", ["softmachine", "hochreiter1997long", "graves2014neural"]),
    ],
)
def test_what_a_recipe_uses(recipe, keys):
    assert re.findall(r"^@\w+\{(\w+),", cite(get_recipe(recipe)), re.MULTILINE) == keys


def test_the_command_takes_models_and_recipes(capsys):
    main(["cite", "zoo:ntm-copy"])
    of_the_zoo = capsys.readouterr().out
    main(["cite", "ntm-copy"])
    assert capsys.readouterr().out == of_the_zoo
    assert "version = {0.1.0}" in of_the_zoo
    with pytest.raises(SystemExit):
        main(["cite", "ntm-copi"])
