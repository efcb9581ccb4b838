"""Help as a terminal shows it: docstrings without mark-up, no line cut within a word.

tyro takes the texts of ``--help`` from docstrings, which are written for readers of the code.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shutil
import sys
from collections.abc import Iterator
from typing import Any

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_COMMANDS = re.compile(r"\{[\w-]+(?:,[\w-]+)+\}")


@contextlib.contextmanager
def readable_help() -> Iterator[None]:
    """Let tyro's parsers print their help as plain text, with lines of the terminal's width."""
    with _plain_docstrings(), _wrapped_usage():
        yield


def plain(docstring: str) -> str:
    """Return a docstring's paragraphs as lines without line breaks, mark-up or examples.

    An example is a paragraph that begins with ``>>>``; one before it that ends with a colon
    introduces it and goes as well. Items of a list keep their lines.
    """
    kept: list[str] = []
    for paragraph in filter(None, re.split(r"\n\s*\n", docstring.strip())):
        lines = [line.strip() for line in paragraph.splitlines()]
        if lines[0].startswith(">>>"):
            if kept and kept[-1].endswith(":"):
                kept.pop()
            continue
        text = lines[0]
        for line in lines[1:]:
            text += ("\n" if re.match(r"[-*] ", line) else " ") + line
        kept.append(text.replace("``", "").replace("`", ""))
    return "\n\n".join(kept)


@contextlib.contextmanager
def _plain_docstrings() -> Iterator[None]:
    """Have tyro use `plain`, for which it has no option; without its function, change nothing.

    All its texts go through one function, which joins the lines of paragraphs, but not where
    one begins with a digit or a quote.
    """
    strings = importlib.import_module("tyro._strings")
    name = "remove_single_line_breaks"
    before = getattr(strings, name, None)
    if before is None:
        yield
        return
    setattr(strings, name, plain)
    try:
        yield
    finally:
        setattr(strings, name, before)


class _Held(io.StringIO):
    """Holds what is printed, and is a terminal where the standard output is one."""

    def __init__(self, shown: Any) -> None:
        super().__init__()
        self._shown = shown

    def isatty(self) -> bool:
        return self._shown.isatty()

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._shown.encoding


@contextlib.contextmanager
def _wrapped_usage() -> Iterator[None]:
    """Wrap the line that begins with ``usage:``; all else is printed as it is."""
    held = _Held(sys.stdout)
    try:
        with contextlib.redirect_stdout(held):
            yield
    finally:
        usage, newline, rest = held.getvalue().partition("\n")
        if "usage:" in usage:
            usage = wrap_usage(usage, shutil.get_terminal_size().columns)
        sys.stdout.write(usage + newline + rest)


def wrap_usage(usage: str, width: int) -> str:
    """Wrap a usage line between options, never inside one."""
    if len(_ESCAPE.sub("", usage)) > width:
        usage = _COMMANDS.sub("COMMAND", usage)
    lines = [""]
    for part in re.findall(r"\S*\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\S*|\S+", usage):
        longer = f"{lines[-1]} {part}" if lines[-1] else part
        if len(_ESCAPE.sub("", longer)) <= width:
            lines[-1] = longer
        else:
            lines.append(f"    {part}")
    return "\n".join(lines)
