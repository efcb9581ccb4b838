"""A lesson's exercise: functions to write, and what tells whether they are right."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from softmachine.core.errors import SoftmachineError

Check = Callable[[Callable[..., Any]], str | None]
"""Takes a student's function; returns what is wrong with it, or None."""


class Lesson(NamedTuple):
    """What a student is asked to write."""

    title: str
    start: str
    """The file to begin with: functions with a docstring and nothing in them."""
    checks: Mapping[str, Check]
    """For each function of the file what tells whether it is right."""


class Answer(NamedTuple):
    """What became of one function."""

    function: str
    wrong: str | None
    """What is wrong with it, or None."""


def check(lesson: Lesson, path: Path) -> Iterator[Answer]:
    """Run a student's file, and check its functions one by one.

    Raises SoftmachineError if the file cannot be read or does not run.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SoftmachineError(f"{path} cannot be read: {reason}") from error
    module: dict[str, Any] = {"__name__": "lesson", "__file__": str(path)}
    try:
        exec(compile(source, str(path), "exec"), module)
    except (Exception, SystemExit) as error:
        raise SoftmachineError(f"{path} does not run: {_told(error, path)}") from error
    for name, one in lesson.checks.items():
        function = module.get(name)
        if not callable(function):
            yield Answer(name, "there is no such function in the file")
            continue
        try:
            yield Answer(name, one(function))
        except NotImplementedError:
            yield Answer(name, "not written yet")
        except Exception as error:
            yield Answer(name, _told(error, path))


def _told(error: BaseException, path: Path) -> str:
    """Return an error in a line, with the last line of the student's file that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    where = f"line {lines[-1]}: " if lines else ""
    said = error.msg if isinstance(error, SyntaxError) else str(error).partition("\n")[0]
    return f"{where}{type(error).__name__}: {said}"
