"""Text for a terminal of 80 columns: lines that are broken between words."""

from __future__ import annotations

import textwrap

WIDTH = 79


def folded(text: str, hang: int = 0) -> str:
    """Return text whose lines are broken between words, where they are wider than `WIDTH`.

    Arguments:
        text: one line or more.
        hang: by how many columns what is broken off is indented.
    """
    fold = textwrap.TextWrapper(
        WIDTH, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join("\n".join(fold.wrap(line)) for line in text.splitlines())
