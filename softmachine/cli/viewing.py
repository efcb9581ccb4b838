"""The commands that show what a machine does."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softmachine.cli.folding import folded
from softmachine.cli.programs import provenance
from softmachine.cli.scoring import Changes, curve
from softmachine.cli.sources import Trained, is_model, open_one
from softmachine.cli.waiting import working
from softmachine.core.errors import SoftmachineError, TraceError
from softmachine.core.files import parse_json, replacing
from softmachine.experiments.commands import SYNTHESIS
from softmachine.recipes.registry import RECIPES
from softmachine.running.devices import use_all_cores
from softmachine.running.generalization import with_room_for
from softmachine.tasks.traced.task import TracedTask
from softmachine.traces.examples import check_size
from softmachine.traces.file import load_trace
from softmachine.traces.making import trace

if TYPE_CHECKING:
    from softmachine.tasks.task import Task
    from softmachine.viewer.machines import Served


def write_trace(
    source: str,
    out: Path,
    size: int | None,
    seed: int,
    own: Path | None,
    every: int,
    fields: Sequence[str] | None,
    options: Changes,
    kind: str | None = None,
) -> None:
    """Write what a machine does on one example, and print how it went."""
    if own is not None and size is not None:
        raise TraceError("give a size or an input of your own, not both")
    trained = open_one(source)
    if isinstance(trained.experiment.task, TracedTask):
        if every != 1 or fields is not None:
            raise TraceError(
                "a run of programs is recorded whole: leave out --every and --fields"
            )
        _write_calls(trained, source, out, size, seed, own, options, kind)
        return
    if kind is not None:
        raise TraceError("--kind is for machines that run programs of several kinds")
    machine, task = options.apply(trained)
    inputs = None if own is None else _read_inputs(own)
    if own is None and size is None:
        size = trained.experiment.training.curriculum.largest
    if size is not None:
        check_size(task, size)  # before a memory grows to hold it
    if options.memory_rows is None and size is not None:
        machine = with_room_for(machine, task, size)
    with working(f"Running {source}"):
        made = trace(
            machine,
            task,
            size,
            seed,
            inputs=inputs,
            every=every,
            fields=fields,
            source=source,
            recipe=trained.experiment.recipe,
        )
    made.save(out)
    scores = ", ".join(_told(name, x, task) for name, x in made.header.scores.items())
    print(folded(f"{made.header.title}: {scores or 'the right answer is not known'}"))
    print(out)


def _write_calls(
    trained: Trained,
    source: str,
    out: Path,
    size: int | None,
    seed: int,
    own: Path | None,
    options: Changes,
    kind: str | None,
) -> None:
    """Write the run of a core's programs on one problem, and print how it ended."""
    from softmachine.traces.calling import trace_calls

    machine, task = options.apply(trained)
    assert isinstance(task, TracedTask)
    with working(f"Running {source}"):
        made = trace_calls(
            machine,
            task,
            size,
            seed,
            kind=kind,
            problem=None if own is None else _read_inputs(own),
            source=source,
            recipe=trained.experiment.recipe,
        )
    assert made.header.calls is not None
    made.save(out)
    print(folded(f"{made.header.title}: {made.header.calls.ending}"))
    print(out)


def _told(name: str, score: float | None, task: Task) -> str:
    """Return a score of one example in words: shares in percent, all else as a number."""
    words = name.replace("_", " ")
    if score is None:
        return f"{words}: not finite"
    return f"{words}: {score:.0%}" if name in task.shares else f"{score:.3g} {words}"


