"""The commands that list recipes, models, versions and devices."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from typing import NamedTuple

import jax
from rich.console import Console
from rich.table import Table

import softmachine
from softmachine import zoo
from softmachine.core.compilation_cache import VARIABLE, cache_size, use_compilation_cache
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.experiment import TrainingConfig
from softmachine.experiments.serialization import experiment_from_json
from softmachine.recipes.registry import RECIPES, describe_recipe, get_recipe
from softmachine.running.devices import use_all_cores
from softmachine.zoo.models import HOME, read_model

PAPERS = "paper-"
"""How names of recipes with the papers' own settings begin."""


class Row(NamedTuple):
    """A recipe or a model in a list."""

    name: str
    what: str
    columns: tuple[str, ...]


def list_recipes(all_of_them: bool) -> None:
    """Print recipes by what they train, with the sizes and the length of their training."""
    names = [name for name in RECIPES if all_of_them or not name.startswith(PAPERS)]
    groups: dict[str, list[Row]] = {}
    unusable = []
    for name in names:
        try:
            training = get_recipe(name).training
        except SoftmachineError as error:  # another package's: the others can be listed
            unusable.append(str(error))
            continue
        title, told = _place(name, groups)
        columns = (_sizes(training), f"{training.max_sequences:,}")
        groups.setdefault(title, []).append(Row(name, told, columns))
    _print(groups, ("recipe", "", "sizes", "sequences"))
    print("Sizes are those trained on; sequences are the most that one training takes.")
    for message in unusable:
        print(f"Not listed: {message}")
    if more := len(RECIPES) - len(names):
        print(f"{more} more have the papers' own settings: softmachine recipes --all")
    print("Start with:  softmachine train ntm-copy")
    print("             softmachine train nram-access --members 16")
    print("All settings of one:  softmachine train ntm-copy --help")


def list_zoo() -> None:
    """Print every trained model that ships, how large it is, and how good."""
    groups: dict[str, list[Row]] = {}
    places = {recipe: i for i, recipe in enumerate(RECIPES)}
    models = {name: read_model(HOME / f"{name}.json") for name in zoo.names()}
    models = dict(
        sorted(models.items(), key=lambda x: places.get(x[1]["card"]["recipe"], len(places)))
    )
    for name, model in models.items():
        card = model["card"]
        training = experiment_from_json(model["experiment"], name).training
        title, told = _place(card["recipe"], groups)
        error = f"{card['validation'][card['error']]:.3g} {card['error'].split('_')[0]}"
        columns = (_sizes(training), error, f"{card['bytes'] / 1000:,.0f} kB")
        row = Row(f"zoo:{name}", told.removesuffix(" controller"), columns)
        groups.setdefault(title, []).append(row)
    _print(groups, ("model", "", "sizes", "validation", "weights"))
    print("Sizes are those trained on; validation: wrong bits or cells per sequence there")
    print("(ngrams: bits in excess of the best possible).")
    print("At larger sizes:       softmachine evaluate zoo:ntm-copy --sizes 20 120")
    print("Watch them at work:    softmachine view zoo:ntm-copy zoo:nram-copy")
    print("What an NTM does:      softmachine moves zoo:ntm-copy")
    print("An NRAM as a program:  softmachine program zoo:nram-copy")
    print(f"Their cards:           {HOME}")


def _place(recipe: str, groups: dict[str, list[Row]]) -> tuple[str, str]:
    """Return the title of a recipe's group, and what tells it from others there.

    A recipe's docstring says the machine, a colon, and what it shall do.
    """
    if recipe not in RECIPES:
        return "others", recipe
    machine, _, what = describe_recipe(recipe).partition(": ")
    if recipe.startswith(f"{PAPERS}nram"):
        return "as in the paper of the NRAM (Kurach et al. 2016)", what
    if recipe.startswith(PAPERS):
        return "as in the paper of the NTM (Graves et al. 2014)", machine.partition(", as in")[
            0
        ]
    if recipe.startswith("nram-"):
        return "NRAM: programs on a memory of integers", what
    task = re.sub("^(ntm-)?(ff-|lstm-|transformer-)?", "", recipe)
    same = (title for title in groups if title.startswith(f"{task}: "))
    return next(same, f"{task}: {what}" if what else task), machine


def _sizes(training: TrainingConfig) -> str:
    smallest, largest = training.curriculum.smallest, training.curriculum.largest
    return f"{largest}" if smallest == largest else f"{smallest}-{largest}"


def _print(groups: dict[str, list[Row]], heads: tuple[str, ...]) -> None:
    """Print groups of rows as tables with the same columns."""
    rows = [row for group in groups.values() for row in group]
    names = max(len(row.name) for row in rows)
    widths = [
        max(len(head), *(len(row.columns[i]) for row in rows))
        for i, head in enumerate(heads[2:])
    ]
    console = Console()
    for title, group in groups.items():
        table = Table(
            title=title, title_justify="left", title_style="bold", box=None, pad_edge=False,
            show_header=title == next(iter(groups)), expand=True,
        )  # fmt: skip
        table.add_column(heads[0], min_width=names, no_wrap=True)
        table.add_column(heads[1], ratio=1)
        for head, width in zip(heads[2:], widths, strict=True):
            table.add_column(head, min_width=width, no_wrap=True, justify="right")
        for row in group:
            table.add_row(row.name, row.what, *row.columns)
        console.print(table)
        console.print()


def print_info() -> None:
    """Print versions, devices, and where compiled programs are kept."""
    use_all_cores()
    print(f"softmachine {softmachine.__version__}")
    print(f"Python      {platform.python_version()} on {platform.platform()}")
    for package in ("jax", "jaxlib", "equinox", "optax"):
        print(f"{package:11} {importlib.metadata.version(package)}")
    for device in jax.devices():
        print(f"device      {device.platform} {device.id}: {device.device_kind}")
    use = use_compilation_cache()
    if use.directory is None:
        print(f"cache       none: {use.why_not}")
        return
    programs, size = cache_size(use.directory)
    most = jax.config.jax_compilation_cache_max_size  # pyright: ignore[reportAttributeAccessIssue]
    bound = f" of at most {most / 1e6:.0f} MB" if most >= 0 else ""
    print(f"cache       {use.directory}")
    print(f"            {programs:,} compiled programs, {size / 1e6:.1f} MB{bound}")
    print(f"            ({VARIABLE}=off keeps none, {VARIABLE}=PATH keeps them there)")
