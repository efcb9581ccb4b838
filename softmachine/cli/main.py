"""Commands: parse, call the library, print.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import tyro
from tyro.conf import Positional, arg

from softmachine.errors import SoftmachineError

Directory = Annotated[str, arg(metavar="RUN")]

app = tyro.extras.SubcommandApp()


@app.command
def recipes() -> None:
    """List the recipes."""
    from softmachine.cli.commands import list_recipes

    list_recipes()


@app.command
def train(
    recipe: Positional[Annotated[str, arg(metavar="RECIPE")]],
    /,
    run: str | None = None,
    seed: int | None = None,
) -> NoReturn:
    """Train a recipe; its fields can be overridden (softmachine train RECIPE --help).

    Args:
        recipe: name of a recipe.
        run: directory to write, runs/RECIPE-SEED by default.
        seed: random seed.
    """
    del recipe, run, seed
    raise AssertionError(
        "main() handles this command, because its options depend on the recipe"
    )


@app.command
def resume(run: Positional[Directory], /) -> None:
    """Continue a run where its last checkpoint left it.

    Args:
        run: run directory.
    """
    from softmachine.cli.commands import resume_run

    resume_run(Path(run))


@app.command
def evaluate(
    run: Positional[Directory],
    /,
    sizes: tuple[int, ...] = (20, 60, 120),
    sequences: int = 1000,
    seed: int = 0,
    memory_rows: int | None = None,
    json: bool = False,
) -> None:
    """Score a run's best machine on fresh sequences of any size.

    Args:
        run: run directory.
        sizes: sizes of the sequences.
        sequences: number of sequences per size.
        seed: random seed of the sequences.
        memory_rows: grow the memory to this many rows first.
        json: print one JSON object instead of a table.
    """
    from softmachine.cli.commands import evaluate_run

    evaluate_run(Path(run), sizes, sequences, seed, memory_rows, as_json=json)


@app.command
def plot(run: Positional[Directory], /, size: int | None = None, seed: int = 0) -> None:
    """Draw a run: learning curve, generalisation curve, one example step by step.

    Args:
        run: run directory.
        size: size of the example, the largest trained by default.
        seed: random seed of the example.
    """
    from softmachine.cli.commands import plot_run

    plot_run(Path(run), size, seed)


@app.command
def info() -> None:
    """Print versions and devices."""
    from softmachine.cli.commands import print_info

    print_info()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with status 2 and one line for the user's errors."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _dispatch(arguments)
    except SoftmachineError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing is left to say, even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def fail(message: str) -> NoReturn:
    """Print one line on standard error and exit with status 2."""
    print("softmachine: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)


def one_line_errors(parse, *args, **kwargs):
    """Call a tyro parser; turn its boxed error message into one line.

    The box starts with its title and the message; a rule separates them from hints.
    """
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            return parse(*args, **kwargs)
    except SystemExit as stop:
        if not stop.code:
            raise
        rows = [row.strip("│ ") for row in captured.getvalue().splitlines()]
        rows = [row for row in rows if row and row[0] not in "╰"]
        end = next((i for i, row in enumerate(rows) if set(row) <= {"─"}), len(rows))
        message = " ".join(rows[:end] if not rows[0].startswith("╭") else rows[1:end])
        fail(message or f"cannot parse: {captured.getvalue()}")


def _dispatch(arguments: list[str]) -> None:
    if arguments[:1] == ["train"] and arguments[1:2] and not arguments[1].startswith("-"):
        from softmachine.cli.commands import train_recipe

        train_recipe(arguments[1], arguments[2:])
    elif arguments == ["--version"]:
        import softmachine

        print(f"softmachine {softmachine.__version__}")
    else:
        one_line_errors(
            app.cli,
            args=arguments or ["--help"],
            prog="softmachine",
            description="Differentiable computers: soft while they learn, hard when they run.",
        )
