"""The commands that list recipes, models, versions and devices."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections import Counter
from typing import NamedTuple

import jax
from rich.console import Console
from rich.table import Table

import softmachine
from softmachine import zoo
from softmachine.core import native
from softmachine.core.compilation_cache import VARIABLE, cache_size, use_compilation_cache
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.experiments.serialization import experiment_from_json
from softmachine.recipes.chomsky import MACHINES as CHOMSKY_MACHINES
from softmachine.recipes.chomsky import TASKS as CHOMSKY_TASKS
from softmachine.recipes.registry import RECIPES, describe_recipe, get_recipe
from softmachine.running.devices import use_all_cores
from softmachine.tasks.registry import TASKS
from softmachine.zoo.models import HOME, read_model

PAPERS = "paper-"
"""How names of recipes with the papers' own settings begin."""
CHOMSKY = "-chomsky-"
"""What names of recipes of the Chomsky hierarchy have in them."""
MOST_OF_NAME = 26
"""The most letters of a name for which all groups have the same columns."""


class Row(NamedTuple):
    """A recipe or a model in a list."""

    name: str
    machine: str
    """The machine in words."""
    what: str
    """What it shall do; may be empty."""
    columns: tuple[str, ...]


class Group(NamedTuple):
    """What recipes or models are listed together."""

    name: str
    one_task: bool
    """Whether all of them are trained on one task, which the group is named after."""

    def title(self, rows: list[Row]) -> str:
        """Return the title above its rows."""
        what = next((row.what for row in rows if row.what), "") if self.one_task else ""
        return f"{self.name}: {what}" if what else self.name

    def tell(self, row: Row, rows: list[Row]) -> str:
        """Return what tells a row from others: its machine, what it shall do, or both.

        The machine that most of them have is left out.
        """
        if self.one_task or not row.what:
            return row.machine
        usual = Counter(row.machine for row in rows).most_common(1)[0][0]
        return row.what if row.machine == usual else f"{row.machine}: {row.what}"


Groups = dict[Group, list[Row]]


def list_recipes(all_of_them: bool) -> None:
    """Print recipes by what they train, with the sizes and the length of their training."""
    names = [name for name in RECIPES if all_of_them or not name.startswith(PAPERS)]
    names = [name for name in names if CHOMSKY not in name]
    groups: Groups = {}
    unusable = []
    for name in names:
        try:
            experiment = get_recipe(name)
            group = _group(name, experiment)
        except SoftmachineError as error:  # another package's: the others can be listed
            unusable.append(str(error))
            continue
        training = experiment.training
        columns = (_sizes(training), f"{training.max_sequences:,}")
        groups.setdefault(group, []).append(_row(name, name, columns))
    _print(groups, ("recipe", "", "sizes", "sequences"))
    _print_chomsky()
    print("Sizes are those trained on; sequences are the most that one training takes.")
    for message in unusable:
        print(f"Not listed: {message}")
    more = sum(name.startswith(PAPERS) and CHOMSKY not in name for name in RECIPES)
    if more and not all_of_them:
        print(f"{more} more have the papers' own settings: softmachine recipes --all")
    print("Start with:  softmachine train ntm-copy")
    print("             softmachine train nram-access --members 16")
    print("All settings of one:  softmachine train ntm-copy --help")


def _print_chomsky() -> None:
    """Print the recipes of the Chomsky hierarchy as two lists: machines, and tasks."""
    console = Console()
    table = Table(
        title="Chomsky hierarchy: MACHINE-chomsky-TASK; with the paper's settings, paper-...",
        title_justify="left", title_style="bold", box=None, pad_edge=False, show_header=False,
        expand=True,
    )  # fmt: skip
    table.add_column()
    table.add_column(ratio=1)
    for name, (_, told) in CHOMSKY_MACHINES.items():
        table.add_row(name, told)
    console.print(table)
    console.print(f"TASK is one of {', '.join(CHOMSKY_TASKS)}.")
    console.print("All of them in one table: softmachine chomsky\n")


