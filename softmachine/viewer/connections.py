"""HTTP connections with a time limit for the head of a request."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""How long a connection may take to send the head of its request."""
MOST_WAITING = 500
"""The most connections that may be waited for at once. One more, and the oldest is closed: a
process often may not have more than 1,024 open files and connections."""


class Connection(H11Protocol):
    """Uvicorn's connection, with a limit on the time until the head of a request is complete.

    Without it, clients that open connections and send nothing would shut all others out.
    """

    _waiting: ClassVar[dict[Connection, asyncio.TimerHandle]] = {}
    """Connections whose request has no complete head yet, the oldest first."""

    def connection_made(self, transport: Any) -> None:
        """Start the timer."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Process data; stop the timer once the head of a request is complete."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        """Run the timer while the head of a request is incomplete, and only then."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._forget()
        elif self not in self._waiting:
            if len(self._waiting) >= MOST_WAITING:
                longest = next(iter(self._waiting))
                longest._forget()
                longest.transport.abort()
            self._waiting[self] = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _forget(self) -> None:
        timer = self._waiting.pop(self, None)
        if timer is not None:
            timer.cancel()
