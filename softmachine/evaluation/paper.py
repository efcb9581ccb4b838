"""What papers would call a machine, whose figures `Task.published_tests` gives."""

from __future__ import annotations

from typing import Any


def machine_kind(config: Any) -> str:
    """Return what the papers would call a machine: ``ntm-lstm``, ``ntm-gru``, ``lstm``, ...

    What its configuration says, ``published_as``, or the name of that.
    """
    name = type(config).__name__.removesuffix("Config").lower()
    return getattr(config, "published_as", name)
