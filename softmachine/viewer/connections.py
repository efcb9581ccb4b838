"""Connections that do not wait for ever for a request."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 10.0
"""How long a connection may take until it has said what it asks for."""
MOST_WAITING = 500
"""So many may take that time at once; for one more, the one that waits longest is closed. A
process has often no more than 1,024 files and connections."""


class Connection(H11Protocol):
    """Uvicorn's, which has no limits for the head of a request.

    Without them whoever opens connections and says nothing, or half of it, shuts others out.
    """

    _waiting: ClassVar[dict[Connection, asyncio.TimerHandle]] = {}
    """Those that have not yet said what they ask for, the oldest first."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take up what was said."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        """Wait for the head of a request if it has not come."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._forget()
        elif self not in self._waiting:
            if len(self._waiting) >= MOST_WAITING:
                longest = next(iter(self._waiting))
                longest._forget()
                longest.transport.abort()
            self._waiting[self] = self.loop.call_later(SECONDS, self.transport.abort)

    def _forget(self) -> None:
        timer = self._waiting.pop(self, None)
        if timer is not None:
            timer.cancel()
