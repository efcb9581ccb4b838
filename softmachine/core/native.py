"""Functions in C that XLA calls on the CPU, where there is a compiler to make them.

What they compute stands in JAX as well, which is used where they cannot be had. They are
compiled once on a computer, when they are first asked for, and kept in the user's directory of
caches.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import jax

from softmachine.core.c_compiler import c_compiler
from softmachine.core.compilation_cache import cache_home, make_ready, processor
from softmachine.core.errors import SoftmachineWarning

VARIABLE = "SOFTMACHINE_NATIVE"
"""Name of the environment variable that, set to ``off``, leaves all of them out."""
# Sums may be taken in any order, which is what makes vectors of them possible. Not -ffast-math:
# it takes NaN for impossible, and a library that was linked with it changes how the whole
# process rounds.
FLAGS = (
    "-std=c11",
    "-O3",
    "-fPIC",
    "-shared",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-freciprocal-math",
    "-ffp-contract=fast",
)
OF_THIS_PROCESSOR = ("-march=native", "-mcpu=native")
"""Which of the two a compiler takes depends on it, and on the processor."""
SECONDS = 120
"""After which a compiler is given up."""
MOST_KEPT = 8
"""How many libraries of one name are kept: those of other versions are forgotten in the end."""


class Use(NamedTuple):
    """The compiler that functions in C are made with, or why there is none."""

    compiler: str | None
    version: str
    """The first line of what the compiler says of itself; or the reason."""


def use() -> Use:
    """Return which compiler functions in C are made with here."""
    setting = os.environ.get(VARIABLE, "")
    if setting.lower() in ("off", "0", "no", "false"):
        return Use(None, f"{VARIABLE}={setting}")
    if jax.default_backend() != "cpu":
        return Use(None, f"JAX computes on {jax.default_backend()}")
    compiler = None if os.name == "nt" else c_compiler()
    if compiler is None:
        return Use(None, "no C compiler (cc, gcc, clang or $CC)")
    return Use(compiler, _version(compiler))


@functools.cache
def _version(compiler: str) -> str:
    """Return the first line of what a compiler says of itself; the error if it fails."""
    try:
        done = subprocess.run(
            [compiler, "--version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError, UnicodeError) as error:
        return str(error)
    return next(iter(done.stdout.splitlines()), compiler)


@functools.cache
def provide(source: Path, functions: tuple[str, ...]) -> bool:
    """Make functions of a C file known to XLA on CPU, and return whether that was possible.

    `jax.ffi.ffi_call` then calls them by their names. It is not possible without a C compiler,
    if the environment variable `VARIABLE` says ``off``, or where JAX computes on something
    else; and if the compiler refuses the file, with a warning that says so.

    Arguments:
        source: the file, which may include ``xla/ffi/api/c_api.h``.
        functions: names of handlers in it, each ``XLA_FFI_Error *name(XLA_FFI_CallFrame *)``.
    """
    compiler = use().compiler
    if compiler is None:
        return False
    try:
        library = _library(source, compiler)
        for name in functions:
            address = jax.ffi.pycapsule(getattr(library, name))
            jax.ffi.register_ffi_target(name, address, platform="cpu")
    except Exception as error:  # a compiler, a loader, a JAX that is otherwise than they were
        reason = str(error).strip() or type(error).__name__
        warnings.warn(
            f"{source.name} cannot be used, and JAX computes what it would have: {reason}. "
            f"{VARIABLE}=off does not try it",
            SoftmachineWarning,
            stacklevel=2,
        )
        return False
    return True


def _library(source: Path, compiler: str) -> ctypes.CDLL:
    """Load the library of a C file; compile it, unless that was done before."""
    directory = _directory()
    if directory is None:
        # A library that is loaded stays so without its file.
        with tempfile.TemporaryDirectory() as room:
            return ctypes.CDLL(str(_compiled(source, compiler, Path(room) / "library.so")))
    name = f"{source.parent.name}-{source.stem}"
    kept = directory / f"{name}-{_digest(source, compiler)}.so"
    if kept.exists():
        try:
            return ctypes.CDLL(str(kept))
        except OSError:  # damaged: made anew
            kept.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as room:
        # Other processes see all of it, or nothing.
        _compiled(source, compiler, Path(room) / kept.name).replace(kept)
    of_others = sorted(directory.glob(f"{name}-*.so"), key=lambda x: x.stat().st_mtime)
    for old in of_others[:-MOST_KEPT]:
        old.unlink(missing_ok=True)
    return ctypes.CDLL(str(kept))


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


def _digest(source: Path, compiler: str) -> str:
    """Return a short hash of all that a library depends on."""
    known = [source.read_text(encoding="utf-8"), *FLAGS, jax.__version__, _version(compiler)]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]


def _compiled(source: Path, compiler: str, made: Path) -> Path:
    """Compile a C file, for this processor where the compiler can; return the library."""
    include, said = f"-I{jax.ffi.include_dir()}", ""
    for own in (*((flag,) for flag in OF_THIS_PROCESSOR), ()):
        done = subprocess.run(
            [compiler, *FLAGS, *own, include, "-o", str(made), str(source), "-lm"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        if not done.returncode:
            return made
        lines = done.stderr.splitlines()
        said = next((line for line in lines if "error" in line), f"status {done.returncode}")
    raise RuntimeError(f"{compiler} refuses it: {said}")
