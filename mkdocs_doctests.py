"""Docstrings as the docs site shows them: doctests become blocks of code.

An extension of Griffe, which mkdocs.yml names. Python's ``>>>`` is a quotation in Markdown,
and the two colons before an indented block are two colons.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_DOCTEST = re.compile(r"^( *)>>> .*(?:\n\1(?! *$).*)*", re.MULTILINE)


class Doctests(griffe.Extension):
    """Fences doctests in docstrings."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of what was found."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """Return a docstring with its doctests in fences, and one colon before a block."""
    text = _DOCTEST.sub(lambda x: f"{x[1]}```pycon\n{x[0]}\n{x[1]}```", text)
    return re.sub(r"::\n(?=\n* {4})", ":\n", text)
