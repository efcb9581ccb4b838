"""Errors of the command line's parser, in one line each."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
from collections.abc import Callable
from typing import Any

from softmachine.cli.help import readable_help
from softmachine.core.errors import SoftmachineError

_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""Colours: the parser looks at whether the standard output is a terminal."""
_SUGGESTIONS = 3


def one_line_errors(parse: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a tyro parser; raise its boxed error message as one line, suggestions included.

    Help that it prints is made readable.
    """
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured), readable_help():
            return parse(*args, **kwargs)
    except SystemExit as stop:
        if not stop.code:
            raise
        text = captured.getvalue()
        raise SoftmachineError(one_line(text) or f"cannot parse: {text}") from None


def one_line(box: str) -> str:
    """Return the message of one of tyro's boxes, and the options that it suggests.

    A rule separates the message from hints. Those with options of like names begin with a
    line such as ``Perhaps you meant:``, and each option begins a line.
    """
    message, *hints = _sections(box) or [[]]
    words = " ".join(message)
    for header, *rows in filter(None, hints):
        names = [name for row in rows for name in _names(row)]
        if names and header.endswith(":") and not header.startswith("Argument helptext"):
            found = ", ".join(list(dict.fromkeys(names))[:_SUGGESTIONS])
            words = f"{words.rstrip('.')}. {header} {found}"
    return words


def _names(row: str) -> list[str]:
    """Return the options that a row begins with, as ``--wrap, --no-wrap`` does."""
    words = itertools.takewhile(lambda word: word.startswith("--"), row.split())
    return [word.rstrip(",") for word in words]


def _sections(box: str) -> list[list[str]]:
    """Return the rows between the rules of a box, without its title and its frame.

    Where the standard output takes no letters such as ``╭``, the title is a section of its own.
    """
    sections: list[list[str]] = [[]]
    for line in _ESCAPE.sub("", box).splitlines():
        row = line.strip().strip("│|").strip()
        if not row or row[0] in "╭╰+":
            continue
        if set(row) <= {"─", "-"} and len(row) > 2:
            sections.append([])
        else:
            sections[-1].append(row)
    return sections if "╭" in box else sections[1:]
