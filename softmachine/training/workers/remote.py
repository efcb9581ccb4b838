"""What a worker's process is asked to call. Imports nothing heavy: schedulers read it, too."""

from __future__ import annotations

from typing import Any


def reached() -> bool:
    """Return True: whoever calls this has the package."""
    return True


def do(unit: dict[str, Any]) -> list[list[tuple[str, str, bytes]]]:
    """Do a unit of work, given as a plain value: see `softmachine.training.workers.unit`."""
    from softmachine.core.compilation_cache import use_compilation_cache
    from softmachine.training.workers.unit import MemberAt, Unit, advance

    use_compilation_cache()
    members = tuple(MemberAt(**member) for member in unit["members"])
    fields: dict[str, Any] = {**unit, "members": members}
    results = advance(Unit(**fields))
    return [[(note.kind, note.text, note.data) for note in notes] for notes in results]
