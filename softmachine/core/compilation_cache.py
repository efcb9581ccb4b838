"""The compilation cache on disk: each program is compiled once, not once per process.

A short command would spend most of its time compiling what an earlier one compiled already. JAX
can keep compiled programs in a directory, under keys that cover everything they depend on. This
module chooses the directory, limits its size, and decides when not to use it.
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
"""Name of the environment variable that holds another directory for the cache, or ``off``."""
MOST_BYTES = 256 * 10**6
"""The size of the cache at which JAX evicts the least recently used programs."""
LEAST_SECONDS = 0.1
"""The shortest compilation, in seconds, that is worth a file in the cache."""


class CacheUse(NamedTuple):
    """The state of the compilation cache: its directory, or why there is none."""

    directory: Path | None
    """The directory in use; None if compiled programs are not kept."""
    why_not: str = ""
    """The reason, if there is no directory."""


class CacheSize(NamedTuple):
    """The number of programs in a cache, and their size on disk."""

    programs: int
    bytes: int


def use_compilation_cache(directory: str | Path | None = None) -> CacheUse:
    """Turn on the compilation cache on disk; never raises or warns.

    Changes JAX's global configuration, so it is never called on import; the command line
    calls it. A cache that JAX's own settings name (``JAX_COMPILATION_CACHE_DIR``) takes
    precedence. Several processes may use one directory at once. Results are bit-identical
    with and without a cache.

    Arguments:
        directory: the directory; by default that of the environment variable
            ``SOFTMACHINE_CACHE`` (``off`` for none), else ``softmachine`` in `user_caches`.

    Returns:
        The directory in use, or the reason why there is none: the cache is turned off, the
        directory cannot be written, or other users can write to it. Programs that another user
        put there would run with this user's rights.
    """
    chosen: str | None = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return CacheUse(None, "JAX's setting jax_enable_compilation_cache is off")
    if chosen:
        return CacheUse(Path(chosen))
    try:
        home = cache_home() if directory is None else Path(directory).expanduser()
        if home is None:
            return CacheUse(None, f"{VARIABLE}={os.environ[VARIABLE]}")
        path = home / f"xla-{processor()}"
        make_ready(path)
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
    """Return the number and the size of the compiled programs in a cache directory."""
    sizes = []
    for entry in directory.glob("*-cache"):
        with contextlib.suppress(OSError):  # another process may have removed it
            sizes.append(entry.stat().st_size)
    return CacheSize(len(sizes), sum(sizes))


def cache_home() -> Path | None:
    """Return the directory that holds the package's caches; None if nothing is to be kept.

    It is that of the environment variable ``SOFTMACHINE_CACHE`` (``off`` for none), else
    ``softmachine`` in `user_caches`. Raises RuntimeError if the user has no home directory.
    """
    setting = os.environ.get(VARIABLE, "")
    if setting.lower() in ("off", "0", "no", "false"):
        return None
    return Path(setting or user_caches() / "softmachine").expanduser()


def user_caches() -> Path:
    """Return the directory where the operating system expects a user's caches.

    Raises RuntimeError if the user has no home directory.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    # By the XDG base directory specification, relative paths are ignored.
    given = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return given if given.is_absolute() else Path.home() / ".cache"


def make_ready(path: Path) -> None:
    """Create the directory, for this user alone, and remove broken entries.

    A process that was killed while writing may have left an entry without its time stamp,
    which is written last. JAX can neither read nor replace nor evict such an entry.

    Raises OSError if the directory cannot be written, or if other users can write to it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid"):
        status = path.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise PermissionError(f"others can write to {path}")
    lock = filelock.FileLock(path / ".lockfile")  # the lock that JAX takes
    with contextlib.suppress(filelock.Timeout), lock.acquire(timeout=0):
        probe = path / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
        for entry in path.glob("*-cache"):
            if not entry.with_name(entry.name.removesuffix("-cache") + "-atime").exists():
                entry.unlink()


def processor() -> str:
    """Return a short hash that identifies the model and features of this processor.

    Programs use the instruction set of the processor that they were compiled on. Different
    computers may share a home directory, and JAX's cache keys do not tell their processors
    apart.
    """
    known = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        known += sorted({x for x in lines if x.startswith(("model name", "flags", "Features"))})
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]
