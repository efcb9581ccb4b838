"""While a command computes: a spinner on terminals, and an answer to Ctrl-C at once."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task
from rich.table import Column
from rich.text import Text

GRACE = 1.0
"""Seconds until a process that was told to end is killed."""
OVERTIME = 4.0
"""Seconds that a process may take longer than its time before it is ended."""
_doing = ["beginning"]
"""What is being done, as the innermost `working` says it."""


def on_terminal() -> bool:
    """Whether standard output is a terminal on which lines can be redrawn."""
    return sys.stdout.isatty() and not Console().is_dumb_terminal


class Said(ProgressColumn):
    """What is said of a task: a line, which is cut where there is no room for all of it."""

    def __init__(self, field: str | None = None) -> None:
        """Say a field of the task, or what describes it."""
        super().__init__()
        self._field = field

    def render(self, task: Task) -> Text:
        """Return it."""
        text = task.description if self._field is None else task.fields[self._field]
        return Text(text, no_wrap=True, overflow="ellipsis")


class Elapsed(ProgressColumn):
    """The time since the beginning, and how much is left where that is known."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """Return it as ``1:05``, ``1:05 of 10:00`` or ``1:05, <4:30 left``."""
        elapsed = task.fields.get("before", 0.0) + (task.elapsed or 0.0)
        text = clock(elapsed)
        if (limit := task.fields.get("limit")) is not None:
            text += f" of {clock(limit)}"
        if (end := task.fields.get("end")) is not None:
            text += f", <{clock(max(0.0, end - elapsed))} left"
        return Text(text, style="progress.elapsed")


def clock(seconds: float) -> str:
    """Return a time as ``0:07``, ``12:30`` or ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextlib.contextmanager
def working(
    what: str,
    *,
    limit: float | None = None,
    since: float | None = None,
    last: str | None = None,
    presses: int = 2,
) -> Iterator[Callable[[str], None]]:
    """Show on a terminal that something is being done, and for how long; else do nothing.

    Within it, Ctrl-C ends the process within a second, whatever it is doing: so nothing may
    be written there but by renaming.

    Arguments:
        what: what is being done.
        limit: the seconds that it takes at most.
        since: when it began, by `time.monotonic`; now by default.
        last: given for a training, which ends in good order at the first Ctrl-C: what to say
            when it is ended by another one.
        presses: which Ctrl-C that is; the first one, if it has not ended within a second.
    """
    _doing.append(what)
    answered = answered_signals(presses=1)
    if last is not None:
        answer = answer_interrupt if presses > 1 else None
        answered = answered_signals(answer, last=last, presses=presses)
    with answered, _done():
        if not on_terminal():
            yield lambda _: None
            return
        progress = Progress(SpinnerColumn(), Said(), Elapsed(), transient=True)
        with progress:
            before = 0.0 if since is None else time.monotonic() - since
            task = progress.add_task(what, total=None, limit=limit, before=before)
            yield lambda what: progress.update(task, description=what)


@contextlib.contextmanager
def _done() -> Iterator[None]:
    try:
        yield
    finally:
        _doing.pop()


@contextlib.contextmanager
def ended_by(end: float, last: str) -> Iterator[None]:
    """End the process with status 1 some time after a limit, whatever it is doing.

    Nothing interrupts XLA, Numba's compiler or a C program. What is not over by itself
    `OVERTIME` after the limit is ended by another thread; so nothing may be written within it
    but by renaming.

    Arguments:
        end: the limit, as `time.monotonic` tells it.
        last: what to say then, besides what was being done.
    """
    over = threading.Event()

    def watch() -> None:
        left = end + OVERTIME - time.monotonic()
        if not over.wait(min(max(0.0, left), threading.TIMEOUT_MAX)):
            _end(1, f"The time was over while {_doing[-1]}. {last}")

    threading.Thread(target=watch, name="time limit", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def answer_interrupt() -> None:
    """Say that a training has heard the first Ctrl-C; stands above a bar that is shown."""
    message = "Stopping after these updates; press Ctrl-C again to end at once."
    print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def answered_signals(
    answer: Callable[[], None] | None = None, *, last: str = "", presses: int = 2
) -> Iterator[None]:
    """Answer SIGINT and SIGTERM while the main thread is in a computation of XLA.

    Nothing interrupts XLA, and Python's own handlers wait for the main thread, which may be
    seconds away. Python does note the signal at once in a file descriptor, which is read here
    by another thread. Handlers act as they would; this only speaks, and at the last press
    ends a process that does not end by itself.

    Arguments:
        answer: called at the first press, from another thread, unless it is the last one.
        last: what to say when the process is ended.
        presses: at which press to end it, status 128 + the number of the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    over = threading.Event()

    def watch() -> None:
        pressed = 0
        while number := reader.recv(1):
            if number[0] not in (signal.SIGINT, signal.SIGTERM):
                continue
            pressed += 1
            if pressed >= presses:
                if not over.wait(GRACE):
                    _end(128 + number[0], last)
            elif answer is not None and pressed == 1:
                answer()

    thread = threading.Thread(target=watch, name="signals", daemon=True)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        writer.close()
        thread.join()
        reader.close()


def _end(status: int, last: str) -> None:
    """End this process now; no file is left half-written, as files are renamed into place."""
    show_cursor = "\x1b[?25h" if sys.stdout.isatty() else ""
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stdout.fileno(), show_cursor.encode())
        os.write(sys.stderr.fileno(), f"\n{last}\n".encode() if last else b"\n")
    os._exit(status)