def view_sources(sources: Sequence[str], *, port: int, open_browser: bool) -> None:
    """Serve machines and traces until Ctrl-C, or SIGTERM."""
    from softmachine.traces.page import page
    from softmachine.viewer.computing import is_computing
    from softmachine.viewer.server import serve

    if not sources:
        raise SoftmachineError("name something to watch: a run, zoo:NAME, or a trace file")
    page()  # before anything is loaded: without it there is nothing to serve
    machines, traces = [], []
    for source in sources:
        if os.path.isfile(source):
            traces.append((Path(source).name, load_trace(source).to_bytes()))
        elif not is_model(source) and not os.path.exists(source):
            raise SoftmachineError(
                f"there is no {source}: name a run, zoo:NAME, or a file that softmachine trace "
                "wrote"
            )
        else:
            machines.append(_served(source))

    def announce(address: str) -> None:
        print(f"Watch at {address}\nCtrl-C ends it.", flush=True)

    status = 0
    try:
        serve(machines, traces, port=port, open_browser=open_browser, announce=announce)
    except KeyboardInterrupt:
        print()  # after the terminal's ^C
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    if is_computing():
        # XLA cannot be interrupted, and Python would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    if status:
        sys.exit(status)


def _served(source: str) -> Served:
    """Return a machine, and what it was along its training if that was kept."""
    from softmachine.viewer.programs import served

    trained = open_one(source)
    if trained.run is None:
        checkpoints = {"best": ("best", lambda: trained.machine)}
    else:
        found = trained.run.snapshots()
        checkpoints = {
            label.removeprefix("after ").split()[0].replace(",", ""): (label, load)
            for label, load in found.items()
        }
    return served(source, trained.experiment, checkpoints)


def write_report(source: str, out: Path | None, seed: int) -> None:
    """Write the report of a machine and print where it is."""
    from softmachine.evaluation.report import Subject, build_report
    from softmachine.traces.page import page

    page()
    use_all_cores()
    trained = open_one(source)
    run = trained.run
    if out is None:
        name = source.replace(":", "-")
        out = Path(f"{name}-report.html") if run is None else run.path / "report.html"
    subject = Subject(
        trained.name,
        trained.experiment,
        trained.machine,
        run.metrics() if run else [],
        run.load_progress() if run else None,
        run.environment() if run else {},
        provenance(source, trained),
        _commands(source, trained),
    )
    with working(f"Testing {source}") as say:
        scores = curve(trained, Changes(), seed)
        say(f"Looking for examples of {source}, drawing")
        text = build_report(subject, scores, seed)
    _write_page(out, text)


def write_live(source: str, out: Path | None) -> None:
    """Write a page that runs a machine by itself, and print where it is."""
    from softmachine.traces.page import page
    from softmachine.viewer.live_file import Living, live_page

    page()
    trained = open_one(source)
    if out is None:
        name = source.replace(":", "-")
        out = (
            Path(f"{name}-live.html") if trained.run is None else trained.run.path / "live.html"
        )
    origin = provenance(source, trained)
    with working(f"Drawing examples for {source}"):
        living = Living(trained.name, trained.experiment, trained.machine, origin)
        text = live_page([living])
    _write_page(out, text)


def _write_page(out: Path, text: str) -> None:
    """Write an HTML file, and print where it is and how to open it."""
    try:
        with replacing(out) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SoftmachineError(f"cannot write to {out}: {error.strerror}") from error
    print(out)
    print(f"One file of {len(text) / 1e6:.1f} MB, to be opened in a browser:")
    print(f"  python -m webbrowser {out.resolve().as_uri()}")


def _commands(source: str, trained: Trained) -> list[str]:
    """Return the commands that made a machine and look at it further."""
    commands = [f"softmachine evaluate {source}", f"softmachine view {source}"]
    if trained.run is None:
        return commands
    # The settings below say what differs from the recipe.
    recipe, seed = trained.experiment.recipe, trained.experiment.training.seed
    if recipe == SYNTHESIS:
        return ["softmachine synthesize EXAMPLES", *commands]
    what = recipe if recipe in RECIPES else f"--config {source}/config.json"
    return [f"softmachine train {what} --seed {seed}", *commands]


def _read_inputs(path: Path) -> Any:
    try:
        return parse_json(path.read_bytes())
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TraceError(f"{path} is no JSON: {error}") from error
