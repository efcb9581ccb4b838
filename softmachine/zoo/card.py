"""Model cards as Markdown, rendered from a model's JSON file alone."""

from __future__ import annotations

from typing import Any

from softmachine.core.rendering import natural_order
from softmachine.experiments.commands import SYNTHESIS
from softmachine.experiments.serialization import experiment_from_json, task_from_json

Rows = list[dict[str, Any]]
"""Scores: a name under ``test``, and values by name."""


def render_card(value: dict[str, Any]) -> str:
    """Return a model card as Markdown, from the content of the model's JSON file."""
    card, experiment = value["card"], value["experiment"]["experiment"]
    phases = experiment_from_json(value["experiment"], card["name"]).training.phases
    asked = [phase.requirement for phase in phases if phase.requirement]
    sections = [
        f"# {card['name']}",
        _summary(card, experiment),
        "## Use",
        _use(card, experiment),
        "## Scores",
        _scores(card, asked),
        "## Intended use and limits",
        _limits(card, experiment, asked),
        "## How it was made",
        _making(card),
    ]
    return "\n\n".join(sections) + "\n"


def _summary(card: dict[str, Any], experiment: dict[str, Any]) -> str:
    machine, curriculum = experiment["machine"], experiment["training"]["curriculum"]
    numbers = ", ".join(f"{name} {x:,}" for name, x in _whole_numbers(machine))
    rows = {
        "task": f"{experiment['task']['kind_of']}: {_plain(card['task'])}",
        "task settings": _settings(experiment["task"]),
        "machine": machine["kind_of"],
        "controller": machine["controller"]["kind"] if "controller" in machine else None,
        "machine sizes": numbers,
        "parameters": f"{card['parameters']:,}",
        "trained on sizes": _sizes(curriculum),
        "weights": f"`{card['name']}.safetensors`, {card['bytes']:,} bytes",
        "SHA-256": f"`{card['sha256']}`",
    }
    note = f"Its recipe: {_plain(card['note'])}\n\n" if card.get("note") else ""
    return f"{_facts(rows)}\n\n{note}Every setting is in `{card['name']}.json`."


def _use(card: dict[str, Any], experiment: dict[str, Any]) -> str:
    run, answer = "key=jax.random.key(1)", "outputs"
    task = task_from_json(experiment["task"], card["name"])
    if not task.inputs.per_step:
        run, answer = "steps=int(example.steps)", "task.output.answer(outputs, example)"
    needed = f"{task.needs}\n\n" if task.needs else ""
    return f"""\
{needed}```python
import jax
from softmachine import zoo

model = zoo.open_model("{card["name"]}")
task = model.experiment.task.held_out(larger=True)
size = model.experiment.training.curriculum.largest
example = task.sample(jax.random.key(0), size, max_size=size)
outputs = model.machine(example.inputs, {run})
print(task.render(example, {answer}))
```"""


def _scores(card: dict[str, Any], asked: list[str]) -> str:
    validation = {
        "test": "validation, trained sizes",
        "sequences": card["validation_sequences"],
        **card["validation"],
    }
    text = (
        f"{_table([validation, *card['tests']])}\n\n"
        "Means per sequence; bits are cross-entropy in base 2. The validation chose these "
        "parameters among those that the run went through, so that its own row flatters them"
    )
    if not card["tests"]:
        return f"{text}."
    if asked:
        return f"{text}. Training ended when the tests of its phases, below, found no mistake."
    return f"{text}; the tests had no part in that."


def _limits(card: dict[str, Any], experiment: dict[str, Any], asked: list[str]) -> str:
    curriculum = experiment["training"]["curriculum"]
    name, tests = _words(card["error"]), card["tests"]
    measured = [row for row in tests if row.get(card["error"]) is not None]
    without = [row["test"] for row in measured if row[card["error"]] <= 0]
    lines = [
        "For looking at how such a machine works, for teaching, and as a starting point or "
        "baseline of experiments. It does its one task, with inputs laid out as that task "
        "lays them out, and nothing else.",
        f"Size {_sizes(curriculum)}, in validation: "
        f"{_amount(card['validation'][card['error']], name)}.",
    ]
    if without:
        lines.append(f"No {name} in: {'; '.join(without)}.")
    lines += [
        f"{row['test']}: {_amount(row[card['error']], name)}."
        for row in measured
        if row["test"] not in without
    ]
    lines += [f"Training went on until there was {words}." for words in asked]
    lines.append(
        "Nothing beyond these tests was measured."
        if tests or asked
        else "It was never tested on other sizes than those of its training."
    )
    rows = experiment["machine"].get("memory_rows")
    if rows is not None:
        lines.append(
            f"Its memory has {rows:,} rows; an example whose `task.items(size)` is larger "
            "needs `machine.with_memory_rows(rows)` first."
        )
    lines.append(
        "This is one seed, perhaps chosen for its scores: it does not tell how often the "
        "recipe works."
    )
    return "\n".join(f"- {line}" for line in lines)


