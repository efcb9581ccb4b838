"""The server runs machines for its own page, and for nobody else."""

import http.client
import json
import queue
import threading
import urllib.request

import jax.numpy as jnp
import numpy as np
import pytest
from starlette.testclient import TestClient

from softmachine.tasks.sequences.copy import Copy
from softmachine.traces.file import trace_from_bytes
from softmachine.viewer import server
from softmachine.viewer.server import LARGEST_BODY, build_app

PORT = 4321
HOST = f"http://127.0.0.1:{PORT}"
KEY = {"X-Softmachine-Token": "secret"}


@pytest.fixture(scope="module")
def app(served, trace_file):
    return build_app(served, [("<b>it</b>.trace", trace_file)], token="secret", port=PORT)


@pytest.fixture
def client(app):
    return TestClient(app, base_url=HOST, headers=KEY, raise_server_exceptions=False)


def error(response, status):
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    return response.json()["error"]


def test_what_there_is_is_listed(client):
    answer = client.get("/api/machines").json()
    assert answer["traces"] == [{"id": 0, "name": "<b>it</b>.trace"}]
    assert answer["machines"] == [
        {
            "id": 0, "name": "small ntm", "machine": "NTM", "task": "Copy", "smallest": 1,
            "largest": 18, "size": 3, "input": "bits",
            "checkpoints": [{"id": "20", "label": "after 20 sequences"},
                            {"id": "best", "label": "best"}],
        },
        {
            "id": 1, "name": "small nram", "machine": "NRAM", "task": "Access", "smallest": 1,
            "largest": 50, "size": 3, "input": "cells",
            "checkpoints": [{"id": "best", "label": "best"}],
        },
    ]  # fmt: skip


def test_a_drawn_example_is_what_the_machine_does(client, served):
    response = client.get("/api/machines/0/trace?size=2&seed=7&checkpoint=20")
    assert response.headers["content-type"] == "application/octet-stream"
    made = trace_from_bytes(response.content)
    assert (made.header.size, made.header.seed) == (2, 7)
    assert made.header.source == "small ntm"
    machine = served[0].machine("20")
    outputs = machine(jnp.asarray(made.example["inputs"], jnp.float32))
    np.testing.assert_allclose(made.example["outputs"], outputs, atol=1e-6)


def test_by_default_the_largest_trained_and_the_last_checkpoint(client):
    plain = trace_from_bytes(client.get("/api/machines/0/trace").content)
    named = client.get("/api/machines/0/trace?size=3&seed=0&checkpoint=best").content
    other = client.get("/api/machines/0/trace?checkpoint=20").content
    outputs = plain.example["outputs"]
    np.testing.assert_array_equal(trace_from_bytes(named).example["outputs"], outputs)
    assert not np.array_equal(trace_from_bytes(other).example["outputs"], outputs)


def test_an_input_of_one_s_own_runs(client):
    task, rows = Copy(width=2), [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    made = trace_from_bytes(client.post("/api/machines/0/trace", json={"inputs": rows}).content)
    assert made.example["inputs"].tolist() == rows
    assert (
        made.example["targets"].tolist() == task.answer(np.array(rows, np.float32))[0].tolist()
    )
    assert "wrong_bits" in made.header.scores
    made = trace_from_bytes(
        client.post("/api/machines/1/trace", json={"inputs": [2, 1, 3, 0]}).content
    )
    assert made.example["targets"].tolist() == [3, 1, 3, 0]


def test_trace_files_are_served_as_they_are(client, trace_file):
    assert client.get("/api/traces/0").content == trace_file


def test_a_memory_grows_with_the_example(client):
    made = trace_from_bytes(client.get("/api/machines/0/trace?size=18").content)
    assert made.header.axes["row"].size == 18


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/machines/0/trace?size=0", "from 1 to 18, not 0"),
        ("/api/machines/0/trace?size=19", "from 1 to 18, not 19"),
        ("/api/machines/0/trace?size=-1", "must be a number"),
        ("/api/machines/0/trace?size=1e9", "must be a number"),
        ("/api/machines/0/trace?size=99999999999999999999", "must be a number"),
        ("/api/machines/0/trace?size=%D9%A3", "must be a number"),
        ("/api/machines/0/trace?seed=x", "must be a number"),
        ("/api/machines/0/trace?checkpoint=../../etc", "no checkpoint"),
    ],
)
def test_what_cannot_be_run_is_refused(client, path, message):
    assert message in error(client.get(path), 400)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"inputs": [[1, 0, 0]], "more": 1}', b'{"inputs": "x"}',
        b'{"inputs": null}', b'{"inputs": [[1, 0]]}', b'{"inputs": [[NaN, 0, 0]]}',
        b'{"inputs": [[1e999, 0, 0]]}', b'{"inputs": [["<script>", 0, 0]]}',
        b'{"inputs": [[1, 0, 0], [1]]}', b"\xff\xfe", b"[" * 10_000,
        b'{"inputs": ' + b"9" * 5000 + b"}",
        json.dumps({"inputs": [[0, 0, 0]] * 2001}).encode(),
    ],
    ids=range(15),
)  # fmt: skip
def test_malformed_inputs_are_refused(client, body):
    assert error(client.post("/api/machines/0/trace", content=body), 400)


