"""What differs between two folders that ``produce.py`` has written."""

from __future__ import annotations

import dataclasses
import difflib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

Arrays = dict[str, np.ndarray]

# Keys of JSON objects that say when, where and how fast.
NOT_NUMBERS = {
    "command", "commands", "commit", "date", "environments", "path", "sequences_per_second",
}  # fmt: skip
TIMES = ("seconds", "hours", "hours_per_seed")


@dataclasses.dataclass
class Part:
    """What was compared of one kind."""

    name: str
    same: int = 0
    renamed: int = 0
    """The same under other names, or in other arrays."""
    differences: list[str] = dataclasses.field(default_factory=list)


def compare(old: Path, new: Path, stages: list[str]) -> list[Part]:
    """Return what is the same and what is not, part by part."""
    parts = []
    for stage, part, pattern, read in (
        ("machines", "outputs and gradients", "probes/*.npz", _npz),
        ("machines", "traces", "traces/*.safetensors", _tensors),
        ("machines", "headers of traces", "traces/*.safetensors", _header),
        ("machines", "programs", "programs/*", Path.read_text),
        ("trainings", "checkpoints", "runs/**/last.safetensors", _tensors),
        ("trainings", "metrics", "runs/**/metrics.jsonl", _lines),
        ("trainings", "ledger", "results.json", _json),
    ):
        if stage not in stages:
            continue
        found = Part(part)
        names = [
            {str(path.relative_to(side)) for path in side.glob(pattern)} for side in (old, new)
        ]
        for name in sorted(names[0] ^ names[1]):
            found.differences.append(f"{name}: only in {'OLD' if name in names[0] else 'NEW'}")
        for name in sorted(names[0] & names[1]):
            _compare_one(found, name, read(old / name), read(new / name))
        parts.append(found)
    return parts


def _compare_one(part: Part, name: str, old: Any, new: Any) -> None:
    if isinstance(old, str):
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "OLD", "NEW", n=1)
        _note(part, f"{name}:\n  " + "\n  ".join(lines), same=old == new)
    elif old and isinstance(next(iter(old.values())), np.ndarray):
        _compare_arrays(part, name, dict(old), dict(new))
    else:
        for key in [*old, *(key for key in new if key not in old)]:
            one, other = old.get(key, "nothing"), new.get(key, "nothing")
            _note(part, f"{name}: {key} is {_number(one, other)}", same=one == other)


def _note(part: Part, difference: str, *, same: bool) -> None:
    if same:
        part.same += 1
    else:
        part.differences.append(difference)


def _number(old: Any, new: Any) -> str:
    text = f"{new!r}, was {old!r}"
    if isinstance(old, float) and isinstance(new, float):
        text += (
            f" ({abs(new - old):.2g}, relative {abs(new - old) / max(abs(old), 1e-300):.2g})"
        )
    return text


# Arrays


def _compare_arrays(part: Part, where: str, old: Arrays, new: Arrays) -> None:
    """Match arrays by name, then by content, then all values together, then by shape."""
    for name in [name for name in old if name in new and _kind(old[name]) == _kind(new[name])]:
        one, other = old.pop(name), new.pop(name)
        same = one.tobytes() == other.tobytes()
        _note(part, f"{where}: {name} {_distance(one, other)}", same=same)
    for name, x in list(old.items()):
        twin = next((key for key, y in new.items() if _content(x) == _content(y)), None)
        if twin is not None:
            del old[name], new[twin]
            part.renamed += 1
    if old and new and np.array_equal(_values(old), _values(new)):
        # One array has become several, or several one.
        part.renamed += len(old)
        return
    for name, x in list(old.items()):
        alike = [key for key, y in new.items() if _kind(x) == _kind(y)]
        if alike:
            twin = min(
                alike, key=lambda key: np.max(np.abs(_exact(x) - _exact(new[key])), initial=0)
            )
            part.differences.append(f"{where}: {name} -> {twin} {_distance(x, new[twin])}")
            del old[name], new[twin]
    part.differences += [f"{where}: {name} {_kind(x)} only in OLD" for name, x in old.items()]
    part.differences += [f"{where}: {name} {_kind(x)} only in NEW" for name, x in new.items()]


def _kind(x: np.ndarray) -> tuple[Any, ...]:
    return x.shape, x.dtype.name


def _content(x: np.ndarray) -> tuple[Any, ...]:
    return _kind(x), x.tobytes()


def _exact(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64)


def _values(arrays: Arrays) -> np.ndarray:
    return np.sort(np.concatenate([_exact(x).ravel() for x in arrays.values()]))


def _distance(old: np.ndarray, new: np.ndarray) -> str:
    """Return by how much arrays differ; relative to each element, and to the largest."""
    old, new = _exact(old), _exact(new)
    with np.errstate(all="ignore"):
        gap = np.where(np.isnan(old) & np.isnan(new), 0, np.abs(new - old))
        relative = np.max(np.where(gap == 0, 0, gap / np.abs(old)), initial=0)
        most, scale = np.max(gap, initial=0), np.max(np.abs(old), initial=0)
    return (
        f"differs in {np.count_nonzero(gap)} of {gap.size}: at most {most:.2g}, relative "
        f"{relative:.2g}, of the largest {most / scale if scale else np.inf:.2g}"
    )


# Reading


def _npz(path: Path) -> Arrays:
    with np.load(path) as file:
        return dict(file)


def _tensors(path: Path) -> Arrays:
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _header(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="numpy") as file:
        return _flat(json.loads(file.metadata()["trace"]))


def _json(path: Path) -> dict[str, Any]:
    return _flat(json.loads(path.read_text()))


def _lines(path: Path) -> dict[str, Any]:
    return _flat([json.loads(line) for line in path.read_text().splitlines()])


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of JSON by their paths, without times and places."""
    if isinstance(value, dict):
        items = [
            (k, x) for k, x in value.items() if k not in NOT_NUMBERS and not k.endswith(TIMES)
        ]
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return {path: value}
    leaves: dict[str, Any] = {}
    for key, x in items:
        leaves |= _flat(x, f"{path}.{key}" if path else str(key))
    return leaves
