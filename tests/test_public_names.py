"""The public names: imported when asked for, and known to type checkers and completion.

``python tests/test_public_names.py`` writes those that type checkers read.
"""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "softmachine"
PACKAGES = ["", "experiments", "machines", "programs", "tasks", "traces", "training"]
FOLDERS = sorted(str(x.parent.relative_to(ROOT)) for x in ROOT.rglob("__init__.py"))
PARTS = {f"softmachine.{name}" for name in (*PACKAGES[1:], "recipes", "zoo")}
BLOCK = re.compile(r"(?<=^if TYPE_CHECKING:\n).*(?=^else:\n)", re.MULTILINE | re.DOTALL)


def face(package):
    """Return a package's module and its file."""
    module = importlib.import_module(f"softmachine.{package}".rstrip("."))
    return module, ROOT / package / "__init__.py"


def read_by_type_checkers(path):
    """Return the names that a file imports where type checkers alone read it."""
    blocks = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.If)]
    lines = [line for block in blocks for line in block.body]
    assert all(alias.asname == alias.name for line in lines for alias in line.names)
    return {
        alias.name: f"{line.module}.{alias.name}" if whole(line, alias) else line.module
        for line in lines
        for alias in line.names
    }


def whole(line, alias):
    """Return whether what is imported is a package and not a name within one."""
    return f"{line.module}.{alias.name}" in PARTS


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_what_type_checkers_read(package):
    """Otherwise: ``python tests/test_public_names.py``."""
    module, path = face(package)
    assert read_by_type_checkers(path) == module._HOMES


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_there_and_completion_finds_them(package):
    module, _ = face(package)
    for name, home in module._HOMES.items():
        at_home = importlib.import_module(home)
        expected = at_home if home == f"{module.__name__}.{name}" else getattr(at_home, name)
        assert getattr(module, name) is expected
        assert name in dir(module)
    with pytest.raises(AttributeError, match=f"'{module.__name__}' has no attribute 'trian'"):
        module.trian  # noqa: B018


def test_a_name_that_a_part_has_is_said_to_be_there():
    """Who writes `softmachine.NTMConfig` is told what to import; tools that ask are not."""
    package = sys.modules["softmachine"]
    assert sorted(package._PARTS) == PACKAGES[1:]
    for part in package._PARTS:
        module, _ = face(part)
        for name in module._HOMES.keys() - package._HOMES.keys():
            with pytest.raises(AttributeError) as error:
                getattr(package, name)
            said, _, line = str(error.value).partition(": ")
            assert said == f"module 'softmachine' has no attribute {name!r}"
            found = {}
            exec(line, found)
            assert found[name] is getattr(module, name)
    with pytest.raises(AttributeError, match=r"no attribute '__path_to__'$"):
        package.__path_to__  # noqa: B018


@pytest.mark.parametrize(
    "package",
    sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.rglob("__init__.py")),
)
def test_no_public_name_is_that_of_a_module_beside_it(package):
    """Importing a module sets its name in its package, to the module and not to what is meant.

    So a function `extract` of `programs/extract.py` was one or the other, depending on what had
    been imported before.
    """
    name = ".".join(["softmachine", *Path(package).parts])
    face = importlib.import_module(name)
    modules = {path.stem for path in (ROOT / package).glob("*.py")}
    modules |= {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    homes = getattr(face, "_HOMES", dict.fromkeys(getattr(face, "__all__", []), ""))
    public = {public for public, home in homes.items() if home != f"{name}.{public}"}
    assert public & modules == set()


def test_names_cost_nothing_until_asked_for():
    """Neither JAX nor anything else that is heavy is loaded for them."""
    code = f"""
import sys, softmachine
for name in {PACKAGES[1:]!r}:
    dir(getattr(softmachine, name))
hasattr(softmachine, "NTMConfig"), hasattr(softmachine, "trian")
len(softmachine.machines.MACHINES), len(softmachine.tasks.TASKS)
heavy = {{"jax", "equinox", "numpy", "optax", "tyro", "matplotlib", "cattrs"}}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


SCRIPT = """
from pathlib import Path

import jax
import softmachine as sm
from softmachine.machines import NTMConfig
from softmachine.tasks import Copy

task = Copy(width=4)
machine = NTMConfig(memory_rows=16).build(
    task.input_size, task.output_size, key=jax.random.key(0)
)
example = task.sample(jax.random.key(1), 3, max_size=3)
outputs = machine(example.inputs)
print(task.render(example, outputs))
print(sm.record(machine, example).fields["memory"].shape)
for score in sm.evaluate(machine, task, [2, 4], sequences=10):
    print(score.size, score.metrics["wrong_bits"])
experiment = sm.get_recipe("ntm-copy").with_seed(3)
progress = sm.train(sm.Run.create(Path("runs/mine"), experiment))
print(progress.solved_sequences)
model = sm.zoo.open_model("ntm-copy")
print(sm.zoo.names(), model.machine.memory_rows, model.experiment.training.seed)
sm.trace(model.machine, model.experiment.task, size=3).save(Path("queue.trace"))
training = sm.experiments.TrainingConfig(curriculum=sm.experiments.Uniform(largest=5))
print(training, len(sm.recipes.RECIPES), sm.tasks.TASKS["copy"], sm.machines.MACHINES["ntm"])
"""


def test_type_checkers_know_a_users_script_through_and_through(tmp_path):
    """Strictly: nothing is unknown, and a name that is not there is an error."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "wrong.py").write_text("import softmachine as sm\n\nsm.trian(0)\n")
    config = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT.parent)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    said = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable,
         "--project", tmp_path], capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(said.stdout)["generalDiagnostics"]
    assert {Path(x["file"]).name for x in found} == {"wrong.py"}, found
    assert {x["range"]["start"]["line"] for x in found} == {2}
    assert any('"trian" is not a known attribute' in x["message"] for x in found)


def write():
    """Write what type checkers read."""
    for package in PACKAGES:
        module, path = face(package)
        homes = (
            (home.rpartition(".")[0] if home in PARTS else home, name)
            for name, home in module._HOMES.items()
        )
        lines = [f"    from {home} import {name} as {name}\n" for home, name in homes]
        text = BLOCK.sub("".join(lines), path.read_text())
        for words in (["check", "-q", "--select", "I", "--fix"], ["format", "-q"]):
            ruff = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(path), "-"]
            text = subprocess.check_output(ruff, input=text, text=True)
        path.write_text(text)  # at the end: nothing is half-written


if __name__ == "__main__":
    write()