def _sizes(curriculum: dict[str, Any]) -> str:
    """Return the sizes that were trained on, in words."""
    smallest, largest = curriculum["smallest"], curriculum["largest"]
    return f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"


def _making(card: dict[str, Any]) -> str:
    training = card["training"]
    solved = training["solved_sequences"]
    facts = {
        "recipe": f"`{card['recipe']}`",
        "seed": str(card["seed"]),
        "commit": f"`{card['commit']}`" if card["commit"] else "not known",
        "versions": f"softmachine {card['softmachine']}, JAX {card['jax']}, "
        f"Python {card['python']}",
        "hardware": f"{card['hardware']}; {card['cores']} CPU cores, "
        f"JAX devices: {card['devices']} ({card['platform']})",
        "date": card["date"],
        "trained for": f"{training['sequences']:,} sequences, "
        f"{training['device_seconds']:,.0f} device-seconds with compilation and validation",
        "first validation good enough": "never" if solved is None else f"{solved:,} sequences",
        "these parameters": f"after {training['best_sequences']:,} sequences",
    }
    text = f"{_command(card)}\n\n{_facts(facts)}"
    if training.get("rewired"):
        text += (
            "\n\nIts wires were found by a search over hard machines, not by gradients, and "
            "written into its last layer (phase `wire-search`)."
        )
    if card["population"] is not None:
        text += (
            f"\n\nIt was trained as one of {card['population']} members of a population; "
            "trained alone it would be the same up to rounding, which training can amplify."
        )
    if (card["commit"] or "").endswith("-dirty"):
        text += "\n\n`-dirty`: the code had been changed since that commit."
    return text


def _command(card: dict[str, Any]) -> str:
    if card["command"] is not None:
        return f"With the code of the commit below:\n\n```console\n{card['command']}\n```"
    if card["recipe"] == SYNTHESIS:
        return (
            "By `softmachine synthesize EXAMPLES`; the examples are in "
            f"`{card['name']}.json`, under `task`."
        )
    return f"""\
No command line gives this experiment; Python does:

```python
import softmachine
from softmachine import zoo

experiment = zoo.open_model("{card["name"]}").experiment
softmachine.train(softmachine.Run.create("runs/{card["name"]}", experiment))
```"""


def _facts(facts: dict[str, str | None]) -> str:
    lines = [f"| {name} | {_cell(text)} |" for name, text in facts.items() if text]
    return "\n".join(["| | |", "|---|---|", *lines])


def _table(rows: Rows) -> str:
    """Return rows of scores as a table, with every column that occurs in a row.

    Columns that a number tells apart are in its order.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    counted = [name for name in columns if name[-1:].isdigit()]
    in_order = iter(sorted(counted, key=natural_order))
    columns = [next(in_order) if name in counted else name for name in columns]
    head = "| " + " | ".join(_words(name) for name in columns) + " |"
    rule = "|---" + "|---:" * (len(columns) - 1) + "|"
    lines = [
        "| " + " | ".join(_cell(_score(row.get(name))) for name in columns) + " |"
        for row in rows
    ]
    return "\n".join([head, rule, *lines])


def _whole_numbers(machine: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the integer settings of a machine and its parts, by readable names."""
    found = []
    for name, value in machine.items():
        if isinstance(value, dict):
            found += [(f"{_words(name)} {inner}", x) for inner, x in _whole_numbers(value)]
        elif isinstance(value, int) and not isinstance(value, bool):
            found.append((_words(name), value))
    return found


def _settings(config: dict[str, Any]) -> str:
    settings = [f"{_words(k)} {v}" for k, v in config.items() if k != "kind_of"]
    return ", ".join(settings)


def _amount(value: float, name: str) -> str:
    return f"{_score(value)} {name} per sequence" if value else f"no {name}"


def _score(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or value.is_integer():
        return f"{int(value):,}"
    return f"{value:.4g}"


def _plain(text: str) -> str:
    """Return a text of a docstring as Markdown."""
    return text.replace("``", "`")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())
