"""The commands on what was trained; what each one does is imported when called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, arg

from softmachine.cli.command import command
from softmachine.cli.commands import Directory
from softmachine.core.choices import Count, Natural, Port, Positive
from softmachine.core.errors import SoftmachineError

Source = Annotated[str, arg(metavar="RUN|zoo:NAME")]

OfTheMachine = Annotated[Mapping[str, Any], tyro.conf.Suppress]
"""What is changed about a machine for a test: fields of its own test options."""
NO_CHANGES: Mapping[str, Any] = MappingProxyType({})


@command
def evaluate(
    run: Positional[Source],
    /,
    sizes: tuple[Count, ...] = (),
    sequences: Count = 1000,
    seed: Natural = 0,
    memory_rows: Count | None = None,
    task: tuple[str, ...] = (),
    json: bool = False,
    csv: bool = False,
    *,
    machine: OfTheMachine = NO_CHANGES,
) -> None:
    """Score the best machine of a run, of each member of a population, or of the zoo.

    Machines have options of their own: softmachine evaluate RUN --help shows them.

    Args:
        run: directory of a run or a population, or zoo:NAME.
        sizes: sizes of the sequences; the largest trained and its multiples by default.
        sequences: number of sequences per size.
        seed: random seed of the sequences.
        memory_rows: grow the memory to this many rows first.
        task: fields of the task to change, such as repeats=[20,20].
        json: print one JSON object per machine instead of a table.
        csv: print CSV instead, a line per machine and size.
        machine: how this machine can be tested otherwise than it was trained.
    """
    from softmachine.cli.scoring import Changes, evaluate_source

    if csv and json:
        raise SoftmachineError("--csv and --json exclude each other")
    options = Changes(memory_rows, task, machine)
    form = "json" if json else "csv" if csv else "table"
    evaluate_source(run, sizes, sequences, seed, options, form)


@command
def metrics(run: Positional[Directory], /) -> None:
    """Print what every validation of a run, or of each member, has found, as CSV.

    Args:
        run: directory of a run or a population.
    """
    from softmachine.cli.scoring import print_metrics

    print_metrics(run)


@command
def omniglot_runs(
    run: Positional[Source],
    /,
    path: str = "data/omniglot",
    orders: Count = 10,
    seed: Natural = 0,
    memory_rows: Count | None = None,
    task: tuple[str, ...] = (),
    json: bool = False,
    *,
    machine: OfTheMachine = NO_CHANGES,
) -> None:
    """Score machines that name images on the 20 runs of Lake et al.: 20-way, one shot.

    Machines have options of their own: softmachine omniglot-runs RUN --help shows them.

    Args:
        run: directory of a run or a population, or zoo:NAME.
        path: all_runs.zip, a folder with it, or omniglot-runs.npz.
        orders: orders of the drawings, with names of their own, that vote; 1 for no vote.
        seed: random seed of orders and names.
        memory_rows: grow the memory to this many rows first.
        task: fields of the task to change, such as aligned=true.
        json: print one JSON object per machine instead of a table.
        machine: how this machine can be tested otherwise than it was trained.
    """
    from softmachine.cli.omniglot_runs import score_source
    from softmachine.cli.scoring import Changes

    options = Changes(memory_rows, task, machine)
    score_source(run, path, orders, seed, options, as_json=json)


@command
def plot(
    runs: Positional[tuple[Source, ...]],
    /,
    size: Count | None = None,
    seed: Natural = 0,
    out: str | None = None,
    memory_rows: Count | None = None,
    task: tuple[str, ...] = (),
    *,
    machine: OfTheMachine = NO_CHANGES,
) -> None:
    """Draw figures: one machine in detail, or populations and baselines side by side.

    Machines have options of their own: softmachine plot RUN --help shows them.

    Args:
        runs: directories of runs or populations, or zoo:NAME.
        size: size of the example, the largest trained by default.
        seed: random seed of the example and of the test sequences.
        out: directory for the figures, that of the first run by default.
        memory_rows: grow the memory to this many rows first.
        task: fields of the task to change, such as repeats=[20,20].
        machine: how this machine can be tested otherwise than it was trained.
    """
    from softmachine.cli.scoring import Changes, plot_sources

    options = Changes(memory_rows, task, machine)
    plot_sources(runs, size, seed, None if out is None else Path(out), options)


@command
def repair(
    run: Positional[Directory],
    /,
    updates: Count = 300,
    tables: Count = 1_000_000,
    examples: Count = 1000,
    seed: Natural = 0,
) -> None:
    """Mend NRAMs whose hard form makes mistakes, in several ways; say how often each helps.

    Single wires are changed, the machine is fine-tuned, all wires are annealed.

    Args:
        run: directory of a run or a population.
        updates: how long to fine-tune.
        tables: how many tables of wires to try by annealing, for each member.
        examples: how many examples, up to size 50, tell whether it helped.
        seed: random seed of the examples.
    """
    from softmachine.cli.repair import repair_source

    repair_source(run, updates, tables, examples, seed)


@command
def moves(
    run: Positional[Source],
    /,
    size: Count = 4,
    seed: Natural = 0,
    sequences: Count = 1000,
    memory_rows: Count | None = None,
) -> None:
    """Print where an NTM's heads move, and test if the moves alone reproduce its outputs.

    Args:
        run: directory of a run, or zoo:NAME.
        size: size of the example, and of the sequences.
        seed: random seed of both.
        sequences: number of fresh sequences for the check.
        memory_rows: grow the memory to this many rows first.
    """
    from softmachine.cli.moves import tell_moves

    tell_moves(run, size, seed, sequences, memory_rows)


@command
def trace(
    run: Positional[Source],
    /,
    out: str,
    size: Count | None = None,
    seed: Natural = 0,
    input: str | None = None,  # noqa: A002
    every: Count = 1,
    fields: tuple[str, ...] | None = None,
    memory_rows: Count | None = None,
    task: tuple[str, ...] = (),
    kind: str | None = None,
    *,
    machine: OfTheMachine = NO_CHANGES,
) -> None:
    """Write what a machine does on one example, step by step; see docs/traces.md.

    Machines have options of their own: softmachine trace RUN --help shows them.

    Args:
        run: directory of a run, or zoo:NAME.
        out: the file to write.
        size: size of the example, the largest trained by default.
        seed: random seed of the example.
        input: JSON file with an input of your own, instead of size and seed.
        every: keep every k-th step, and the last.
        fields: what to keep of each step, such as memory weightings; all by default.
        memory_rows: grow the memory to this many rows first.
        task: fields of the task to change, such as repeats=[20,20].
        kind: of a machine that runs several programs, which to run, such as quicksort.
        machine: how this machine can be tested otherwise than it was trained.
    """
    from softmachine.cli.scoring import Changes
    from softmachine.cli.viewing import write_trace

    options = Changes(memory_rows, task, machine)
    own = None if input is None else Path(input)
    write_trace(run, Path(out), size, seed, own, every, fields, options, kind)


@command
def view(
    sources: Positional[tuple[Annotated[str, arg(metavar="RUN|zoo:NAME|FILE")], ...]],
    /,
    port: Port = 0,
    open: bool = True,  # noqa: A002
) -> None:
    """Watch machines at work in the browser, on inputs of your own; Ctrl-C ends it.

    Args:
        sources: directories of runs, zoo:NAME, or files written by softmachine trace.
        port: port to serve on, at 127.0.0.1; 0 takes any that is free.
        open: whether to open the browser.
    """
    from softmachine.cli.viewing import view_sources

    view_sources(sources, port=port, open_browser=open)


@command
def report(
    run: Positional[Source],
    /,
    out: str | None = None,
    seed: Natural = 0,
    live: bool = False,
) -> None:
    """Write one HTML file: settings, curves, generalisation, examples that play.

    Args:
        run: directory of a run, or zoo:NAME.
        out: the file to write, report.html in the run by default; live.html with --live.
        seed: random seed of the test sequences and the examples.
        live: write the machine itself, which runs in the browser on inputs typed there.
    """
    from softmachine.cli.viewing import write_live, write_report

    path = None if out is None else Path(out)
    if live:
        write_live(run, path)
    else:
        write_report(run, path, seed)


@command
def ledger(
    runs: Positional[tuple[Directory, ...]],
    /,
    out: str = "results.md",
    sequences: Count = 1000,
    keep_others: bool = False,
    workers: str | None = None,
) -> None:
    """Write a table of results, with the paper's beside ours, as Markdown and JSON.

    Args:
        runs: directories of runs and populations, or folders that hold them.
        out: the Markdown file to write; the JSON goes beside it.
        sequences: number of sequences per test.
        keep_others: keep what OUT's JSON says of recipes that have no run here, and of
            other seeds of the same experiments.
        workers: share the runs among so many processes, or a Dask cluster, such as
            tcp://host:8786, whose workers find the runs at the same paths.
    """
    from softmachine.cli.scoring import write_ledger

    write_ledger(runs, Path(out), sequences, keep_others=keep_others, workers=workers)


@command
def program(
    run: Positional[Source],
    /,
    to: Literal["python", "c", "json", "svg", "dot"] = "python",
    out: str | None = None,
    verify: bool = False,
    seed: Natural = 0,
) -> None:
    """Turn an NRAM into a program: Python or C, its data, or a drawing.

    A Stack-RNN on a counting language becomes an automaton: Python or JSON.

    Args:
        run: directory of a run, or zoo:NAME.
        to: what to print; svg and dot are drawings, dot one for Graphviz.
        out: the file to write instead.
        verify: compare it with machine and task first; a counter-example is an error.
        seed: random seed of the inputs for that.
    """
    from softmachine.cli.programs import write_program

    write_program(run, to, None if out is None else Path(out), verify, seed)


@command
def compile(  # noqa: A001
    program: Positional[Annotated[str, arg(metavar="PROGRAM")]],
    /,
    recipe: str | None = None,
    out: str | None = None,
    decided: Positive = 30.0,
) -> None:
    """Make a machine that has a program's wires in its weights; the way back from `program`.

    Args:
        program: what `program --to json` wrote, a table of wires as JSON, circuits as text, or
            an NRAM: directory of a run, or zoo:NAME.
        recipe: the recipe whose task the machine is for, and which trains it on; by default
            that of the program's own machine.
        out: directory of the run to write, runs/compiled-NAME by default.
        decided: logit of what is chosen, and minus that of all else; with less than 10 the soft
            machine is in doubt.
    """
    from softmachine.cli.compiling import compile_machine

    compile_machine(program, recipe, None if out is None else Path(out), decided)


@command
def verify(
    run: Positional[Source],
    /,
    sizes: tuple[Natural, ...] = (1, 2, 3, 5, 10, 20),
    examples: Count = 30,
    seed: Natural = 0,
    most_steps: Count = 1_000_000,
    out: str | None = None,
) -> None:
    """Prove that an NPI is right on every input, or say on which calls it is wrong.

    A recursive program makes finitely many different calls: all are checked. Then it is run on
    random problems; of other programs that is all that can be done.

    Args:
        run: directory of a run or a population, or zoo:NAME.
        sizes: sizes of the problems: digits, numbers or vertices.
        examples: number of problems of each size.
        seed: random seed of the problems.
        most_steps: steps of the core after which a run counts as failed.
        out: a JSON file to write what was found to.
    """
    from softmachine.cli.proving import verify as verify_runs

    verify_runs(run, sizes, examples, seed, most_steps, None if out is None else Path(out))
