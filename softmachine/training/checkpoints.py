"""Checkpoints: one safetensors file each, written whole or not at all.

The tensors are the leaves of a pytree, named by their path. The file's metadata holds a
format mark, a checksum of the tensors and the caller's own record, as JSON.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from softmachine.errors import CheckpointError
from softmachine.files import replacing

FORMAT = "softmachine-checkpoint"
SCHEMA = 1

Tree = TypeVar("Tree")


def save_checkpoint(path: Path, tree: Any, record: dict[str, Any]) -> None:
    """Write the leaves of ``tree`` and a JSON-compatible ``record``."""
    tensors = {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}
    metadata = {
        "format": FORMAT,
        "schema": str(SCHEMA),
        "checksum": _checksum(tensors),
        "record": json.dumps(record),
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_checkpoint(path: Path, like: Tree) -> tuple[Tree, dict[str, Any]]:
    """Read a checkpoint into the structure of ``like``; return it and the record.

    Raises CheckpointError if the file is missing, damaged, not a checkpoint of this
    project, or a checkpoint of something with other parameters.
    """
    tensors, metadata = _read(path)
    named = _named_leaves(like)
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
    return jax.tree.unflatten(jax.tree.structure(like), leaves), json.loads(metadata["record"])


def read_record(path: Path) -> dict[str, Any]:
    """Return a checkpoint's record alone; raise CheckpointError as `load_checkpoint` does."""
    return json.loads(_read(path)[1]["record"])


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} is a safetensors file but no softmachine checkpoint")
    if metadata.get("schema") != str(SCHEMA):
        raise CheckpointError(
            f"{path} has checkpoint schema {metadata.get('schema')}; this softmachine "
            f"reads schema {SCHEMA}"
        )
    if metadata.get("checksum") != _checksum(tensors):
        raise CheckpointError(f"{path} is damaged: its content does not match its checksum")
    return tensors, metadata


def leaf_names(tree: Any) -> list[str]:
    """Return the path of every leaf, in the order of ``jax.tree.leaves``."""
    return [
        jax.tree_util.keystr(path, simple=True, separator=".")
        for path, _ in jax.tree_util.tree_leaves_with_path(tree)
    ]


def _named_leaves(tree: Any) -> dict[str, Any]:
    return dict(zip(leaf_names(tree), jax.tree.leaves(tree), strict=True))


def _checksum(tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
