"""Nobody shuts the owner out, nobody waits for what is not wanted, and it ends when told to."""

import asyncio
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from softmachine.core.errors import SoftmachineError
from softmachine.viewer import connections, server
from softmachine.viewer.computing import Computer, EndedError, TookTooLongError
from softmachine.viewer.machines import Served
from softmachine.viewer.server import build_app

HALF = b"GET /api/machines HTTP/1.1\r\nHost: 127.0.0.1\r\n"
PATIENCE = 60  # seconds until a test gives up


def dial(address, said=b""):
    connection = socket.create_connection(("127.0.0.1", int(address[1])), timeout=PATIENCE)
    connection.sendall(said)
    return connection


def ask(address, path="/api/machines"):
    """A whole request, not yet answered."""
    port, token = address[1], address[2]
    return dial(address, (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Softmachine-Token: {token}\r\n"
        "Connection: close\r\n\r\n"
    ).encode())  # fmt: skip


def status(connection):
    with connection:
        return int(connection.recv(100).split()[1])


def in_a_thread(work):
    """Run a coroutine where no other one runs: a browser's tests leave theirs behind."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result(PATIENCE)


def closed(connection):
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def test_half_a_request_is_not_waited_for(address, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)
    for said in (b"", HALF):
        with dial(address, said) as connection:
            assert closed(connection)


def test_many_halves_of_requests_shut_nobody_out(address, monkeypatch):
    monkeypatch.setattr(connections, "MOST_WAITING", 8)
    halves = [dial(address, HALF) for _ in range(130)]
    assert status(ask(address)) == 200
    assert all(map(closed, halves[:100]))
    for half in halves:
        half.close()


def test_whoever_is_not_let_in_keeps_no_connection(address):
    with dial(address, HALF + b"Content-Length: 10\r\n\r\n") as connection:
        answer = b""
        while more := connection.recv(1000):
            answer += more
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"onnection: close" in answer


def test_many_requests_at_once_are_answered_in_turn(address, monkeypatch):
    monkeypatch.setattr(Served, "drawn", lambda *_: b"a trace")
    asked = [ask(address, "/api/machines/0/trace") for _ in range(150)]
    assert [status(connection) for connection in asked] == [200] * 150


def test_what_nobody_waits_for_any_more_is_told_so(address, monkeypatch):
    begun, stopped = threading.Event(), threading.Event()

    def draw(_self, _checkpoint, size, _seed, wanted, _kind=None):
        if size == 2:
            begun.set()
            while wanted():
                stopped.wait(0.01)
            stopped.set()
        return b"a trace"

    monkeypatch.setattr(Served, "drawn", draw)
    first = ask(address, "/api/machines/0/trace?size=2")
    assert begun.wait(PATIENCE)
    second = ask(address, "/api/machines/0/trace?size=3")
    first.close()  # as a page does when the person asks for something else
    assert status(second) == 200
    assert stopped.is_set()


@pytest.fixture
def endless():
    """Work that takes until the test is over, and what it was asked for."""
    over = threading.Event()

    def work(_wanted):
        over.wait(PATIENCE)
        return b""

    yield work
    over.set()


def test_a_request_has_a_time_limit_and_holds_up_nobody_after_it(served, endless, monkeypatch):
    monkeypatch.setattr(
        Served, "drawn", lambda _self, _checkpoint, size, *_: endless(None) if size else b"it"
    )
    app = build_app(served, [], token="secret", port=80, computer=Computer(seconds=0.05))
    client = TestClient(
        app, base_url="http://127.0.0.1:80", headers={"X-Softmachine-Token": "secret"}
    )
    monkeypatch.setitem(client.headers, "Host", "127.0.0.1:80")
    answer = client.get("/api/machines/0/trace?size=1")
    assert answer.status_code == 503
    assert "took more than 0 seconds and was given up" in answer.json()["error"]


def test_what_was_given_up_holds_up_nobody(endless):
    async def go():
        computer = Computer(seconds=0.05)
        with pytest.raises(TookTooLongError):
            await computer.run(endless)
        computer.seconds = PATIENCE
        return await computer.run(lambda _wanted: b"done")

    assert in_a_thread(go) == b"done"


def test_errors_of_the_work_are_its_caller_s():
    def fail(_wanted):
        raise ValueError("no such size")

    async def go():
        computer = Computer()
        with pytest.raises(ValueError, match="no such size"):
            await computer.run(fail)
        return await computer.run(lambda wanted: bytes(wanted()))

    assert in_a_thread(go) == b"\0"


def test_at_the_end_nobody_waits(endless):
    async def go():
        computer = Computer()
        waiting = [asyncio.create_task(computer.run(endless)) for _ in range(3)]
        await asyncio.sleep(0.01)
        computer.end()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(EndedError):
            await computer.run(endless)
        return outcomes

    assert [type(outcome) for outcome in in_a_thread(go)] == [EndedError] * 3


def test_a_port_can_be_asked_for(served, monkeypatch):
    told = queue.Queue()
    monkeypatch.setattr(server.Server, "run", lambda *_, **__: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SoftmachineError, match=f"port {port} cannot be used: "):
            server.serve(served, [], port=port, open_browser=False)
    server.serve(served, [], port=port, open_browser=False, announce=told.put)
    assert told.get_nowait().startswith(f"http://127.0.0.1:{port}/")
    for wrong in (-1, 2**16):
        with pytest.raises(SoftmachineError, match=r"from 0 \(any\) to 65535"):
            server.serve(served, [], port=wrong)


VIEW = """
import sys, threading
from softmachine.viewer.machines import Served
def drawn(*_):
    print("computing", flush=True)
    threading.Event().wait()  # as little to be interrupted as XLA
Served.drawn = drawn
from softmachine.cli.main import main
main(["view", "zoo:ntm-copy", "--no-open"])
"""


@pytest.mark.parametrize(
    ("sent", "expected"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_it_ends_while_a_machine_runs(sent, expected):
    with subprocess.Popen(
        [sys.executable, "-c", VIEW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            address = re.search(r"127\.0\.0\.1:(\d+)/\?token=([\w-]+)", line)
            assert process.stdout.readline() == "Ctrl-C ends it.\n"
            waiting = ask(address, "/api/machines/0/trace")
            assert process.stdout.readline() == "computing\n"
            process.send_signal(sent)
            assert status(waiting) == 503
            assert process.wait(PATIENCE) == expected
            assert process.stderr.read() == ""
        finally:
            process.kill()
