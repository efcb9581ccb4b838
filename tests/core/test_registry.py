"""Names, from a table, from decorators and from entry points of installed packages."""

import importlib
import sys

import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.core.registry import Registry
from softmachine.experiments.serialization import NAMED
from softmachine.recipes import RECIPES, get_recipe

GROUP = "softmachine_pieces"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package whose module and entry points are given, as an installer would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name, module, **points):
        (tmp_path / f"{name}.py").write_text(module)
        information = tmp_path / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n")
        lines = [f"{point} = {place}\n" for point, place in points.items()]
        (information / "entry_points.txt").write_text(f"[{GROUP}]\n" + "".join(lines))
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()

    return install


def pieces():
    return Registry("piece", GROUP, {"own": "house:Own"})


def test_entries_of_other_packages_are_found_without_being_imported(install):
    install("others_chair", "class Chair: ...", chair="others_chair:Chair")
    registry = pieces()
    assert list(registry) == ["own", "chair"]
    assert "chair" in registry
    assert "others_chair" not in sys.modules
    assert registry.find("chair").__name__ == "Chair"
    assert registry.name_of(registry["chair"]) == "chair"
    with pytest.raises(SoftmachineError, match="unknown piece 'chare'; did you mean chair"):
        registry.find("chare")


def test_the_name_in_files_is_the_one_that_the_next_process_finds(install):
    install("others_table", "class Table: ...", table="others_table:Table")
    registry = pieces()
    table = registry["table"]
    registry.register("desk")(table)
    assert registry["desk"] is table
    assert registry.name_of(table) == "table"


def test_a_name_that_two_packages_have_is_refused_and_no_other(install):
    install("others_a", "class A: ...", lamp="others_a:A", shelf="others_a:A")
    install("others_b", "class B: ...", lamp="others_b:B")
    registry = pieces()
    with pytest.raises(SoftmachineError, match=r"several .* have a piece 'lamp': others_"):
        registry.find("lamp")
    assert registry.name_of(registry["shelf"]) == "shelf"


def test_a_package_that_cannot_be_loaded_spoils_its_own_names_alone(install):
    install("others_bad", "1 / 0", broken="others_bad:A")
    install("others_good", "from others_inner import Good", good="others_good:Good")
    install("others_inner", "class Good: ...")
    registry = pieces()
    with pytest.raises(SoftmachineError, match=r"'broken' of 'others_bad:A' cannot be loaded"):
        registry.find("broken")
    assert registry.name_of(registry["good"]) == "good"


def test_names_of_the_package_itself_are_nobody_elses(install):
    install("others_own", "class Own: ...", own="others_own:Own")
    registry = pieces()
    assert list(registry) == ["own"]
    with pytest.raises(ModuleNotFoundError, match=GROUP):
        registry.find("own")
    with pytest.raises(SoftmachineError, match=r"cannot be the piece 'own': .*house:Own has"):
        registry.register("own")(type("Other", (), {}))


def test_a_module_that_ends_the_process_spoils_its_own_names_alone(install):
    install("others_exit", "raise SystemExit(3)", exits="others_exit:A")
    with pytest.raises(
        SoftmachineError, match="'exits' of 'others_exit:A' cannot be loaded: Sys"
    ):
        pieces().find("exits")


@pytest.mark.parametrize("name", ["", "a b", "--help", "a:b", "a\nb", "é"])
def test_what_cannot_stand_in_a_file_or_on_a_command_line_is_no_name(name):
    with pytest.raises(
        SoftmachineError, match="cannot be the name of a piece: letters, digits"
    ):
        pieces().register(name)


FROZEN = "import dataclasses\nfrom softmachine.tasks.sequences.copy import Copy\n"
KINDS = {
    "3": ("A = 3", "not a class derived from Task"),
    "function": ("def A(): ...", "not a class derived from Task"),
    "other": ("class A: ...", "not a class derived from Task"),
    "instance": ("A = Copy()", "not a class derived from Task"),
    "plain": ("class A(Copy):\n    more: int = 3", "has to be a frozen dataclass"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_of_another_kind_is_refused(kind, install):
    module, message = KINDS[kind]
    install(f"others_{kind}", FROZEN + module, vase=f"others_{kind}:A")
    registry = Registry("piece", GROUP, {}, base="softmachine.tasks.task:Task")

    def registered():
        registry.register("own")(importlib.import_module(f"others_{kind}").A)
        registry.find("own")

    with pytest.raises(SoftmachineError, match=f"cannot be the piece 'vase': it .*{message}"):
        registry.find("vase")
    with pytest.raises(SoftmachineError, match=f"cannot be the piece 'own': it .*{message}"):
        registered()


@pytest.mark.parametrize("error", ["{}['a']", "None.x", "1 / 0", "exit(3)", "int('a')"])
def test_a_recipe_that_raises_anything_is_told_in_a_sentence(error, monkeypatch):
    monkeypatch.setitem(RECIPES._registered, "broken", lambda: eval(error))
    with pytest.raises(
        SoftmachineError, match=r"^the recipe 'broken' makes no experiment: \w+"
    ):
        get_recipe("broken")


def test_what_a_package_declares_is_of_one_kind():
    """Or its curriculum would be an objective, too."""
    groups = [registry.group for registry in (RECIPES, *(named for _, named in NAMED))]
    assert len(set(groups)) == len(groups)
