"""Report of a run as one self-contained HTML file: curves, traces, program, settings."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from softmachine.core import compiling
from softmachine.core.errors import SoftmachineError
from softmachine.core.rendering import all_names
from softmachine.core.specs.spec import each
from softmachine.evaluation import figures
from softmachine.evaluation.aftermath import describe_aftermath
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress
from softmachine.experiments.serialization import KIND, experiment_to_json
from softmachine.machines.machine import Machine, parameter_count
from softmachine.programs.drawing import svg_code
from softmachine.programs.extraction import can_extract, extract, extractable
from softmachine.programs.languages.python import python_code
from softmachine.programs.notes import Provenance, summary
from softmachine.programs.notes import notes as program_notes
from softmachine.running.generalization import SizeScore, score_at, with_room_for
from softmachine.running.scoring import score_batch
from softmachine.tasks.task import Task
from softmachine.tasks.traced.task import TracedTask
from softmachine.traces.calling import interpreter_of, trace_calls
from softmachine.traces.file import Trace
from softmachine.traces.making import trace
from softmachine.traces.page import framed

CANDIDATES = 32
"""The best and the worst example of a size are chosen among this many."""
ROUNDS = 8
"""Where errors are rare, up to this many times `CANDIDATES` are drawn until one is wrong."""
MOST_SHOWN_STEPS = 400
"""Traces of more steps keep only every k-th one, for the smallest k that is enough."""

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; height: auto; margin-top: 1rem; }
/* Figures are dark lines on nothing: on a dark page their lightness is turned round. */
@media (prefers-color-scheme: dark) { img { filter: invert(0.9) hue-rotate(180deg); } }
.wide { overflow-x: auto; }
.side { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }
.side img { flex: 1 1 28rem; min-width: 0; }
code, pre { font-size: 0.9em; }
summary { cursor: pointer; }
.facts td { text-align: left; }
@media (max-width: 600px) {
  th, td { padding-right: 0.5rem; }
  table { font-size: 0.9em; }
}
"""


class Subject(NamedTuple):
    """A machine and its training, as a report shows them."""

    name: str
    experiment: Experiment
    machine: Machine
    metrics: Sequence[Mapping[str, Any]]
    """Lines of the run's metrics; empty if they are not known."""
    progress: Progress | None
    """How far the training came; None if it is not known."""
    environment: Mapping[str, Any]
    """The hardware and software it was trained with; may be empty."""
    provenance: Provenance
    """Where its parameters come from."""
    commands: Sequence[str]
    """Shell commands that repeat the training."""


def build_report(subject: Subject, scores: Sequence[SizeScore], seed: int = 0) -> str:
    """Return a report as HTML.

    Arguments:
        subject: the machine and its training.
        scores: its scores at increasing sizes.
        seed: random seed of the examples that are traced.
    """
    experiment, task = subject.experiment, subject.experiment.task
    largest = experiment.training.curriculum.largest
    sections = [f"<p>{html.escape(_summary(subject, scores))}</p>"]
    traces, notes = example_traces(subject, scores, seed)
    sections.append(
        _section(
            "Watch it",
            "<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in notes) + "</ul>",
            framed((made.header.title, made.to_bytes()) for made in traces),
        )
    )
    learning = ""
    if subject.metrics:
        curve = figures.learning_curve_of(
            experiment, "Validation", [*map(dict, subject.metrics)], subject.progress
        )
        learning = _section("Learning", _picture(curve, "learning curve"))
    sections += [*_score_sections(task, scores, largest), learning]
    if can_extract(subject.machine, task):
        sections.append(program_section(subject.machine, task, subject.provenance))
    sections += [_making(subject), _settings(subject)]
    title = html.escape(subject.name)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n" + "\n".join(sections) + "\n</body>\n</html>\n"
    )


def _score_sections(task: Task, scores: Sequence[SizeScore], trained: int) -> list[str]:
    """Return sections with the scores: over sizes, and over instances if the task has such.

    The table of all scores is in the first of them.
    """
    pictures = []
    if shown := task.by_instance(trained):
        at = score_at(scores, trained)
        figure = figures.instance_figure({f"size {at.size}": [at]}, shown)
        pictures.append(("Learning within an example", _picture(figure, "right by instance")))
    if len(scores) > 1 or not pictures:
        curve = figures.generalization_curve(
            scores,
            trained,
            "Beyond the sizes trained",
            task.error,
            task.held_out(larger=True).worst_errors([score.size for score in scores]),
        )
        pictures.append(("Generalisation", _picture(curve, "error over size")))
    table = _table([score.to_row(task.output) for score in scores], task.shares)
    tables = [table, *[""] * (len(pictures) - 1)]
    return [
        _section(title, f'<div class="side">{table}{picture}</div>')
        for (title, picture), table in zip(pictures, tables, strict=True)
    ]


