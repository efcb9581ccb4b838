"""Compiled programs kept between processes: XLA compiles each of them once.

Most of a short command's time is compiling what the last one compiled already. JAX can keep
compiled programs in a directory, under keys of its own that hold all they depend on; this says
which directory, how large it may become, and when it is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import filelock
import jax

VARIABLE = "SOFTMACHINE_CACHE"
"""Environment variable: another directory for the cache, or ``off``."""
MOST_BYTES = 256 * 10**6
"""Above this, JAX removes what was not used for longest."""
LEAST_SECONDS = 0.1
"""What compiles faster is not worth a file."""


class CacheUse(NamedTuple):
    """Whether compiled programs are kept, and where."""

    directory: Path | None
    """None: they are not kept."""
    why_not: str = ""


class CacheSize(NamedTuple):
    """How much a cache holds."""

    programs: int
    bytes: int


def use_compilation_cache(directory: str | Path | None = None) -> CacheUse:
    """Keep compiled programs in a directory for later processes; never raises or warns.

    Changes JAX's global configuration, so it is never called on import; the command line
    calls it. A cache that JAX's own settings name (``JAX_COMPILATION_CACHE_DIR``) is left in
    charge. Several processes may use one directory at once. Results are the same bit for bit.

    Arguments:
        directory: where; by default what the environment variable ``SOFTMACHINE_CACHE`` says
            (``off`` for nowhere), else ``softmachine`` in the user's directory of caches.

    Returns:
        The directory in use, or the reason why there is none: it cannot be written, or others
        can write to it, who could then run their programs as this user's.
    """
    chosen: str | None = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return CacheUse(None, "JAX's setting jax_enable_compilation_cache is off")
    if chosen:
        return CacheUse(Path(chosen))
    setting = os.environ.get(VARIABLE, "")
    if directory is None and setting.lower() in ("off", "0", "no", "false"):
        return CacheUse(None, f"{VARIABLE}={setting}")
    try:
        home = Path(directory or setting or user_caches() / "softmachine")
        path = home.expanduser() / f"xla-{_processor()}"
        _make_ready(path)
    except (OSError, RuntimeError, NotImplementedError) as error:
        return CacheUse(None, str(error))
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_compilation_cache_max_size", MOST_BYTES)
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    # A cache that fails on its way (a full disk, a damaged file) costs time and nothing else.
    for message in (".*persistent compilation cache entry", "Cache value for key"):
        warnings.filterwarnings("ignore", message=message)
    return CacheUse(path)


def cache_size(directory: Path) -> CacheSize:
    """Return how much JAX keeps in a directory."""
    sizes = []
    for entry in directory.glob("*-cache"):
        with contextlib.suppress(OSError):  # another process may have removed it
            sizes.append(entry.stat().st_size)
    return CacheSize(len(sizes), sum(sizes))


def user_caches() -> Path:
    """Return the directory that the operating system has for a user's caches.

    Raises RuntimeError if the user has no home.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    # The XDG base directory specification has relative paths ignored.
    given = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return given if given.is_absolute() else Path.home() / ".cache"


def _make_ready(path: Path) -> None:
    """Make the directory, for this user alone; raise OSError if it is not fit for use.

    A process that was killed while it wrote may have left an entry without its time, which
    is written last. JAX could neither read nor replace nor evict such an entry.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid"):
        status = path.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise PermissionError(f"others can write to {path}")
    lock = filelock.FileLock(path / ".lockfile")  # the one that JAX takes
    with contextlib.suppress(filelock.Timeout), lock.acquire(timeout=0):
        probe = path / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
        for entry in path.glob("*-cache"):
            if not entry.with_name(entry.name.removesuffix("-cache") + "-atime").exists():
                entry.unlink()


def _processor() -> str:
    """Return what tells this kind of processor from others.

    Programs use the instructions of the processor that they were compiled on. A home
    directory may be shared by computers that differ, and JAX's keys do not tell them apart.
    """
    known = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        known += sorted({x for x in lines if x.startswith(("model name", "flags", "Features"))})
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]
