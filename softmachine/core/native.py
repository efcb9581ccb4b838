"""Functions in C that XLA calls on the CPU, for who asks for them and has a compiler.

What they compute stands in JAX as well, which is used otherwise. They are compiled once on a
computer, when they are first needed, and kept in the user's directory of caches.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shlex
import subprocess
import tempfile
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

import jax

from softmachine.core.c_compiler import c_compiler
from softmachine.core.compilation_cache import cache_home, make_ready, processor
from softmachine.core.errors import SoftmachineWarning
from softmachine.core.files import replacing

VARIABLE = "SOFTMACHINE_NATIVE"
"""Name of the environment variable that, set to ``on``, asks for them."""
# Not -ffast-math: it takes NaN for impossible, and a library that was linked with it changes
# how the whole process rounds. Sums that may be taken in any order say so.
FLAGS = (
    "-std=c11",
    "-O3",
    "-fPIC",
    "-shared",
    "-fwrapv",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fopenmp-simd",
    "-ffp-contract=fast",
)
OF_THIS_PROCESSOR = ("-march=native", "-mcpu=native")
"""Which of the two a compiler takes depends on it, and on the processor."""
SECONDS, SECONDS_TO_ANSWER = 60.0, 5.0
"""After which a compiler is given up: one that compiles, and one that is asked what it is."""
MOST_KEPT = 8
"""How many libraries of one name are kept: those of other versions are forgotten in the end."""


class Use(NamedTuple):
    """The compiler that functions in C are made with, or why there is none."""

    compiler: tuple[str, ...] | None
    """Its command."""
    version: str
    """What the compiler says of itself; or the reason."""


def use() -> Use:
    """Return which compiler functions in C are made with here; it is tried once."""
    setting = os.environ.get(VARIABLE, "")
    if setting.lower() not in ("on", "1", "yes", "true"):
        return Use(None, f"not asked for ({VARIABLE}=on)")
    compiler = None if os.name == "nt" else c_compiler()
    if compiler is None:
        return Use(None, "no C compiler (cc, gcc, clang or $CC)")
    version = _version(compiler)
    if version is None:
        return Use(None, f"{shlex.join(compiler)} does not say what it is")
    if (refusal := _refusal(compiler)) is not None:
        return Use(None, refusal)
    return Use(compiler, version)


@functools.cache
def _version(compiler: tuple[str, ...]) -> str | None:
    """Return the first line of what a compiler says of itself, without its name."""
    try:
        done = _call([*compiler, "--version"], SECONDS_TO_ANSWER)
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode:
        return None
    return next(iter(done.stdout.splitlines()), "").removeprefix(compiler[0]).strip() or None


@functools.cache
def _refusal(compiler: tuple[str, ...]) -> str | None:
    """Return why a compiler makes no library that could be loaded here; None if it does."""
    with tempfile.TemporaryDirectory() as room:
        source = Path(room) / "nothing.c"
        source.write_text('#include "xla/ffi/api/c_api.h"\n')
        try:
            ctypes.CDLL(str(_compiled(source, compiler, source.with_suffix(".so"))))
        except subprocess.TimeoutExpired:
            return _too_slow(compiler)
        except (OSError, RuntimeError) as error:
            return str(error)
    return None


def _too_slow(compiler: tuple[str, ...]) -> str:
    return f"{shlex.join(compiler)} did not end within {SECONDS:.0f} s"


def _call(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command; its words are English, and what cannot be read is replaced."""
    return subprocess.run(
        command,
        capture_output=True,
        check=False,
        env=os.environ | {"LC_ALL": "C"},
        errors="replace",
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=seconds,
    )


_lock = threading.Lock()
_known: dict[tuple[Path, tuple[str, ...]], bool] = {}
"""Whether functions were made known to XLA, which takes a name once in a process."""


