"""Traces as values and as files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from softmachine.core.errors import TraceError
from softmachine.core.files import replacing, stable_safetensors
from softmachine.traces.schema import (
    VERSION,
    Header,
    check_arrays,
    header_from_json,
    header_to_json,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """What one machine did on one example; docs/traces.md says what is in it."""

    header: Header
    arrays: dict[str, np.ndarray]
    """By full name, such as ``fields/memory``."""

    @property
    def steps(self) -> list[int]:
        """The numbers of the steps that were kept, counted from 1."""
        return list(self.header.steps)

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """What was seen after each kept step, by name."""
        return self._part("fields")

    @property
    def initial(self) -> dict[str, np.ndarray]:
        """What was seen before the first step."""
        return self._part("initial")

    @property
    def hard(self) -> dict[str, np.ndarray]:
        """What the machine did with every choice made hard; empty if there is no such run."""
        return self._part("hard")

    @property
    def example(self) -> dict[str, np.ndarray]:
        """Inputs, targets, mask, outputs, ... of the whole example."""
        return self._part("example")

    def to_bytes(self) -> bytes:
        """Return the trace as a file has it."""
        text = header_to_json(self.header)
        metadata = {
            "softmachine_trace": VERSION,
            "trace": text,
            "checksum": _checksum(text, self.arrays),
        }
        return stable_safetensors(save(self.arrays, metadata))

    def save(self, path: str | Path) -> None:
        """Write a file, whole or not at all; TraceError if that cannot be."""
        path = Path(path)
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(self.to_bytes())
        except OSError as error:
            raise TraceError(f"cannot write to {path}: {error.strerror}") from error

    def _repr_html_(self) -> str:
        """Return the viewer with this trace in it, for notebooks."""
        # The page is an asset of the package; whoever only records never needs it.
        from softmachine.traces.page import framed

        return framed([(self.header.title, self.to_bytes())])

    def _part(self, part: str) -> dict[str, np.ndarray]:
        start = f"{part}/"
        return {
            name.removeprefix(start): array
            for name, array in self.arrays.items()
            if name.startswith(start)
        }


def trace_from_bytes(data: bytes) -> Trace:
    """Return the trace that a file holds; TraceError if it is damaged or something else."""
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise TraceError(f"it is damaged or no trace: {error}") from error
    # The library has checked the header; it gives its metadata for files alone.
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
    version = metadata.get("softmachine_trace")
    if version is None or "trace" not in metadata:
        raise TraceError("it is a safetensors file but no trace")
    if version != VERSION:
        raise TraceError(
            f"it has version {version[:20]!r} of the format; this softmachine reads {VERSION}"
        )
    text = metadata["trace"]
    # Before there was one, files had no checksum; other programs need not write it.
    if metadata.get("checksum", found := _checksum(text, arrays)) != found:
        raise TraceError("it is damaged: its content does not match its checksum")
    header = header_from_json(text)
    check_arrays(header, arrays)
    return Trace(header, arrays)


def load_trace(path: str | Path) -> Trace:
    """Read a trace file; TraceError, naming the file, if it cannot be read."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return trace_from_bytes(data)
    except TraceError as error:
        raise TraceError(f"{path} cannot be read: {error}") from error


def _checksum(text: str, arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of a description and of arrays, in the order of their names."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
