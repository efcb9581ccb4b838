"""The commands that list, fetch and train; what each one does is imported when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from softmachine.cli.beginning import beginning
from softmachine.cli.command import command
from softmachine.core.choices import Count, Few, Natural, Positive
from softmachine.core.errors import SoftmachineError

Directory = Annotated[str, arg(metavar="RUN")]


@command
def recipes(all: bool = False) -> None:  # noqa: A002
    """List the recipes, by what they train, and what to start with.

    Args:
        all: list those with the papers' own settings as well.
    """
    from softmachine.cli.listing import list_recipes

    list_recipes(all)


@command
def zoo() -> None:
    """List the trained models that ship; each can be used as a RUN."""
    from softmachine.cli.listing import list_zoo

    list_zoo()


@command
def info() -> None:
    """Print versions, devices, and where compiled programs are kept."""
    from softmachine.cli.listing import print_info

    print_info()


@command
def data(
    what: Positional[Annotated[Literal["omniglot"], arg(metavar="omniglot")]],
    /,
    out: str | None = None,
    small: bool = False,
    mirror: str | None = None,
) -> None:
    """Fetch images for one-shot learning: Omniglot, 1,623 handwritten characters (16 MB).

    Args:
        what: the data set.
        out: directory to write, data/omniglot or data/omniglot-small by default.
        small: fetch the two small background sets, 242 characters (3 MB).
        mirror: address of a copy of the published files.
    """
    from softmachine.cli.data import fetch_omniglot

    del what  # there is one
    fetch_omniglot(None if out is None else Path(out), small, mirror)


@command
def train(
    recipe: Positional[Annotated[str | None, arg(metavar="RECIPE")]] = None,
    /,
    config: str | None = None,
    data: str | None = None,
    from_: Annotated[str | None, arg(name="from")] = None,
    run: str | None = None,
    seed: Natural | None = None,
    members: Count | None = None,
    workers: str | None = None,
) -> None:
    """Train a recipe; its fields can be overridden (softmachine train RECIPE --help).

    Args:
        recipe: name of a recipe.
        config: a run's config.json, to train what it holds instead of a recipe.
        data: a .jsonl or .csv file of your own sequences, or a folder of such files; then
            RECIPE is the name of a machine, such as ntm.
        from_: MODULE:FUNCTION, a function of your own that returns an experiment; for every
            command, a MODULE that registers tasks and machines of your own.
        run: directory to write, runs/RECIPE-SEED by default, runs/RECIPE-xN for N members.
        seed: random seed.
        members: train a population of N members, with seeds counted from the seed.
        workers: train on so many processes, or on a Dask cluster, such as tcp://host:8786.
    """
    from softmachine.cli.training import train_recipe

    # With the recipe first, or what stands in its place, which have options of their own,
    # `_train` of the entry comes before this.
    if recipe is None:
        raise SoftmachineError("train needs a RECIPE, --config FILE, or --from MODULE:FUNCTION")
    assert config is data is from_ is None
    given = {"--run": run, "--seed": seed, "--members": members, "--workers": workers}
    options = [(name, str(value)) for name, value in given.items() if value is not None]
    train_recipe(recipe, [word for option in options for word in option])


@command
def resume(run: Positional[Directory], /, workers: str | None = None) -> None:
    """Continue a run or a population where its last checkpoint left it.

    Args:
        run: directory of a run or a population.
        workers: train on so many processes, or on a Dask cluster, such as tcp://host:8786.
    """
    from softmachine.cli.training import resume

    resume(Path(run), workers)


@command
def chomsky(
    folder: Positional[Annotated[str, arg(metavar="FOLDER")]] = "runs/chomsky",
    /,
    machines: tuple[str, ...] = (),
    tasks: tuple[str, ...] = (),
    seeds: Natural = 3,
    updates: Count | None = None,
    strings: Count = 8,
    longest: Natural = 0,
    out: str = "chomsky.md",
    workers: str | None = None,
) -> None:
    """Make the table of the Chomsky hierarchy: machines on 15 tasks; the same command goes on.

    Each seed of a machine on a task is a run in FOLDER. Those that are finished are never run
    again, nor are those that have no run there but stand in the JSON of --out: so one table is
    made on several days and computers. Without options it takes some days.

    Args:
        folder: directory of the runs.
        machines: which machines to train, such as stack-rnn tape-rnn; all by default.
        tasks: which tasks to train them on, such as reverse-string; all by default.
        seeds: how many runs of each machine on each task; 0 trains nothing.
        updates: end new runs after so many updates; after 20,000 by default.
        strings: how many strings of each length from 41 to 500 score a run.
        longest: test the best run of each solved cell on strings up to so long, such as 10000,
            and draw it. It takes minutes for each.
        out: the Markdown file to write; the JSON goes beside it.
        workers: share the seeds of a cell among so many processes, or a Dask cluster, such as
            tcp://host:8786.
    """
    from softmachine.cli.chomsky import make_table

    make_table(
        Path(folder), machines, tasks, seeds, updates, strings, longest, Path(out), workers
    )


@command
def synthesize(
    examples: Positional[Annotated[str, arg(metavar="EXAMPLES")]],
    /,
    run: str | None = None,
    minutes: Positive = 10.0,
    seed: Natural = 0,
    members: Count = 32,
    enough: Count = 1,
    memory: Count = 16,
    steps_per_size: Natural = 1,
    registers: Few = 5,
    gates: tuple[str, ...] = (),
    layout: Literal["auto", "function", "memory"] = "auto",
    workers: str | None = None,
) -> None:
    """Look for a program that does what examples show.

    Args:
        examples: a file of lines such as {"inputs": [[3, 1, 2], 5], "output": [1, 2, 3]}, one
            JSON array of them, or CSV.
        run: directory to write, runs/synthesize-NAME by default.
        minutes: time that it takes at most, from now.
        seed: random seed.
        members: how many machines look for it.
        enough: how many have to find one.
        memory: cells of the largest memory that is trained on; larger examples test.
        steps_per_size: steps for each unit of an example's size; there is one more.
            0: the square of the size plus one, for loops in loops.
        registers: registers of each machine.
        gates: gates in the order in which every step uses them; the NRAM paper's by default.
        layout: what examples are of: a function, or memories; by default told from the file.
        workers: search and train on so many processes, or a Dask cluster, such as
            tcp://host:8786.
    """
    begin = beginning()
    print(f"  0:00  reading {examples}", flush=True)  # what is imported now takes seconds
    from softmachine.cli.synthesis import Options, synthesize
    from softmachine.machines.nram.gates import PAPER_GATES

    options = Options(
        seed, members, enough, memory, steps_per_size, registers, gates or PAPER_GATES
    )
    synthesize(
        Path(examples), None if run is None else Path(run), minutes, options, layout=layout,
        begin=begin, workers=workers,
    )  # fmt: skip


@command
def lesson(
    what: Positional[Annotated[Literal["start", "check"], arg(metavar="start|check")]],
    number: Positional[Annotated[Count, arg(metavar="N")]],
    file: Positional[Annotated[str | None, arg(metavar="FILE")]] = None,
    /,
) -> None:
    """Do the exercise of one of the four lessons: write its file, then check it.

    Args:
        what: start writes the file, check tells what is right in it; its code is run.
        number: the lesson, 1 to 4.
        file: the file, lessonN.py by default.
    """
    from softmachine.cli.lessons import do_lesson

    do_lesson(what, number, None if file is None else Path(file))