def provide(source: Path, functions: tuple[str, ...]) -> bool:
    """Make functions of a C file known to XLA on CPU, and return whether that was possible.

    `jax.ffi.ffi_call` then calls them by their names. It is not possible where nobody asks for
    it (`VARIABLE`), without a C compiler, or where JAX computes on something else; nor if the
    compiler refuses the file, of which a warning tells, once.

    Arguments:
        source: the file, which may include ``xla/ffi/api/c_api.h``.
        functions: names of handlers in it, each ``XLA_FFI_Error *name(XLA_FFI_CallFrame *)``.
    """
    compiler = use().compiler
    if compiler is None or jax.default_backend() != "cpu":
        return False
    with _lock:
        if (source, functions) not in _known:
            _known[source, functions] = _provided(source, functions, compiler)
        return _known[source, functions]


def _provided(source: Path, functions: tuple[str, ...], compiler: tuple[str, ...]) -> bool:
    try:
        library = _library(source, compiler)
        for name in functions:
            address = jax.ffi.pycapsule(getattr(library, name))
            jax.ffi.register_ffi_target(name, address, platform="cpu")
    except Exception as error:  # a compiler, a loader, a JAX that is otherwise than they were
        reason = str(error).strip() or type(error).__name__
        if isinstance(error, subprocess.TimeoutExpired):
            reason = _too_slow(compiler)
        warnings.warn(
            f"{source.name} cannot be used, and JAX computes what it would have: {reason}",
            SoftmachineWarning,
            stacklevel=3,
        )
        return False
    return True


def _library(source: Path, compiler: tuple[str, ...]) -> ctypes.CDLL:
    """Load the library of a C file; compile it, unless that was done before."""
    directory = _directory()
    if directory is not None:
        try:
            return ctypes.CDLL(str(_kept(source, compiler, directory)))
        except OSError:  # nothing can be run from there, or it is full
            pass
    # A library that is loaded stays so without its file.
    with tempfile.TemporaryDirectory() as room:
        return ctypes.CDLL(str(_compiled(source, compiler, Path(room) / "library.so")))


def _kept(source: Path, compiler: tuple[str, ...], directory: Path) -> Path:
    """Return a file's library in a directory; make it if it is not there, or not whole.

    Its sum lies beside it: half a library ends the process that loads it.
    """
    name = f"{source.parent.name}-{source.stem}"
    kept = directory / f"{name}-{_digest(source, compiler)}.so"
    sums = kept.with_suffix(".sha256")
    if kept.is_file() and sums.is_file() and sums.read_text() == _sum(kept):
        return kept
    with tempfile.TemporaryDirectory(dir=directory) as room:
        made = _compiled(source, compiler, Path(room) / kept.name)
        # Other processes see all of it, or what does not fit and is made anew.
        with replacing(sums) as temporary:
            temporary.write_text(_sum(made))
        made.replace(kept)
    _forget(directory, name)
    return kept


def _forget(directory: Path, name: str) -> None:
    """Remove the oldest libraries of a name; another process may be doing so, too."""
    ages = []
    for path in directory.glob(f"{name}-*.so"):
        try:
            ages.append((path.stat().st_mtime, path))
        except OSError:
            continue
    for _, old in sorted(ages)[:-MOST_KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".sha256").unlink(missing_ok=True)


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _directory() -> Path | None:
    """Return where libraries are kept; None if they are not, or cannot be."""
    try:
        home = cache_home()
        if home is None:
            return None
        path = home / f"native-{processor()}"
        make_ready(path)
    except (OSError, RuntimeError, NotImplementedError):
        return None
    return path


def _digest(source: Path, compiler: tuple[str, ...]) -> str:
    """Return a short hash of all that a library depends on."""
    known = [source.read_text(encoding="utf-8"), *FLAGS, jax.__version__]
    known += [shlex.join(compiler), _version(compiler) or ""]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]


def _compiled(source: Path, compiler: tuple[str, ...], made: Path) -> Path:
    """Compile a C file, for this processor where the compiler can; return the library."""
    include, said = f"-I{jax.ffi.include_dir()}", ""
    for own in (*((flag,) for flag in OF_THIS_PROCESSOR), ()):
        command = [*compiler, *FLAGS, *own, include, "-o", str(made), str(source), "-lm"]
        done = _call(command, SECONDS)
        if not done.returncode and made.is_file():
            return made
        lines = done.stderr.splitlines()
        said = next((line for line in lines if "error" in line), f"status {done.returncode}")
    raise RuntimeError(f"{shlex.join(compiler)} refuses it: {said}")
