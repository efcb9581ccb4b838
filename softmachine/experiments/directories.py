"""Directories with one writer at a time, created completely or cleared and created again."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from softmachine.core.errors import RunError
from softmachine.core.files import is_temporary, parse_json, sweep, unsealed

LOCK = ".lock"
"""The file whose lock the writing process holds."""
BEGUN = ".creating"
"""The file that marks a directory under creation; without meaning once there is an index."""
INDEXES = ("config.json", "population.json")
"""The index files of a run and of a population; one is written last, when all else is there."""
OF_CREATION = {LOCK, BEGUN, "environment.json", *INDEXES}
"""The files that creation writes, before any training."""


def is_begun(path: Path) -> bool:
    """Return whether a directory's creation has begun and may not have ended."""
    return (path / BEGUN).is_file()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a directory for writing; RunError if another process has locked it.

    The operating system releases the lock when the process ends, in whatever way. Temporary
    files of a killed process are removed by the next one that takes the lock.
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
        if (path.parent / INDEXES[1]).is_file():  # a member: nothing else tidies its population
            tidy(path.parent)
        yield
    finally:
        lock.release()


def tidy(path: Path) -> None:
    """Remove files that killed processes left in the directory of a run or a population."""
    for directory in (path, *(path / name for name in ("checkpoints", "results", "figures"))):
        sweep(directory)
    if any((path / index).is_file() for index in INDEXES):
        with contextlib.suppress(OSError):
            (path / BEGUN).unlink(missing_ok=True)


@contextlib.contextmanager
def creating(path: Path, index: str) -> Iterator[None]:
    """Lock a new or empty directory while the caller fills it and writes its ``index`` last.

    If the process is killed before, the next call for this path clears the directory and
    creates it again. Raises RunError if the directory holds anything else, if another process
    has locked it, or if it cannot be written.
    """
    _check_name(path)
    try:
        # Checked before anything is written: a directory in use does not even get a lock file.
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
    """Raise RunError if a path holds anything but the remains of its own creation."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir():
        raise RunError(f"{path} already exists and is not a directory: choose another one")
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
    """Return whether all files in a directory are ones that its creation writes."""
    return all(
        entry.name in OF_CREATION or is_temporary(entry.name)
        for entry in path.rglob("*")
        if entry.is_symlink() or not entry.is_dir()
    )


def _check_name(path: Path) -> None:
    if not str(path).isprintable():  # control characters, or bytes that are not UTF-8
        raise RunError(
            f"{str(path)!r} is not a name for a directory: it has unprintable characters"
        )


def no_config(path: Path) -> str:
    """Return what to say of a directory without a configuration, as the end of a sentence."""
    found = path / "program.json"
    if not os.path.isfile(found):
        return "it has no config.json"
    return (
        f"it holds a function that was found, program.py, and its wires, of which 'softmachine "
        f"compile {found} --recipe nram-copy --out NEW' makes a run"
    )


def read_sealed(path: Path, remedy: str) -> dict[str, Any]:
    """Return the JSON object of a file; RunError, with the ``remedy``, if it is damaged."""
    try:
        return unsealed(parse_json(path.read_bytes()))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{path} cannot be read, {error}: {remedy}") from error
