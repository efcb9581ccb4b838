"""Directories that one process at a time writes to, and that are whole or can be begun anew."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock

from softmachine.core.errors import RunError
from softmachine.core.files import is_temporary, sweep

LOCK = ".lock"
BEGUN = ".creating"
"""Marks a directory that is being made; it is of no account once the directory's index is
there."""
INDEXES = ("config.json", "population.json")
"""Written last, of a run and of a population: where one is, the directory is whole."""
OF_CREATION = {LOCK, BEGUN, "environment.json", *INDEXES}
"""All files that a directory holds before anything has been trained in it."""


def is_begun(path: Path) -> bool:
    """Whether a directory was left, or still is, in the middle of being made."""
    return (path / BEGUN).is_file()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a directory for writing; RunError if another process holds it.

    The operating system drops the lock with the process, however that ends; what a killed one
    was writing is removed by the next to hold it.
    """
    lock = filelock.FileLock(path / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RunError(f"{path} is being written by another process") from None
    except OSError as error:
        raise RunError(f"cannot write to {path}: {error.strerror}") from error
    try:
        tidy(path)
        if (path.parent / INDEXES[1]).is_file():  # whose own files nobody else tidies
            tidy(path.parent)
        yield
    finally:
        lock.release()


def tidy(path: Path) -> None:
    """Remove what killed processes have left in a run or a population."""
    for directory in (path, *(path / name for name in ("checkpoints", "results", "figures"))):
        sweep(directory)
    if any((path / index).is_file() for index in INDEXES):
        with contextlib.suppress(OSError):
            (path / BEGUN).unlink(missing_ok=True)


@contextlib.contextmanager
def creating(path: Path, index: str) -> Iterator[None]:
    """Hold a new or empty directory while it is filled, its ``index`` last.

    Killed before that, it is begun anew by whoever creates it next. Raises RunError for a
    directory that holds anything else, that another process holds or that cannot be written.
    """
    _check_name(path)
    try:
        # Looked at before it is touched: a directory in use is not given so much as a lock.
        _check_free(path, index)
        path.mkdir(parents=True, exist_ok=True)
        with locked(path):
            _check_free(path, index)
            for left in path.iterdir():
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left)
                elif left.name != LOCK:
                    left.unlink()
            (path / BEGUN).touch()
            yield
            (path / BEGUN).unlink()
    except OSError as error:
        raise RunError(f"cannot write to {path}: {error.strerror or error}") from error


def _check_free(path: Path, index: str) -> None:
    """Raise RunError if there is anything at a path that did not come from creating it."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir():
        raise RunError(f"{path} already exists and is no directory: choose another one")
    found = {entry.name for entry in path.iterdir()} - {LOCK}
    if not found or (BEGUN in found and index not in found and _holds_no_work(path)):
        return
    if found & set(INDEXES):
        raise RunError(
            f"{path} already exists: choose another directory, or continue it with "
            f"'softmachine resume {path}'"
        )
    raise RunError(f"{path} already exists, and is not empty: choose another directory")


def _holds_no_work(path: Path) -> bool:
    """Whether all files in a directory are of those that its creation writes."""
    return all(
        entry.name in OF_CREATION or is_temporary(entry.name)
        for entry in path.rglob("*")
        if entry.is_symlink() or not entry.is_dir()
    )


def _check_name(path: Path) -> None:
    if not str(path).isprintable():  # control characters, or bytes that are not UTF-8
        raise RunError(
            f"{str(path)!r} is no name for a directory: it holds what cannot be shown"
        )
