"""The entry of the command line: find the command, parse, call, say in one line what failed.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import tyro

from softmachine.cli import commands as _commands  # noqa: F401, this fills COMMANDS
from softmachine.cli import commands_on_models as _commands_on_models  # noqa: F401, so does this
from softmachine.cli import commands_on_runs as _commands_on_runs  # noqa: F401, so does this
from softmachine.cli.beginning import note_beginning
from softmachine.cli.command import COMMANDS, app
from softmachine.cli.failures import (
    close_broken_pipe,
    end_on_sigterm,
    fail,
    fail_unforeseen,
    notes,
    signals_heard,
)
from softmachine.cli.own import import_own, option, train_on_data, train_own
from softmachine.cli.parsing import one_line_errors
from softmachine.core.errors import SoftmachineError, close_names


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with status 2 and one line for the user's errors.

    Whatever else goes wrong is one line, too, with the name of a file that holds the traceback.
    """
    note_beginning(process=arguments is None)
    arguments = sys.argv[1:] if arguments is None else arguments
    end_on_sigterm()
    try:
        with notes(), signals_heard():
            _dispatch(arguments)
    except SoftmachineError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        close_broken_pipe()
    except Exception as error:
        fail_unforeseen(error, arguments)


def _dispatch(arguments: list[str]) -> None:
    own, arguments = option(arguments, "--from")
    if arguments[:1] == ["train"]:
        _train(own, arguments[1:])
        return
    if own is not None:
        import_own(own)
    if arguments == ["--version"]:
        import softmachine

        print(f"softmachine {softmachine.__version__}")
    elif arguments and not arguments[0].startswith("-"):
        call = _parse_command(*arguments)
        _keep_programs()
        call()
    else:
        one_line_errors(
            app.cli,
            args=arguments or ["--help"],
            prog="softmachine",
            description="Differentiable computers: soft while they learn, hard when they run."
            "\n\nWith --from MODULE each command knows tasks and machines of your own.",
        )


def _train(own: str | None, arguments: list[str]) -> None:
    """Train: what is asked for decides which options there are."""
    config, others = option(arguments, "--config")
    data, others = option(others, "--data")
    given = {"--config": config, "--data": data, "--from": own}
    if data is not None and len(named := [x for x in given if given[x] is not None]) > 1:
        raise SoftmachineError(f"{' and '.join(named)} exclude each other")
    if config is not None:
        if own is not None and import_own(own)[1]:
            module, _, function = own.partition(":")
            raise SoftmachineError(
                f"--config {config} and the function {function} of --from each give an "
                f"experiment: leave --config out, or say --from {module}"
            )
        from softmachine.cli.training import train_config

        _keep_programs()
        train_config(Path(config), others)
    elif data is not None:
        _keep_programs()
        train_on_data(data, others)
    elif own is not None:
        _keep_programs()
        train_own(own, others)
    elif arguments and not arguments[0].startswith("-"):
        from softmachine.cli.training import train_recipe

        _keep_programs()
        train_recipe(arguments[0], arguments[1:])
    else:
        call = _parse_command("train", *arguments)
        _keep_programs()
        call()


def _keep_programs() -> None:
    """Let JAX find what earlier commands have compiled; help does without JAX."""
    from softmachine.core.compilation_cache import use_compilation_cache

    use_compilation_cache()


def _parse_command(name: str, *arguments: str) -> Callable[[], None]:
    """Return the call of a command, parsed by itself: only its own options are suggested."""
    parsed = COMMANDS.get(name)
    if parsed is None:
        known = f"; the commands are {', '.join(COMMANDS)}"
        raise SoftmachineError(
            f"there is no command {name!r}{close_names(name, COMMANDS) or known}"
        )
    note = ""
    if "machine" in inspect.signature(parsed).parameters and (source := _source(arguments)):
        from softmachine.cli.options import flags, with_options
        from softmachine.cli.sources import experiment_of

        options = experiment_of(source).machine.test_options
        parsed = with_options(parsed, "machine", options)
        note = f". The machine of {source} has {flags(options) or 'no options'} of its own"
    try:
        args = _gathered(arguments)
        return one_line_errors(tyro.cli, parsed, args=args, prog=f"softmachine {name}")
    except SoftmachineError as error:
        unknown = "Unrecognized options" in str(error)
        if unknown and any(word.startswith("--task.") for word in arguments):
            note += ". Fields of the task are changed by --task FIELD=VALUE"
        raise SoftmachineError(f"{error}{note if unknown else ''}") from None


def _gathered(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with one ``--task`` for all: of several a parser takes the last."""
    others, fields, taking = list[str](), list[str](), False
    for word in arguments:
        if word.startswith("-"):
            taking = word == "--task"
        if word.startswith("--task="):
            fields.append(word.removeprefix("--task="))
        elif taking and word != "--task":
            fields.append(word)
        elif not taking:
            others.append(word)
    return [*others, "--task", *fields] if fields else [*arguments]


def _source(arguments: Sequence[str]) -> str | None:
    """Return the first word that names a machine."""
    for place, word in enumerate(arguments):
        alone = place == 0 and not word.startswith("-")
        if alone or word.startswith(("zoo:", "hf:")) or os.path.isdir(word):
            return word
    return None
