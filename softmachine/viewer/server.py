"""The live viewer's server: one page and a small HTTP API, for this computer alone.

Starlette and Uvicorn do the HTTP. They are the smallest well-maintained pair: pure Python, five
packages in all, and Uvicorn's parser (h11) answers malformed requests itself.

Web pages from other origins must not be able to run anything here or to read results. So every
request needs a token that only the user's browser has, and its Host and Origin headers must
name this server; a foreign name that resolves to this address (DNS rebinding) fails there.

Other users of this computer can see the command lines of processes, the browser's included. So
the browser is not started with the token but with a ticket that is exchanged for it once.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from softmachine.core.errors import SoftmachineError
from softmachine.traces.page import live_page, policy
from softmachine.viewer.computing import Computer, EndedError, TookTooLongError, Work
from softmachine.viewer.connections import Connection
from softmachine.viewer.machines import Served

ADDRESS = "127.0.0.1"
"""The only address that is served: the loopback interface."""
LARGEST_BODY = 2**20
"""The largest body of a request, in bytes."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of all responses that do not set them themselves."""
ENTRANCE = "/enter"
"""Where a ticket is exchanged for the token."""
USED = "this link has been used: open the address that softmachine view printed"
CLOSED = 499
"""Status of a response to a client that has disconnected; nobody receives it."""


