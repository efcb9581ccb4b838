"""What two trainings have in common, and must."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

TIMES = {"seconds", "device_seconds", "sequences_per_second", "solved_seconds",
         "solved_device_seconds"}  # fmt: skip


def state_of(path: Path) -> dict[str, Any]:
    """Return all that is under a run or a population but times, by the names of the files."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        if file.is_dir() or name.endswith((".lock", "environment.json")):
            continue
        found[name] = _content(file)
    return found


def _content(file: Path) -> Any:
    """Return what a file says but times; its sum, if it says nothing that can be read."""
    data = file.read_bytes()
    try:
        if file.suffix == ".safetensors":
            return _checkpoint(data)
        if file.suffix == ".jsonl":
            return [_without_times(json.loads(line)) for line in data.splitlines()]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return hashlib.sha256(data).hexdigest()


def _checkpoint(data: bytes) -> Any:
    """Return the bits of a checkpoint's tensors, and its record, by a reader of our own."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    record = json.loads(header.pop("__metadata__")["record"])
    record.pop("metrics", None)  # a sum over lines with times in them
    tensors = {
        name: (entry["dtype"], entry["shape"], _sum(data, length, *entry["data_offsets"]))
        for name, entry in sorted(header.items())
    }
    return tensors, _without_times(record)


def _sum(data: bytes, length: int, begin: int, end: int) -> str:
    return hashlib.sha256(data[8 + length + begin : 8 + length + end]).hexdigest()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if k not in TIMES}
    return value


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return the names of files that differ, are missing or are left over."""
    names = found.keys() | expected.keys()
    return sorted(name for name in names if found.get(name) != expected.get(name))
