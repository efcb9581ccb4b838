"""Names of machines in the papers, by which published results are looked up."""

from __future__ import annotations

from typing import Any


def machine_kind(config: Any) -> str:
    """Return the name of a kind of machine, such as ``ntm-lstm``, ``ntm-gru`` or ``lstm``.

    It is the configuration's ``published_as``, else its class name without ``Config``. Keys of
    `softmachine.tasks.published.PaperTest.published` are such names.
    """
    name = type(config).__name__.removesuffix("Config").lower()
    return getattr(config, "published_as", name)