def test_cells_that_are_no_memory_are_refused(client):
    post = lambda cells: client.post("/api/machines/1/trace", json={"inputs": cells})  # noqa: E731
    assert "from 0 to 2" in error(post([1, 2, 7]), 400)
    assert "256 cells" in error(post([0] * 257), 400)


@pytest.mark.parametrize("path", ["/api/machines/9/trace", "/api/machines/x/trace",
                                  "/api/traces/1", "/api/traces/-1", "/nothing",
                                  "/api/machines/0/trace/../../.."])  # fmt: skip
def test_what_is_not_there_is_404(client, path):
    assert error(client.get(path), 404)


def test_other_methods_are_405(client):
    assert error(client.delete("/api/machines/0/trace"), 405)
    assert error(client.post("/api/machines"), 405)


def test_bodies_that_are_too_large_are_refused(client):
    assert error(client.post("/api/machines/0/trace", content=b"1" * (LARGEST_BODY + 1)), 413)

    def chunks():  # without a declared length
        for _ in range(40):
            yield b" " * 2**16

    assert error(client.post("/api/machines/0/trace", content=chunks()), 413)


@pytest.mark.parametrize(
    "path", ["/", "/api/machines", "/api/machines/0/trace", "/api/traces/0"]
)
@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Host": "evil.example"}, "this computer alone"),
        ({"Host": f"evil.example:{PORT}"}, "this computer alone"),
        ({"Host": "127.0.0.1"}, "this computer alone"),
        ({"Host": f"127.0.0.1:{PORT + 1}"}, "this computer alone"),
        ({"Host": f"127.0.0.1.evil.example:{PORT}"}, "this computer alone"),
        ({"Host": ""}, "this computer alone"),
        ({"Origin": "http://evil.example"}, "elsewhere"),
        ({"Origin": "null"}, "elsewhere"),
        ({"Origin": f"https://127.0.0.1:{PORT}"}, "elsewhere"),
        ({"Sec-Fetch-Site": "cross-site"}, "elsewhere"),
        ({"Sec-Fetch-Site": "same-site"}, "elsewhere"),
        ({"X-Softmachine-Token": ""}, "token"),
        ({"X-Softmachine-Token": "secre"}, "token"),
        ({"X-Softmachine-Token": "sécret".encode()}, "token"),
    ],
)
def test_strangers_are_refused(client, path, headers, message):
    token = "wrong" if "X-Softmachine-Token" in headers else "secret"
    query = f"?token={token}" if path == "/" else ""
    response = client.get(path + query, headers=headers)
    assert message in error(response, 403)
    assert "access-control-allow-origin" not in response.headers


def test_a_request_without_a_token_is_refused(app):
    nobody = TestClient(app, base_url=HOST)
    for path in ("/", "/api/machines", "/?token="):
        assert "token" in error(nobody.get(path), 403)
    assert "token" in error(nobody.post("/api/machines/0/trace", json={"inputs": []}), 403)


def test_the_page_s_own_requests_are_let_in(client):
    for name in ("127.0.0.1", "localhost"):
        headers = {"Host": f"{name}:{PORT}", "Origin": f"http://{name}:{PORT}",
                   "Sec-Fetch-Site": "same-origin"}  # fmt: skip
        assert client.get("/api/machines", headers=headers).status_code == 200


