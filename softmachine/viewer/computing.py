"""One computation after the other, while the server goes on answering.

XLA cannot be interrupted: neither a compilation nor a run. So whoever asked may stop waiting,
because nobody wants the result any more, it takes too long, or the server ends; the thread
then goes on until it is done, and the next computation begins after it. A computation asks
between its parts whether its result is still wanted.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import anyio

from softmachine.core.errors import SoftmachineError

SECONDS = 300.0
"""How long a computation may take. What was given up does not hold up others any more."""
THREAD = "softmachine-viewer-computing"

Wanted = Callable[[], bool]
Work = Callable[[Wanted], bytes]


class TookTooLongError(SoftmachineError):
    """A computation was given up."""


class EndedError(SoftmachineError):
    """The server ends."""


class Computer:
    """Runs computations in the order in which they are asked for, one at a time.

    Its threads are daemons. Python cannot end while one of them is within XLA; see
    `is_computing`.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._turns = anyio.CapacityLimiter(1)
        self._waiting: set[anyio.CancelScope] = set()
        self._ended = False

    async def run(self, work: Work) -> bytes:
        """Return what ``work`` returns; raise what it raises.

        If the caller is cancelled, so is the work as soon as it asks.

        Raises:
            TookTooLongError: it took more than ``seconds``, from its begin on.
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
        """Let nobody wait any more."""
        self._ended = True
        for scope in self._waiting:
            scope.cancel()

    async def _compute(self, work: Work) -> bytes:
        turn, given_up = object(), threading.Event()
        loop = asyncio.get_running_loop()
        result: asyncio.Future[bytes] = loop.create_future()

        def give_back() -> None:
            with contextlib.suppress(RuntimeError):  # unless it was given back before
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
            with contextlib.suppress(RuntimeError):  # the server has ended
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
    """Return whether a computation is under way, perhaps one that nobody waits for."""
    return any(thread.name == THREAD for thread in threading.enumerate())
