"""What is a person's own: modules with tasks, machines and recipes, and files of sequences."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from softmachine.cli.folding import folded
from softmachine.core.errors import SoftmachineError, close_names
from softmachine.core.registry import describe_fault


def option(arguments: Sequence[str], name: str) -> tuple[str | None, list[str]]:
    """Return the word after an option such as ``--from``, and the other arguments.

    The word is None if the option is not there. Raises SoftmachineError if nothing follows it.
    """
    words = [
        part
        for word in arguments
        for part in (word.split("=", 1) if word.startswith(f"{name}=") else [word])
    ]
    if name not in words:
        return None, list(arguments)
    place = words.index(name)
    if place + 1 == len(words) or words[place + 1].startswith("-"):
        raise SoftmachineError(f"{name} needs a word after it")
    return words[place + 1], [*words[:place], *words[place + 2 :]]


def import_own(place: str) -> tuple[ModuleType, str]:
    """Import a module of one's own, so that what it registers has its name.

    Arguments:
        place: ``my_module`` or ``folder/my_module.py``, then perhaps ``:recipe``. A module's
            name is looked for in the present directory first.

    Returns the module, and the text after the colon.

    Raises SoftmachineError if there is no such module, or if it fails.
    """
    name, _, attribute = place.partition(":")
    file = Path(name) if name.endswith(".py") else None
    if file is not None and not file.is_file():
        raise SoftmachineError(f"--from {place}: there is no file {file}")
    home = str((file.parent if file else Path()).resolve())
    sys.path.insert(0, home)
    try:
        if file is None and not _is_there(name):
            raise SoftmachineError(
                f"--from {place}: there is no module {name!r} in {home}, nor installed"
            )
        module = importlib.import_module(file.stem if file else name)
    except SoftmachineError:
        raise
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        raise SoftmachineError(
            f"--from {place}: the module cannot be imported: {describe_fault(error)}"
        ) from error
    if file is not None and Path(module.__file__ or "").resolve() != file.resolve():
        raise SoftmachineError(
            f"--from {place}: another module is called {file.stem!r}, {module.__file__}; "
            "give the file another name"
        )
    return module, attribute


def train_own(place: str, arguments: Sequence[str]) -> None:
    """Train the experiment of a function in a module of one's own, or a recipe it registers.

    Arguments:
        place: see `import_own`.
        arguments: overrides; without a colon in the place, the recipe's name before them.
    """
    from softmachine.cli.training import train_experiment, train_recipe

    module, attribute = import_own(place)
    if not attribute:
        if not arguments or arguments[0].startswith("-"):
            raise SoftmachineError(
                f"train --from {place} needs a recipe: --from {place}:FUNCTION, or the name of "
                "one that the module registers"
            )
        train_recipe(arguments[0], list(arguments[1:]))
        return
    if arguments and not arguments[0].startswith("-"):
        raise SoftmachineError(
            f"a recipe, {arguments[0]}, and --from {place} exclude each other"
        )
    train_experiment(_made(module, attribute, place), list(arguments))


def _made(module: ModuleType, name: str, place: str):
    """Return the experiment that a function of a module makes."""
    from softmachine.experiments.experiment import Experiment

    function = getattr(module, name, None)
    if not callable(function):
        known = [x for x in vars(module) if callable(getattr(module, x)) and x[0] != "_"]
        raise SoftmachineError(
            f"--from {place}: {module.__name__} has no function {name!r}"
            f"{close_names(name, known)}"
        )
    try:
        experiment = function()
    except SoftmachineError as error:
        raise SoftmachineError(f"--from {place}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever another's code raises
        raise SoftmachineError(
            f"--from {place}: {name} makes no experiment: {describe_fault(error)}"
        ) from error
    if not isinstance(experiment, Experiment):
        raise SoftmachineError(
            f"--from {place}: {name} returns no Experiment, but {type(experiment).__name__}"
        )
    return experiment


def train_on_data(path: str, arguments: Sequence[str]) -> None:
    """Train a machine on the sequences in a file or a folder.

    Arguments:
        path: the file or folder.
        arguments: the machine's name, then overrides.
    """
    from softmachine.cli.training import train_experiment
    from softmachine.recipes.own import on_sequences
    from softmachine.tasks.own.sequences import OwnSequences, describe

    if not arguments or arguments[0].startswith("-"):
        raise SoftmachineError(
            f"train --data {path} needs a machine: softmachine train ntm ..."
        )
    experiment = on_sequences(arguments[0], path)
    if "--help" not in arguments:
        assert isinstance(experiment.task, OwnSequences)
        print(folded(f"{path}: {describe(experiment.task)}"), flush=True)
    train_experiment(experiment, list(arguments[1:]))


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
