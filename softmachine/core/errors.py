"""Errors that a user can fix; the command line prints each as one line, without a traceback."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterable
from typing import Any


class SoftmachineError(Exception):
    """A request that cannot be carried out; the message says what would be right."""


class CheckpointError(SoftmachineError):
    """A checkpoint cannot be read, or belongs to another experiment."""


class RunError(SoftmachineError):
    """A run directory is missing, in use, damaged, or cannot be written."""


class NonFiniteError(SoftmachineError):
    """A loss or a gradient was NaN or infinite during training."""


class ExamplesError(SoftmachineError, ValueError):
    """A file of a user's own examples cannot be used."""


class ImagesError(SoftmachineError):
    """There are no images where they should be, or they cannot be used or fetched."""


class WorkersError(SoftmachineError):
    """Workers cannot be reached any more, or none of them can do the work."""


class TraceError(SoftmachineError):
    """A trace cannot be recorded as requested, or a trace file cannot be read."""


class SoftmachineWarning(UserWarning):
    """A problem that was worked around; the message says what it was and what was done."""


def show_notes(say: Callable[[str], None]) -> None:
    """Have the package's own warnings said in words from now on; others stay as they are."""
    show = warnings.showwarning

    def say_or_show(message: Any, category: type[Warning], *place: Any, **options: Any) -> None:
        if issubclass(category, SoftmachineWarning):
            say(str(message))
        else:
            show(message, category, *place, **options)

    warnings.showwarning = say_or_show
    warnings.simplefilter("default", SoftmachineWarning)


def close_names(name: str, names: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` with the most similar names; empty if none is similar."""
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def with_article(name: str) -> str:
    """Return the name of a class with its article, as it is spoken.

    >>> with_article("NTM"), with_article("Transformer"), with_article("ElmanConfig")
    ('an NTM', 'a Transformer', 'an ElmanConfig')
    """
    spelt = name[:2].isupper()  # letter by letter: "en", "el", but "tee"
    return f"{'an' if name[0] in ('AEFHILMNORSX' if spelt else 'AEIO') else 'a'} {name}"
