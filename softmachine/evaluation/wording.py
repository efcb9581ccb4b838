"""Numbers of the ledger as text, each of which may be missing, and tables of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Number = int | float
Shown = Callable[[Number | None], str]
"""What makes text of a number that may be missing."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, its first column aligned left, all others right."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def quartiles(spread: dict[str, Number] | None, shown: Shown | None = None) -> str:
    """Return the median and the quartiles of a spread as text."""
    if spread is None:
        return "-"
    shown = shown or number
    low, high = shown(spread["lower_quartile"]), shown(spread["upper_quartile"])
    return f"{shown(spread['median'])} ({low} to {high})"


def median(spread: dict[str, Number] | None) -> str:
    """Return the median of a spread as text."""
    return number(None if spread is None else spread["median"])


def published(figure: dict[str, Any] | None, shown: Shown) -> str:
    """Return the figure of a paper as text, marked if it was read off a curve."""
    if figure is None:
        return "-"
    return f"{'≈ ' if figure['approximate'] else ''}{shown(figure['value'])}"


def interval(interval: Sequence[Number] | None) -> str:
    """Return the bounds of a share in percent as text."""
    if interval is None:
        return "-"
    low, high = (f"{100 * bound:.0f}" for bound in interval)
    return f"{low} to {high} %"


def number(value: Number | None) -> str:
    """Return a number with three significant digits, or all digits of a larger integer."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(share: Number | None) -> str:
    """Return a share in percent as text."""
    return "-" if share is None else f"{100 * share:.1f} %"


def duration(seconds: Number | None) -> str:
    """Return seconds as text, in minutes or hours if there are many."""
    if seconds is None:
        return "-"
    if seconds < 600:
        return f"{number(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def counted(things: int, thing: str) -> str:
    """Return so many things as text."""
    return f"{number(things)} {thing}{'' if things == 1 else 's'}"


def words(metric: str) -> str:
    """Return the name of a metric in words."""
    return metric.replace("_", " ")


def span(first: int, last: int) -> str:
    """Return the first and the last of some numbers as text; one, if they are equal."""
    return str(first) if first == last else f"{first} to {last}"