def test_the_page_carries_the_token_and_stays_here(client):
    response = client.get("/?token=secret")
    assert response.status_code == 200
    assert '<meta name="softmachine-live" content="secret">' in response.text
    assert response.headers["x-frame-options"] == "DENY"
    # What the page says of itself counts in a file; only a header can forbid frames.
    said = response.headers["content-security-policy"].split("; ")
    assert said[0] == "default-src 'none'"
    assert said[-1] == "frame-ancestors 'none'"
    assert "; ".join(said[:-1]) in response.text
    other = client.get("/api/machines").headers["content-security-policy"]
    assert other == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"


def test_a_machine_that_fails_does_not_show_its_inside(client, served, monkeypatch):
    def fail(*_):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(type(served[0]), "drawn", fail)
    assert error(client.get("/api/machines/0/trace"), 500) == (
        "the machine failed: RuntimeError"
    )


def test_the_real_server_answers_and_survives_what_is_no_http(address):
    port, token = int(address[1]), address[2]
    for noise in (b"\x16\x03\x01 no HTTP\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                  b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n"
                  b"Host: x\r\nContent-Length: minus one\r\n\r\n", b"\x00" * 1000):  # fmt: skip
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.connect()
        connection.sock.sendall(noise)
        answer = connection.sock.recv(100)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
        connection.close()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/api/traces/0", headers={"X-Softmachine-Token": token})
    response = connection.getresponse()
    assert response.status == 200
    assert trace_from_bytes(response.read()).header.machine == "NTM"
    connection.request("GET", "/api/traces/0", headers={"X-Softmachine-Token": "x" * 32})
    assert connection.getresponse().status == 403
    connection.close()


def test_every_server_has_a_token_of_its_own_and_keeps_it_to_itself(monkeypatch, served):
    told = []
    monkeypatch.setattr(server.Server, "run", lambda *_, **__: None)
    asked = queue.Queue()
    monkeypatch.setattr(server.webbrowser, "open", asked.put)
    opened = []
    for _ in range(2):
        server.serve(served, [], announce=told.append)
        opened.append(asked.get(timeout=60))
    assert told[0] != told[1]
    assert opened[0] != opened[1]
    # Whoever lists processes sees what the browser was started with.
    for printed, started in zip(told, opened, strict=True):
        token = printed.partition("token=")[2]
        assert len(token) == 32
        assert token not in started


def test_a_browser_that_runs_until_it_is_closed_is_answered(monkeypatch, served):
    answers, servers = queue.Queue(), []

    class Watched(server.Server):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            servers.append(self)

    def browse(address):
        with urllib.request.urlopen(address, timeout=60) as response:
            answers.put((response.url, response.read().decode()))
        servers[0].should_exit = True

    monkeypatch.setattr(server, "Server", Watched)
    monkeypatch.setattr(server.webbrowser, "open", browse)
    told = []
    # In a thread of its own: a browser of other tests may have an event loop in this one.
    serving = threading.Thread(
        target=server.serve, args=(served, []), kwargs={"announce": told.append}
    )
    serving.start()
    address, text = answers.get(timeout=60)
    serving.join()
    assert address == told[0]
    assert f'content="{address.partition("token=")[2]}"' in text


def test_the_browser_s_ticket_is_taken_once(served):
    app = build_app(served, [], token="secret", port=PORT, ticket="ticket")
    visitor = TestClient(app, base_url=HOST, follow_redirects=False)
    for wrong in ("/enter", "/enter?ticket=", "/enter?ticket=ticke", "/enter?ticket=secret"):
        assert "used" in error(visitor.get(wrong), 403)
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert "elsewhere" in error(visitor.get("/enter?ticket=ticket", headers=foreign), 403)
    response = visitor.get("/enter?ticket=ticket")
    assert (response.status_code, response.headers["location"]) == (303, "/?token=secret")
    assert response.headers["cache-control"] == "no-store"
    assert visitor.get(response.headers["location"]).status_code == 200
    assert "used" in error(visitor.get("/enter?ticket=ticket"), 403)
    assert "token" in error(visitor.get("/?token=ticket"), 403)


def test_without_a_ticket_there_is_no_entrance(app):
    visitor = TestClient(app, base_url=HOST)
    for path in ("/enter", "/enter?ticket=", "/enter?ticket=None"):
        assert "used" in error(visitor.get(path), 403)
