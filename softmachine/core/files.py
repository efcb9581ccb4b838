"""Atomic file writes, checked JSON, and removal of what killed processes left behind."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKSUM = "checksum"
"""The key under which `sealed` stores the checksum of a JSON object."""

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")
"""Temporary names made by `replacing`: ``.NAME.`` and eight characters of `tempfile`."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path`` atomically.

    The file is flushed to disk before it is renamed; after an exception it is removed. It stays
    locked while its writer lives, so that `sweep` can recognise one that a killed process left.
    """
    descriptor, temporary = _locked_temporary(path)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _locked_temporary(path: Path) -> tuple[int, Path]:
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        if _try_lock(descriptor) and os.path.exists(name):
            return descriptor, Path(name)
        os.close(descriptor)  # another process swept it before it was locked


def sweep(directory: Path) -> None:
    """Remove the temporary files that killed processes have left in a directory."""
    with contextlib.suppress(OSError):  # read-only, or gone: they do no harm
        for path in directory.glob(".*"):
            if not _TEMPORARY.fullmatch(path.name) or path.is_symlink() or not path.is_file():
                continue
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if _try_lock(descriptor):
                    path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that `replacing` made."""
    return _TEMPORARY.fullmatch(name) is not None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: every attempt succeeds
        return True
    return True


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically: a reader finds the old file or the new one."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def finite(value: int | float | None) -> int | float | None:
    """Return a number as JSON has it: None in place of infinity and of what is no number."""
    return None if value is None or not math.isfinite(value) else value


def parse_json(text: str | bytes) -> Any:
    """Return the value that a JSON text holds.

    Raises ValueError if the text is not JSON (`json.JSONDecodeError`, with the place), if it
    holds NaN or Infinity or a key twice in one object (which Python's own reader would accept),
    or if it is nested too deep.
    """
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError as error:
        if "integer string conversion" not in str(error):
            raise
        raise ValueError("huge: a number has thousands of digits") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key is repeated in one object")
    return value


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, independent of white space and key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def stable_safetensors(data: bytes) -> bytes:
    """Return a safetensors file with sorted metadata: the library's own order is random."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = dict(sorted(header.pop("__metadata__", {}).items()))
    ordered = {"__metadata__": metadata, **dict(sorted(header.items()))}
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the arrays begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its checksum added, for `unsealed` to check."""
    return value | {CHECKSUM: digest(value)}


def unsealed(value: Any) -> dict[str, Any]:
    """Return a JSON object without its checksum.

    An object without a checksum is accepted, since early files have none. Raises ValueError if
    the checksum does not match, or if the value is not an object.
    """
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    rest = {name: part for name, part in value.items() if name != CHECKSUM}
    if CHECKSUM in value and value[CHECKSUM] != digest(rest):
        raise ValueError("it was changed or damaged: its content does not match its checksum")
    return rest


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
