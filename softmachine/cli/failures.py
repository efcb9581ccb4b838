"""Error messages in one line; tracebacks of unexpected errors go to a file."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from softmachine.cli.folding import folded
from softmachine.core.errors import show_notes

USER_ERROR = 2
FAULT = 70
"""Status of what is nobody's mistake but the package's, as in sysexits.h."""
LATER = 0.01
"""Seconds after which a signal that was ignored is raised again."""
LONGEST = 1000
"""Letters of a message; a longer one is cut in its middle."""


def fail(message: str, status: int = USER_ERROR) -> NoReturn:
    """Print one line on standard error and exit."""
    _say(_line(message))
    sys.exit(status)


def _say(line: str) -> None:
    """Print a line on standard error; a terminal gets it broken between words."""
    line = f"softmachine: {line}"
    print(folded(line) if sys.stderr.isatty() else line, file=sys.stderr)


def fail_unforeseen(error: Exception, arguments: Sequence[str]) -> NoReturn:
    """Print one line about any error, with the name of a file that holds the traceback."""
    where = _write_traceback(error, arguments)
    details = f"; the traceback is in {where}" if where else ""
    if isinstance(error, OSError) and error.strerror:
        subject = f"{error.filename}: " if error.filename else ""
        fail(f"{subject}{error.strerror}{details}")
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        fail(f"there is not enough memory for this{details}")
    what = _line(str(error).strip().partition("\n")[0], 300)
    fail(f"an error that was not foreseen, {type(error).__name__}: {what}{details}", FAULT)


def _write_traceback(error: Exception, arguments: Sequence[str]) -> str | None:
    """Write the traceback to a new file and return its name; None if that cannot be done."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="softmachine-error-", suffix=".txt")
        text = "".join(traceback.format_exception(error))
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{_versions()}\narguments: {arguments!r:.10000}\n\n{text}")
    except Exception:  # it is the last net: nothing may fall through it
        return None
    return name


def _versions() -> str:
    import platform

    import softmachine

    jax = sys.modules.get("jax")
    loaded = f", JAX {jax.__version__}" if jax is not None else ""
    return f"softmachine {softmachine.__version__}, Python {platform.python_version()}{loaded}"


def _line(message: str, longest: int = LONGEST) -> str:
    """Return the message as one printable line, shortened if too long."""
    words = " ".join(message.split())
    words = "".join(x if x.isprintable() else repr(x)[1:-1] for x in words)
    if len(words) > longest:
        words = f"{words[: longest * 2 // 3]} ... {words[-longest // 3 :]}"
    return words


@contextlib.contextmanager
def notes() -> Iterator[None]:
    """Print the package's own warnings as one line each."""
    with warnings.catch_warnings():
        show_notes(lambda text: _say(f"note: {_line(text)}"))
        yield


def close_broken_pipe() -> NoReturn:
    """End when the reader (head, less) has gone: nothing is left to say, even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)


def end_on_sigterm() -> None:
    """Let SIGTERM end the process in good order, with status 143; a second one at once."""

    def end(number: int, _frame: Any) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        sys.exit(128 + number)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)


@contextlib.contextmanager
def signals_heard() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the process wherever they reach it.

    Python ignores what is raised during garbage collection, where JAX has a callback, and in
    finalizers: it prints a traceback and goes on. The signal is then raised once more, a moment
    later.
    """
    before = sys.unraisablehook

    def raise_again(ignored: Any) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            number = signal.SIGINT
        elif issubclass(ignored.exc_type, SystemExit):
            number = signal.SIGTERM
            end_on_sigterm()
        else:
            before(ignored)
            return
        # Not from here: what this function raises would be ignored, too.
        again = threading.Timer(LATER, _thread.interrupt_main, [number])
        again.daemon = True
        again.start()

    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        sys.unraisablehook = before
