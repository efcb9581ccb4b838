"""What a worker's process is asked to call. Imports nothing heavy: schedulers read it, too."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any


def reached() -> bool:
    """Return True: whoever calls this has the package."""
    return True


def call(function: bytes, versions: dict[str, str], item: Any) -> Any:
    """Call a pickled function with an item, unless it would compute other bits here.

    Raises, before anything is read, AnotherVersionError if versions differ.
    """
    from softmachine.core.compilation_cache import use_compilation_cache
    from softmachine.training.workers.identity import (
        AnotherVersionError,
        difference,
        identity,
    )

    if differs := difference(identity(), versions):
        raise AnotherVersionError(f"it has {differs}")
    use_compilation_cache()
    return pickle.loads(function)(item)


def withdrawn() -> Callable[[], bool]:
    """Return a function that tells whether the call of now was withdrawn by who asked for it.

    A worker of Dask knows that of its calls, and goes on with them all the same; nobody else
    knows. Call this where the call is; what it returns may be called from another thread.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return lambda: False
    try:
        worker = distributed.get_worker()
        key = worker.get_current_task()
    except (ValueError, AttributeError, KeyError):  # it is no worker of Dask
        return lambda: False
    gone = ("cancelled", "gone")
    return lambda: getattr(worker.state.tasks.get(key), "state", "gone") in gone


def do(unit: dict[str, Any]) -> list[list[tuple[str, str, bytes]]]:
    """Do a unit of work, given as a plain value: see `softmachine.training.workers.unit`."""
    from softmachine.core.compilation_cache import use_compilation_cache
    from softmachine.training.workers.unit import MemberAt, Unit, advance

    use_compilation_cache()
    members = tuple(MemberAt(**member) for member in unit["members"])
    fields: dict[str, Any] = {**unit, "members": members}
    results = advance(Unit(**fields))
    return [[(note.kind, note.text, note.data) for note in notes] for notes in results]
