"""Errors that are the user's to mend; the command line prints them as one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SoftmachineError(Exception):
    """Something was asked for that cannot be done; the message says what would be right."""


class CheckpointError(SoftmachineError):
    """A checkpoint cannot be read, or belongs to something else."""


class RunError(SoftmachineError):
    """A run directory is missing, taken, damaged or cannot be written."""


class NonFiniteError(SoftmachineError):
    """Training met a loss or gradient that is not finite."""


class ExamplesError(SoftmachineError, ValueError):
    """Examples that were brought along cannot be used."""


class TraceError(SoftmachineError):
    """A trace cannot be made as asked, or a file is no trace that can be read."""


class SoftmachineWarning(UserWarning):
    """Something is not as it should be, and the message says what was done about it."""


def close_names(name: str, names: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` with the names that are most like one, or nothing."""
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""
