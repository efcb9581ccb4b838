"""The trace of a run, and its file: safetensors with a JSON header."""

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
    READ,
    VERSION,
    Header,
    check_arrays,
    header_from_json,
    header_to_json,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """The trace of one machine on one example; docs/traces.md describes its content."""

    header: Header
    arrays: dict[str, np.ndarray]
    """By part and name, such as ``fields/memory``."""

    @property
    def steps(self) -> list[int]:
        """The numbers of the recorded steps, counted from 1."""
        return list(self.header.steps)

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """Arrays recorded after each of `steps`, by name; the leading axis is `steps`."""
        return self._part("fields")

    @property
    def initial(self) -> dict[str, np.ndarray]:
        """Arrays recorded before the first step, by name; without an axis of steps."""
        return self._part("initial")

    @property
    def hard(self) -> dict[str, np.ndarray]:
        """Arrays of the same run with every choice made hard; empty if the machine has none."""
        return self._part("hard")

    @property
    def example(self) -> dict[str, np.ndarray]:
        """Arrays of the whole example, by name: inputs, targets, mask, outputs, ..."""
        return self._part("example")

    def to_bytes(self) -> bytes:
        """Return the content of the trace's file."""
        text = header_to_json(self.header)
        metadata = {
            "softmachine_trace": VERSION,
            "trace": text,
            "checksum": _checksum(text, self.arrays),
        }
        return stable_safetensors(save(self.arrays, metadata))

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all; TraceError if it cannot be written."""
        path = Path(path)
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(self.to_bytes())
        except OSError as error:
            raise TraceError(f"cannot write to {path}: {error.strerror}") from error

    def _repr_html_(self) -> str:
        """Return an element with the viewer and this trace in it, for notebooks."""
        # Imported late: recording alone does not need the viewer's page.
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
    """Return a trace from a file's content; TraceError if it is damaged or no trace."""
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise TraceError(f"it is damaged or no trace: {error}") from error
    # `load` has checked the header, but returns no metadata: only files on disk offer that.
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
    version = metadata.get("softmachine_trace")
    if version is None or "trace" not in metadata:
        raise TraceError("it is a safetensors file but no trace")
    if version not in READ:
        raise TraceError(
            f"it has version {version[:20]!r} of the format; this softmachine reads "
            f"{' and '.join(READ)}"
        )
    text = metadata["trace"]
    # A checksum is optional: early files have none, and other programs need not write one.
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
    """Return the SHA-256 of a header's text and of arrays, in the order of their names."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
