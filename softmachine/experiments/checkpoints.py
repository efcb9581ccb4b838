"""Checkpoints: one safetensors file each, written whole or not at all.

The tensors are the leaves of a pytree, named by their path. The file's metadata holds a
format mark, the schema, the digest of the experiment that the tensors belong to, the caller's
own record as JSON, and a checksum of all of these and the tensors.

Older files are read, too. The checksum of schema 1 is of the tensors alone: neither the record
nor the experiment that they belong to is protected. In schema 2 a training state and its record
have other names, which those who read them upgrade; in schema 3 its record has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from softmachine.core.errors import CheckpointError
from softmachine.core.files import replacing, stable_safetensors

FORMAT = "softmachine-checkpoint"
SCHEMA = 4
WITHOUT_TIES = 1
"""The schema whose files are tied to no experiment."""

Tree = TypeVar("Tree")
Tensors = dict[str, np.ndarray]
Upgrade = Callable[[Tensors, Collection[str]], Tensors]


class Record(NamedTuple):
    """What a checkpoint says besides its tensors."""

    value: dict[str, Any]
    """What the caller of `save_checkpoint` gave."""
    schema: int
    """Version of the file."""


def save_checkpoint(path: Path, tree: Any, record: dict[str, Any], experiment: str) -> None:
    """Write the leaves of ``tree``, a JSON-compatible ``record``, an experiment's digest.

    Raises OSError, with the path, if the file cannot be written.
    """
    write_checkpoint(path, encode_checkpoint(tree, record, experiment))


def encode_checkpoint(tree: Any, record: dict[str, Any], experiment: str) -> bytes:
    """Return what `save_checkpoint` writes."""
    tensors = {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}
    return _encode(tensors, record, experiment)


def write_checkpoint(path: Path, data: bytes) -> None:
    """Write an encoded checkpoint, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def read_encoded(data: bytes, experiment: str, path: Path) -> Record:
    """Return the record of an encoded checkpoint; ``path`` is what errors call it."""
    return _decode(data, experiment, path)[1]


def with_record(data: bytes, change: dict[str, Any], experiment: str, where: Path) -> bytes:
    """Return an encoded checkpoint with some entries of its record changed.

    Raises CheckpointError, which names ``where`` it came from, as `load_checkpoint` does.
    """
    tensors, record = _decode(data, experiment, where)
    return _encode(tensors, record.value | change, experiment)


def _encode(tensors: Tensors, record: dict[str, Any], experiment: str) -> bytes:
    metadata = {
        "format": FORMAT,
        "schema": str(SCHEMA),
        "experiment": experiment,
        "record": json.dumps(record),
    }
    data = save(tensors, metadata | {"checksum": _checksum(tensors, metadata)})
    return stable_safetensors(data)


def load_checkpoint(
    path: Path, like: Tree, experiment: str, upgrade: Upgrade | None = None
) -> tuple[Tree, Record]:
    """Read a checkpoint into the structure of ``like``; return it and the record.

    ``upgrade`` turns the tensors of older versions, by their names, into today's; it is given
    the names that there are today, too.

    Raises CheckpointError if the file is missing, damaged, not a checkpoint of this
    project, or a checkpoint of another experiment or of something with other parameters.
    """
    return decode_checkpoint(_bytes(path), like, experiment, path, upgrade)


def decode_checkpoint(
    data: bytes, like: Tree, experiment: str, path: Path, upgrade: Upgrade | None = None
) -> tuple[Tree, Record]:
    """Return what `load_checkpoint` does, of bytes; ``path`` is what errors call them."""
    tensors, record = _decode(data, experiment, path)
    named = _named_leaves(like)
    tensors = tensors if upgrade is None else upgrade(tensors, named.keys())
    missing, extra = named.keys() - tensors.keys(), tensors.keys() - named.keys()
    if missing or extra:
        what = f"lacks {min(missing)!r}" if missing else f"holds an unknown {min(extra)!r}"
        raise CheckpointError(f"{path} belongs to another experiment: it {what}")
    for name, leaf in named.items():
        found = tensors[name]
        if found.shape != leaf.shape or found.dtype != leaf.dtype:
            raise CheckpointError(
                f"{path} belongs to another experiment: {name!r} has shape {found.shape} and "
                f"type {found.dtype}, expected {leaf.shape} and {leaf.dtype}"
            )
    leaves = [jnp.asarray(tensors[name]) for name in named]
    return jax.tree.unflatten(jax.tree.structure(like), leaves), record


def read_record(path: Path, experiment: str) -> Record:
    """Return a checkpoint's record alone; raise CheckpointError as `load_checkpoint` does."""
    return _decode(_bytes(path), experiment, path)[1]


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


def _decode(data: bytes, experiment: str, path: Path) -> tuple[Tensors, Record]:
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata: dict[str, str] = header.get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} is a safetensors file but no softmachine checkpoint")
    schema = metadata.get("schema")
    if schema is None or schema not in map(str, range(WITHOUT_TIES, SCHEMA + 1)):
        raise CheckpointError(
            f"{path} has checkpoint schema {schema}; this softmachine reads schema "
            f"{WITHOUT_TIES} to {SCHEMA}"
        )
    found = metadata.pop("checksum", None)
    if found != _checksum(tensors, {} if schema == str(WITHOUT_TIES) else metadata):
        raise CheckpointError(f"{path} is damaged: its content does not match its checksum")
    if schema != str(WITHOUT_TIES) and metadata["experiment"] != experiment:
        raise CheckpointError(
            f"{path} belongs to another experiment than the one beside it: one of the two was "
            "changed, damaged or exchanged"
        )
    try:
        value = json.loads(metadata["record"])
    except (KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its record cannot be read") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is damaged: its record is no JSON object")
    return tensors, Record(value, int(schema))


def leaf_names(tree: Any) -> list[str]:
    """Return the path of every leaf, in the order of ``jax.tree.leaves``."""
    return [
        jax.tree_util.keystr(path, simple=True, separator=".")
        for path, _ in jax.tree_util.tree_leaves_with_path(tree)
    ]


def _named_leaves(tree: Any) -> dict[str, Any]:
    return dict(zip(leaf_names(tree), jax.tree.leaves(tree), strict=True))


def _checksum(tensors: Tensors, metadata: dict[str, str]) -> str:
    """Return the SHA-256 of tensors and metadata; without metadata, that of schema 1."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    if metadata:
        digest.update(json.dumps(metadata, sort_keys=True).encode())
    return digest.hexdigest()