def list_zoo() -> None:
    """Print every trained model that ships, how large it is, and how good."""
    groups: Groups = {}
    places = {recipe: i for i, recipe in enumerate(RECIPES)}
    models = {name: read_model(HOME / f"{name}.json") for name in zoo.names()}
    models = dict(
        sorted(models.items(), key=lambda x: places.get(x[1]["card"]["recipe"], len(places)))
    )
    for name, model in models.items():
        card = model["card"]
        experiment = experiment_from_json(model["experiment"], name)
        error = f"{card['validation'][card['error']]:.3g} {card['error'].split('_')[0]}"
        columns = (_sizes(experiment.training), error, f"{card['bytes'] / 1000:,.0f} kB")
        row = _row(card["recipe"], f"zoo:{name}", columns)
        row = row._replace(machine=row.machine.removesuffix(" controller"))
        groups.setdefault(_group(card["recipe"], experiment), []).append(row)
    _print(groups, ("model", "", "sizes", "validation", "weights"))
    print("Sizes are those trained on; validation: how many bits, symbols, cells or steps")
    print("are wrong there, per sequence (ngrams: bits in excess of the best possible).")
    print("At larger sizes:       softmachine evaluate zoo:ntm-copy --sizes 20 120")
    print("Watch them at work:    softmachine view zoo:ntm-copy zoo:nram-copy")
    print("What an NTM does:      softmachine moves zoo:ntm-copy")
    print("An NRAM as a program:  softmachine program zoo:nram-copy")
    print(f"Their cards:           {HOME}")


def _group(recipe: str, experiment: Experiment) -> Group:
    """Return the group of a recipe: its paper's, or that of what it trains on.

    All tasks that hand over a whole memory are one group.
    """
    if recipe in RECIPES and recipe.startswith(PAPERS):
        module = sys.modules[RECIPES[recipe].__module__]
        return Group((module.__doc__ or recipe).splitlines()[0].rstrip("."), one_task=False)
    if not experiment.task.inputs.per_step:
        return Group("memories: programs on a memory of integers", one_task=False)
    return Group(TASKS.name_of(type(experiment.task)), one_task=True)


def _row(recipe: str, name: str, columns: tuple[str, ...]) -> Row:
    """Return the row of a recipe, or of a model trained with it.

    A recipe's docstring says the machine, a colon, and what it shall do.
    """
    if recipe not in RECIPES:
        return Row(name, recipe, "", columns)
    machine, _, what = describe_recipe(recipe).partition(": ")
    return Row(name, machine.partition(", as in")[0], what, columns)


def _sizes(training: TrainingConfig) -> str:
    smallest, largest = training.curriculum.smallest, training.curriculum.largest
    return f"{largest}" if smallest == largest else f"{smallest}-{largest}"


def _print(groups: Groups, heads: tuple[str, ...]) -> None:
    """Print groups of rows as tables with the same columns."""
    rows = [row for group in groups.values() for row in group]
    names = min(MOST_OF_NAME, max(len(row.name) for row in rows))
    widths = [
        max(len(head), *(len(row.columns[i]) for row in rows))
        for i, head in enumerate(heads[2:])
    ]
    console = Console()
    for group, members in groups.items():
        table = Table(
            title=group.title(members), title_justify="left", title_style="bold",
            box=None, pad_edge=False, show_header=group == next(iter(groups)), expand=True,
        )  # fmt: skip
        table.add_column(heads[0], min_width=names, no_wrap=True)
        table.add_column(heads[1], ratio=1)
        for head, width in zip(heads[2:], widths, strict=True):
            table.add_column(head, min_width=width, no_wrap=True, justify="right")
        for row in members:
            table.add_row(row.name, group.tell(row, members), *row.columns)
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
    made_with = native.use()
    print(f"native      {'' if made_with.compiler else 'none: '}{made_with.version}")
    use = use_compilation_cache()
    if use.directory is None:
        print(f"cache       none: {use.why_not}")
        return
    programs, size = cache_size(use.directory)
    most = jax.config.jax_compilation_cache_max_size  # pyright: ignore[reportAttributeAccessIssue]
    bound = f" of at most {most / 1e6:.0f} MB" if most >= 0 else ""
    print(f"cache       {use.directory}")
    print(f"            {programs:,} compiled programs, {size / 1e6:.1f} MB{bound}")
    print(f"            {VARIABLE}=off keeps none,")
    print(f"            {VARIABLE}=PATH keeps them there")
