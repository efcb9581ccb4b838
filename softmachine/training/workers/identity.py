"""What a worker computes with: versions and code, on which every bit of a result depends."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import softmachine
from softmachine.core import native
from softmachine.core.errors import SoftmachineError

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "numba")
"""Packages whose versions decide about the bits of a result."""


class AnotherVersionError(SoftmachineError):
    """A worker computes with other versions than the process that gave it work."""


@functools.cache
def identity() -> dict[str, str]:
    """Return the versions of this process, and a digest of the package's source code."""
    package = Path(softmachine.__file__).parent
    code = hashlib.sha256()
    for path in sorted((*package.rglob("*.py"), *package.rglob("*.c"))):
        code.update(str(path.relative_to(package)).encode())
        code.update(path.read_bytes())
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    own = {"softmachine": softmachine.__version__, "its code": code.hexdigest()[:12]}
    made_with = native.use()
    own["steps in C"] = made_with.version if made_with.compiler else "none"
    return own | versions


def difference(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str | None:
    """Say in which versions a worker differs from us; None: in none."""
    parts = [
        f"{name} {theirs.get(name, 'none')} where this one has {version}"
        for name, version in ours.items()
        if theirs.get(name) != version
    ]
    return ", ".join(parts) if parts else None