def program_section(machine: Machine, task: Task, provenance: Provenance) -> str:
    """Return a section with the extracted program, as code and as a drawing.

    If none can be extracted, the section says why.

    Arguments:
        machine: the machine.
        task: its task.
        provenance: where the machine comes from.
    """
    try:
        _, known = extractable(machine, task)
        program = extract(machine, known)
        code = python_code(
            program, summary(known), program_notes(program, known, provenance, None)
        )
        drawing = svg_code(program, "", [])
    except SoftmachineError as error:
        return _section(
            "Program", f"<p>None could be extracted: {html.escape(str(error))}.</p>"
        )
    return _section(
        "Program",
        f'<div class="wide"><pre>{html.escape(code)}</pre></div>',
        f'<div class="wide">{_image(drawing.encode(), "circuits")}</div>',
    )


def example_traces(
    subject: Subject, scores: Sequence[SizeScore], seed: int
) -> tuple[list[Trace], list[str]]:
    """Return the trace of an example that is right and of a larger one that is wrong.

    Both are examples that training never shows, such as those of the scores. The first is the
    best of some examples of the largest size trained on. The second is the worst of some
    examples of the smallest larger size that has errors, or of the largest size if none has.

    Arguments:
        subject: the machine and its training.
        scores: its scores at increasing sizes.
        seed: of the first of the examples to choose from.

    Returns:
        The traces, and a note on each.
    """
    if isinstance(subject.experiment.task, TracedTask):
        return _runs_of_programs(subject, subject.experiment.task, seed)
    task = subject.experiment.task.held_out(larger=True)
    trained = subject.experiment.training.curriculum.largest
    errors = _errors(subject.machine, task, trained, seed)
    chosen = [(trained, "best", int(np.argmin(errors)), errors)]
    larger = [score for score in scores if score.size > trained]
    if larger:
        size, errors = _failing(subject.machine, task, larger, seed)
        chosen.append((size, "worst", int(np.argmax(errors)), errors))
    traces, notes = [], []
    zoo = subject.name == subject.provenance.source
    label = task.error.replace("_", " ")
    for size, rank, number, errors in chosen:
        made = trace(
            with_room_for(subject.machine, task, size),
            task,
            size,
            seed + number,
            every=-(-task.steps(size) // MOST_SHOWN_STEPS),
            source=subject.provenance.source if zoo else subject.experiment.recipe,
            recipe=subject.experiment.recipe,
        )
        traces.append(made)
        notes.append(
            f"Size {size}, seed {seed + number}: the {rank} of {len(errors)} examples, "
            f"{_number(task.error, float(errors[number]), task.shares)} {label}"
        )
    return traces, notes


def _runs_of_programs(
    subject: Subject, task: TracedTask, seed: int
) -> tuple[list[Trace], list[str]]:
    """Return the trace of a run on a problem of each kind, and how each ended."""
    interpreter = interpreter_of(subject.machine, task)
    source, recipe = subject.provenance.source, subject.experiment.recipe
    source = source if subject.name == source else recipe
    traces = [
        trace_calls(interpreter, task, None, seed, kind=kind, source=source, recipe=recipe)
        for kind in task.parts
    ]
    return traces, [made.header.calls.ending for made in traces if made.header.calls]


def _failing(
    machine: Machine, task: Task, scores: Sequence[SizeScore], seed: int
) -> tuple[int, np.ndarray]:
    """Return a size and the errors of its examples, one of them wrong if that can be found."""
    for score in scores:
        if score.metrics[task.error] <= 0:  # it may be NaN
            continue
        errors = np.zeros(0)
        for _ in range(ROUNDS):
            more = _errors(machine, task, score.size, seed + len(errors))
            errors = np.concatenate([errors, more])
            if not more.max() <= 0:
                return score.size, errors
    size = scores[-1].size
    return size, _errors(machine, task, size, seed)


def _errors(machine: Machine, task: Task, size: int, seed: int) -> np.ndarray:
    """Return the errors of the examples that traces with the seeds from ``seed`` on show."""
    machine = with_room_for(machine, task, size)
    keys = jnp.stack(
        [jax.random.fold_in(jax.random.key(seed + i), size) for i in range(CANDIDATES)]
    )
    sizes = jnp.full(CANDIDATES, size)
    scores = _score(machine, task, keys, sizes, size, task.data())
    return np.asarray(each(scores[task.error]))


@partial(compiling.filter_jit, tuned=False)
def _score(machine, task, keys, sizes, max_size, data):
    return score_batch(machine, task, keys, sizes, max_size, data=data).metrics


def _summary(subject: Subject, scores: Sequence[SizeScore]) -> str:
    """Return in a sentence or two what the machine is and how good it is."""
    experiment, task = subject.experiment, subject.experiment.task
    sizes = experiment.training.curriculum
    label = task.error.replace("_", " ")
    machine, count = type(subject.machine).__name__, parameter_count(subject.machine)
    told = (
        f"{machine}, {count:,} parameters, trained by the recipe {experiment.recipe} on sizes "
        f"{sizes.smallest} to {sizes.largest}."
    )
    at = {score.size: score.metrics[task.error] for score in scores}
    shown = [size for size in (sizes.largest, max(at)) if size in at]
    errors = [
        f"{_number(task.error, at[size], task.shares)} at size {size}"
        for size in dict.fromkeys(shown)
    ]
    per = "" if task.error in task.shares else " per sequence"
    return f"{told} {label.capitalize()}{per}: {', '.join(errors)}."


def _making(subject: Subject) -> str:
    """Return sections on the training: what repeats it, how it went, and on what hardware."""
    experiment, progress = subject.experiment, subject.progress
    training = experiment.training
    facts = {
        "recipe": experiment.recipe,
        "machine": type(subject.machine).__name__,
        "task": type(experiment.task).__name__,
        "parameters": f"{parameter_count(subject.machine):,}",
        "seed": training.seed,
        "sizes trained": f"{training.curriculum.smallest} to {training.curriculum.largest}",
    }
    if progress:
        solved = progress.solved_sequences
        facts |= {
            "training sequences": f"{progress.sequences:,}",
            "training time": f"{progress.seconds:.0f} s",
            "solved": "no"
            if solved is None
            else f"after {solved:,} sequences, {progress.solved_seconds:.0f} s",
        }
        afterwards = describe_aftermath(experiment, progress, subject.metrics)
        facts |= {"afterwards": afterwards} if afterwards else {}
    facts |= {
        name.replace("_", " "): x
        for name, x in subject.environment.items()
        if isinstance(x, (str, int))
    }
    commands = html.escape("\n".join(subject.commands))
    return _section("Repeat it", f'<div class="wide"><pre>{commands}</pre></div>') + _section(
        "How it was made", _pairs(facts)
    )


def _settings(subject: Subject) -> str:
    """Return a section with all settings of the experiment."""
    settings = dict(_flat(experiment_to_json(subject.experiment)["experiment"]))
    return (
        "<h2>Settings</h2>\n<details><summary>All of them, as they were resolved</summary>"
        f"\n{_pairs(settings)}</details>"
    )


def _flat(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        value = {part[KIND]: part for part in value}
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _section(title: str, *parts: str) -> str:
    return f"<h2>{html.escape(title)}</h2>\n" + "\n".join(parts)


def _pairs(facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(str(name))}</td><td>{html.escape(str(value))}</td></tr>"
        for name, value in facts.items()
    )
    return f'<div class="wide"><table class="facts">{rows}</table></div>'


def _table(rows: Sequence[Mapping[str, int | float]], shares: Sequence[str]) -> str:
    names = all_names(rows)
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in names)
    cells = [
        [f"<td>{_number(n, row[n], shares) if n in row else '-'}</td>" for n in names]
        for row in rows
    ]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _number(name: str, value: int | float, shares: Sequence[str]) -> str:
    """Return a number as text: fractions in per cent, nothing with an exponent."""
    if isinstance(value, int):
        return f"{value:,}"
    if name in shares:
        return f"{value:.1%}"
    return "below 0.001" if 0 < value < 0.001 else f"{value:,.3f}".rstrip("0").rstrip(".")


def _picture(figure: Figure, description: str) -> str:
    """Return a figure as an SVG image embedded in the page."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "softmachine"}):  # otherwise ids are random
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    plt.close(figure)
    return _image(buffer.getvalue(), description)


def _image(svg: bytes, description: str) -> str:
    data = base64.b64encode(svg).decode()
    return f'<img alt="{html.escape(description)}" src="data:image/svg+xml;base64,{data}">'
