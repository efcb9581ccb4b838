"""The command that makes a machine of wires: the way back from programs."""

from __future__ import annotations

from pathlib import Path

from softmachine.cli.sources import ZOO, open_one, user_errors
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.experiment import Experiment
from softmachine.recipes.registry import get_recipe
from softmachine.synthesis.compiled import Wired, compiled_run, wires_in, wires_of


def compile_machine(source: str, recipe: str | None, out: Path | None, decided: float) -> None:
    """Write a run whose machine has the wires of a program, a table, or another machine.

    Raises SoftmachineError if they are malformed, or if it is not known what they are for.
    """
    wired, experiment = _read(source)
    if recipe is not None or experiment is None:
        experiment = get_recipe(_named(source, recipe or wired.recipe))
    directory = out or Path("runs") / f"compiled-{Path(source.removeprefix(ZOO)).stem}"
    with user_errors(f"{source}: "):
        made = compiled_run(directory, experiment, wired, decided=decided)
    patterns, rows = wired.table.sources.shape
    config = made.machine.config
    print(f"{directory}: a machine with the wires of {source} in its weights:")
    print(
        f"{config.registers} registers, {len(config.gates)} gates, hidden layers of "
        f"{config.controller.hidden}, which recognise patterns of zeros."
    )
    same = "the same" if made.same else "NOT the same"
    print(f"All {patterns * rows:,} choices, read back: {same}.")
    print(f"Next: softmachine program {directory}")
    print(f"      softmachine evaluate {directory}")
    print(f"      softmachine resume {directory}  # trains it on")


def _named(source: str, recipe: str | None) -> str:
    if recipe is None:
        raise SoftmachineError(
            f"{source} does not say what its machine is for: name a recipe whose task it is, "
            "such as --recipe nram-copy"
        )
    return recipe


def _read(source: str) -> tuple[Wired, Experiment | None]:
    """Return the wires in a file, of a run or of a model of the zoo, and its experiment."""
    path = Path(source)
    if source.startswith(ZOO) or path.is_dir():
        trained = open_one(source)
        try:
            return wires_of(trained.machine), trained.experiment
        except SoftmachineError as error:
            raise SoftmachineError(f"{source}: {error}") from error
    try:
        return wires_in(path.read_text(encoding="utf-8")), None
    except OSError as error:
        raise SoftmachineError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SoftmachineError(f"{path} is no text") from error
    except SoftmachineError as error:
        raise SoftmachineError(f"{path}, {error}") from error