def build_app(
    machines: Sequence[Served],
    traces: Sequence[tuple[str, bytes]],
    *,
    token: str,
    port: int,
    ticket: str | None = None,
    computer: Computer | None = None,
) -> ASGIApp:
    """Return the web application; docs/traces.md describes its API.

    Arguments:
        machines: the machines that can be run.
        traces: further traces to show, each a name and its file's content.
        token: required of every request.
        port: the port it will be served on, which allowed hosts and origins have to name.
        ticket: accepted once, instead of the token, from the first visitor; None: no ticket.
        computer: runs the machines; a new one by default.
    """
    tickets = [] if ticket is None else [ticket]
    computer = computer or Computer()

    async def run(request: Request, work: Work) -> Response:
        """Run a machine and return its trace, unless the client disconnects."""
        made = Response(status_code=CLOSED)

        async def until_gone(scope: anyio.CancelScope) -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(until_gone, group.cancel_scope)
            try:
                made = _trace_file(await computer.run(work))
            except (SoftmachineError, ValueError) as error:  # a task group would wrap it
                made = _explain(request, error)
            except Exception as error:
                made = _apologise(request, error)
            group.cancel_scope.cancel()
        return made

    async def show(_: Request) -> Response:
        strict = f"{policy()}; frame-ancestors 'none'"
        return HTMLResponse(live_page(token), headers={"Content-Security-Policy": strict})

    async def enter(request: Request) -> Response:
        if not _same(request.query_params.get("ticket", ""), *tickets):
            raise HTTPException(403, USED)
        tickets.clear()
        return RedirectResponse(f"/?token={token}", 303)

    async def list_all(_: Request) -> Response:
        described = [machine.describe(i) for i, machine in enumerate(machines)]
        given = [{"id": i, "name": name} for i, (name, _) in enumerate(traces)]
        return JSONResponse({"machines": described, "traces": given})

    async def drawn(request: Request) -> Response:
        await _body(request)  # only after the body can a disconnection be received
        machine = _pick(machines, request)
        size = _integer(request, "size", None)
        seed = _integer(request, "seed", 0)
        checkpoint, kind = map(request.query_params.get, ("checkpoint", "kind"))
        return await run(
            request, lambda wanted: machine.drawn(checkpoint, size, seed or 0, wanted, kind)
        )

    async def own(request: Request) -> Response:
        machine = _pick(machines, request)
        inputs = _inputs(await _body(request))
        checkpoint, kind = map(request.query_params.get, ("checkpoint", "kind"))
        return await run(request, lambda wanted: machine.own(checkpoint, inputs, wanted, kind))

    async def given(request: Request) -> Response:
        return _trace_file(_pick(traces, request)[1])

    routes = [
        Route("/", show),
        Route(ENTRANCE, enter),
        Route("/api/machines", list_all),
        Route("/api/machines/{id}/trace", drawn, methods=["GET"]),
        Route("/api/machines/{id}/trace", own, methods=["POST"]),
        Route("/api/traces/{id}", given),
    ]
    handlers: dict[Any, Any] = {
        HTTPException: _explain_status,
        SoftmachineError: _explain,
        ValueError: _explain,
        Exception: _apologise,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    return _Guard(app, token, port)


class _Guard:
    """Middleware that rejects requests without the token or for another host or origin."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.hosts = {f"{name}:{port}" for name in (ADDRESS, "localhost")}
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        refusal = self._refuse(Request(scope))
        # A rejected client does not keep its connection either.
        headers = HEADERS if refusal is None else {**HEADERS, "Connection": "close"}

        async def send_guarded(message):
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                extra = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
                extra = [(name, value) for name, value in extra if name not in said]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        app = self.app if refusal is None else _error(refusal, 403)
        await app(scope, receive, send_guarded)

    def _refuse(self, request: Request) -> str | None:
        """Return why a request is rejected; None if it is accepted."""
        headers = request.headers
        if headers.get("host", "").lower() not in self.hosts:
            return "this server answers for this computer alone"
        if headers.get("origin") not in self.origins | {None}:
            return "pages from elsewhere are not let in"
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "pages from elsewhere are not let in"
        if request.url.path == ENTRANCE:  # which looks at the ticket itself
            return None
        said = headers.get("x-softmachine-token", "")
        if request.url.path == "/":
            said = request.query_params.get("token", "")
        if not _same(said, self.token):
            return "the token is wrong: open the address that softmachine view printed"
        return None


def serve(
    machines: Sequence[Served],
    traces: Sequence[tuple[str, bytes]],
    *,
    port: int = 0,
    open_browser: bool = True,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve the live viewer on the loopback interface until interrupted.

    Arguments:
        machines: the machines that can be run.
        traces: further traces to show, each a name and its file's content.
        port: the port; 0: any that is free.
        open_browser: whether to open the page in a browser.
        announce: called with the page's address.

    Raises:
        SoftmachineError: the port cannot be used.
    """
    token, ticket = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    with socket.socket() as listening:
        _bind(listening, port)
        port = listening.getsockname()[1]
        computer = Computer()
        config = uvicorn.Config(
            build_app(
                machines, traces, token=token, port=port, ticket=ticket, computer=computer
            ),
            http=Connection,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        root = f"http://{ADDRESS}:{port}"
        announce(f"{root}/?token={token}")
        if open_browser:
            # In a thread: some browsers block until they are closed.
            address = f"{root}{ENTRANCE}?ticket={ticket}"
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        Server(config, computer).run(sockets=[listening])


class Server(uvicorn.Server):
    """Uvicorn's server, which does not wait for computations when it shuts down."""

    def __init__(self, config: uvicorn.Config, computer: Computer) -> None:
        super().__init__(config)
        self.computer = computer

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all waiting requests with an error, then shut down."""
        self.computer.end()
        await super().shutdown(sockets)


def _bind(listening: socket.socket, port: int) -> None:
    """Listen on a port; SoftmachineError if it cannot be used."""
    if not 0 <= port < 2**16:
        raise SoftmachineError(f"a port is a number from 0 (any) to {2**16 - 1}, not {port}")
    # So that a port that was served until a moment ago can be used again.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
        listening.listen()
    except OSError as error:
        raise SoftmachineError(
            f"port {port} cannot be used: {error.strerror}; --port 0 takes any that is free"
        ) from error


def _same(said: str, *known: str) -> bool:
    """Return whether a text equals one of the secrets, in a time that reveals none of them."""
    return any(secrets.compare_digest(said.encode(), secret.encode()) for secret in known)


def _pick(things: Sequence[Any], request: Request) -> Any:
    """Return the item whose number is in the path; 404 if there is none."""
    try:
        number = int(request.path_params["id"])
    except ValueError:
        number = -1
    if not 0 <= number < len(things):
        raise HTTPException(404, f"there is no number {request.path_params['id'][:40]!r} here")
    return things[number]


def _integer(request: Request, name: str, default: int | None) -> int | None:
    """Return an integer parameter of the query; SoftmachineError if it is not one."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 2**31):
        raise SoftmachineError(f"{name} must be a number from 0 to {2**31 - 1}")
    return int(text)


async def _body(request: Request) -> bytes:
    """Return the body of a request; 413 as soon as it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"a request carries at most {LARGEST_BODY:,} bytes")
    return bytes(body)


def _inputs(body: bytes) -> Any:
    """Return the inputs from a request's JSON; SoftmachineError if it is malformed."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SoftmachineError("the request is no JSON") from error
    if not isinstance(value, dict) or value.keys() != {"inputs"}:
        raise SoftmachineError('the request must be {"inputs": ...} and nothing else')
    return value["inputs"]


def _trace_file(data: bytes) -> Response:
    return Response(data, media_type="application/octet-stream")


def _error(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status)


def _explain_status(_: Request, error: HTTPException) -> Response:
    return _error(error.detail, error.status_code)


def _explain(_: Request, error: Exception) -> Response:
    status = 503 if isinstance(error, (TookTooLongError, EndedError)) else 400
    return _error(" ".join(str(error).split()), status)


def _apologise(_: Request, error: Exception) -> Response:
    return _error(f"the machine failed: {type(error).__name__}", 500)
