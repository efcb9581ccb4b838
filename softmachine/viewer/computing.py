"""A queue of computations, run one at a time in threads while the server keeps answering.

XLA cannot be interrupted, neither while it compiles nor while it runs. A caller may stop
waiting, because its client has left, the computation takes too long, or the server shuts down;
but the thread runs on. Therefore a computation is given a function to ask, between its parts,
whether its result is still wanted.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import anyio

from softmachine.core.errors import SoftmachineError

MOST_SECONDS = 300.0
"""How long a computation may take. Then it is given up, and the next one starts beside it."""
THREAD = "softmachine-viewer-computing"
"""The name of the threads that compute."""

Wanted = Callable[[], bool]
"""Returns whether the result of a computation is still wanted."""
Work = Callable[[Wanted], bytes]
"""A computation."""


class TookTooLongError(SoftmachineError):
    """A computation took too long and was given up."""


class EndedError(SoftmachineError):
    """The server is shutting down."""


class Computer:
    """Runs computations one at a time, in the order in which they were requested.

    Its threads are daemons, but Python cannot exit while one of them is inside XLA; see
    `is_computing`.

    Arguments:
        seconds: how long a computation may take.
    """

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self.seconds = seconds
        self._turns = anyio.CapacityLimiter(1)
        self._waiting: set[anyio.CancelScope] = set()
        self._ended = False

    async def run(self, work: Work) -> bytes:
        """Run a computation in its turn; return what it returns, or raise what it raises.

        If the caller is cancelled, the computation is told that it is no longer wanted.

        Raises:
            TookTooLongError: it took more than ``seconds``, not counting the wait for its turn.
            EndedError: `end` was called.
        """
        with anyio.CancelScope() as scope:
            self._waiting.add(scope)
            try:
                if not self._ended:
                    return await self._compute(work)
            finally:
                self._waiting.discard(scope)
        raise EndedError("softmachine view has ended")

    def end(self) -> None:
        """Make all callers that wait, and all later ones, raise EndedError."""
        self._ended = True
        for scope in self._waiting:
            scope.cancel()

    async def _compute(self, work: Work) -> bytes:
        turn, given_up = object(), threading.Event()
        loop = asyncio.get_running_loop()
        result: asyncio.Future[bytes] = loop.create_future()

        def give_back() -> None:
            with contextlib.suppress(RuntimeError):  # it was given back after a timeout
                self._turns.release_on_behalf_of(turn)

        def finish(error: BaseException | None, made: bytes) -> None:
            give_back()
            if not result.done():
                result.set_exception(error) if error else result.set_result(made)

        def compute() -> None:
            error, made = None, b""
            try:
                made = work(lambda: not given_up.is_set())
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(finish, error, made)

        await self._turns.acquire_on_behalf_of(turn)
        threading.Thread(target=compute, name=THREAD, daemon=True).start()
        try:
            with anyio.fail_after(self.seconds):
                return await result
        except TimeoutError as error:
            give_back()
            raise TookTooLongError(
                f"this took more than {self.seconds:.0f} seconds and was given up: ask for less"
            ) from error
        finally:
            given_up.set()


def is_computing() -> bool:
    """Return whether any computation is running, including ones that were given up."""
    return any(thread.name == THREAD for thread in threading.enumerate())
