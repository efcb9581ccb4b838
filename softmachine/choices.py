"""Checking the fields of configurations that admit only some values."""

from __future__ import annotations

import typing


def check_choices(config: object) -> None:
    """Raise ValueError if a ``Literal`` field of a dataclass holds anything else."""
    for name, hint in typing.get_type_hints(type(config)).items():
        if typing.get_origin(hint) is not typing.Literal:
            continue
        allowed, value = typing.get_args(hint), getattr(config, name)
        if value not in allowed:
            options = ", ".join(map(repr, allowed))
            raise ValueError(
                f"{type(config).__name__}.{name} must be one of {options}; not {value!r}"
            )
