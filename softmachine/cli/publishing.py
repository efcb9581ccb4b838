"""The commands that publish and share models."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from softmachine import zoo
from softmachine.cli.sources import ZOO, open_one, runs_of_machines
from softmachine.cli.waiting import working
from softmachine.core.errors import SoftmachineError
from softmachine.evaluation.group_summary import merit
from softmachine.evaluation.published_scores import paper_scores
from softmachine.machines.machine import Cell
from softmachine.programs.proof import card_rows
from softmachine.running.devices import use_all_cores
from softmachine.tasks.traced.task import TracedTask
from softmachine.zoo.publish import check_room, publish


def publish_run(source: str, name: str | None, directory: Path | None) -> None:
    """Put the best machine of a run or a population into the zoo."""
    use_all_cores()
    runs = runs_of_machines(source)
    progress = {}
    for run in runs:
        found = run.load_progress()
        if found is None:
            raise SoftmachineError(f"{source} has not been trained to its end")
        progress[run.path] = dataclasses.asdict(found)
    best = min(runs, key=lambda run: merit(progress[run.path]))
    name = name or best.experiment.recipe
    task, machine = best.experiment.task, best.load_machine()
    check_room(machine, name)
    with working(f"Testing {best.path}"):
        if isinstance(task, TracedTask) and isinstance(machine, Cell):
            scores = card_rows(machine, task)
        else:
            scores = paper_scores(best)
    for path in publish(best, name, scores, directory=directory):
        print(path)


def push_model(source: str, target: str, name: str | None, private: bool) -> None:
    """Upload a model to a repository, or copy it to a folder; print where it is."""
    if source.startswith(ZOO):
        model = zoo.open_model(source.removeprefix(ZOO))
    else:
        model = zoo.from_pretrained(source, name)
    print(zoo.push(model, target, private=private))


def write_onnx(source: str, out: Path | None) -> None:
    """Write one step of a machine as ONNX, and print what is in it."""
    from softmachine.running.onnx import CHECKED, export_onnx

    trained = open_one(source)
    if out is None:
        name = source.replace(":", "-").replace("/", "-")
        out = Path(f"{name}.onnx") if trained.run is None else trained.run.path / "step.onnx"
    try:
        with working(f"Exporting {source}"):
            made = export_onnx(trained.machine, out)
    except OSError as error:
        raise SoftmachineError(f"cannot write to {out}: {error.strerror}") from error
    print(f"{made.path}: one step, {made.path.stat().st_size / 1e3:,.0f} kB")
    print(f"takes {', '.join(made.inputs)}")
    print(f"gives {', '.join(made.outputs)}")
    print(f"At most {made.off:.1g} from the machine's own numbers in {CHECKED} steps.")
