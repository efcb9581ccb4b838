"""Rows of numbers as others take them: a table of a notebook, CSV, a pandas DataFrame."""

from __future__ import annotations

import csv
import html
import importlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.core.rendering import all_names

Rows = Sequence[Mapping[str, Any]]
"""Values by their names; a row may lack some."""


def to_csv(rows: Rows) -> str:
    """Return rows as CSV with a line of names; what a row lacks is left empty.

    >>> print(to_csv([{"size": 20, "bits": 0.5}, {"size": 40}]), end="")
    size,bits
    20,0.5
    40,
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, all_names(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_frame(rows: Rows) -> Any:
    """Return rows as a pandas DataFrame; SoftmachineError without pandas."""
    try:
        pandas = importlib.import_module("pandas")
    except ImportError:
        raise SoftmachineError(
            "a frame needs pandas, which is not installed: pip install 'softmachine[frames]'"
        ) from None
    return pandas.DataFrame.from_records(list(rows), columns=list(all_names(rows)))


def to_html(rows: Rows, caption: str = "") -> str:
    """Return rows as an HTML table, for notebooks; all text is escaped."""
    names = all_names(rows)
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_shown(row.get(name))}</td>" for name in names) + "</tr>"
        for row in rows
    )
    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return html.escape(str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
