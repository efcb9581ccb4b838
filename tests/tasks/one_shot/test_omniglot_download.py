"""``softmachine data omniglot``, from a server of our own: no network is needed."""

import contextlib
import hashlib
import http.server
import threading

import pytest

from softmachine.cli import data as command
from softmachine.cli.main import main
from softmachine.tasks.one_shot import omniglot_download
from softmachine.tasks.one_shot.omniglot_download import SMALL, WHOLE, Original

FILES = {
    "/mirror/LICENSE": b"do what you like",
    "/mirror/python/one.zip": b"1" * 200_000,
    "/mirror/python/runs/two.zip": b"2",
}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(FILES)
        self.asked = []
        self.length = {}
        self.sent = 0
        self.address = f"http://127.0.0.1:{self.server_port}/mirror"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", self.server.length.get(self.path, len(data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # whoever asked may have read enough
            for begin in range(0, len(data), 1 << 16):
                self.wfile.write(data[begin : begin + (1 << 16)])
                self.server.sent += 1 << 16

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    originals = [
        Original(path.removeprefix("/mirror/"), len(data), hashlib.sha256(data).hexdigest())
        for path, data in FILES.items()
    ]
    monkeypatch.setattr(command, "WHOLE", tuple(originals))
    monkeypatch.setattr(command, "SMALL", tuple(originals[::2]))
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def fetch(server, tmp_path, capsys):
    """Call the command; return what it said, and its error if it should fail."""

    def call(*options, fails=False):
        arguments = ["data", "omniglot", "--out", str(tmp_path / "to" / "here"), *options]
        if not fails:
            main(arguments)
            return capsys.readouterr().out
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        captured = capsys.readouterr()
        assert stop.value.code == 2
        assert captured.err.count("\n") == 1
        return captured.err

    def fetch(*options, fails=False):
        return call("--mirror", server.address, *options, fails=fails)

    fetch.call = call
    return fetch


def there(tmp_path):
    """Return what is in the directory, hidden files included."""
    return {path.name: path.read_bytes() for path in (tmp_path / "to" / "here").glob("*")}


def test_files_are_fetched_once_with_licence_and_citation(fetch, server, tmp_path):
    out = fetch()
    names = {path.rpartition("/")[2]: data for path, data in FILES.items()}
    assert there(tmp_path) == names
    assert server.asked == list(FILES)
    assert "MIT, Copyright (c) 2015 Brenden Lake" in out
    assert "Science, 350(6266)" in out
    assert out.count("bytes  fetched\n") == 3
    again = fetch()
    assert again.count("bytes  was there\n") == 3
    assert server.asked == list(FILES)


def test_the_small_sets_are_others(fetch, tmp_path):
    fetch("--small")
    assert sorted(there(tmp_path)) == ["LICENSE", "two.zip"]


def test_a_wrong_file_is_not_kept_and_the_rest_can_be_fetched_later(fetch, server, tmp_path):
    path = "/mirror/python/one.zip"
    server.files[path] = FILES[path][:-1] + b"!"
    assert f"{path} is not the published file: its SHA-256 differs" in fetch(fails=True)
    assert list(there(tmp_path)) == ["LICENSE"]
    server.files[path] = FILES[path] + b"more"
    assert "is not the published file" in fetch(fails=True)
    server.files[path] = FILES[path]
    fetch()
    assert len(there(tmp_path)) == 3
    assert server.asked.count("/mirror/LICENSE") == 1


@pytest.mark.parametrize("says", ["all", "part"])
def test_what_breaks_off_leaves_nothing(fetch, server, tmp_path, says):
    """Whether the server had said how long the file is, or not."""
    path = "/mirror/python/one.zip"
    server.files[path] = FILES[path][:100_000]
    if says == "all":
        server.length[path] = len(FILES[path])
    error = fetch(fails=True)
    assert "one.zip broke off after 100,000 of 200,000 bytes" in error
    assert "the same command begins this file again" in error
    assert list(there(tmp_path)) == ["LICENSE"]


def test_an_endless_file_is_left_alone(fetch, server, tmp_path):
    path = "/mirror/LICENSE"
    server.files[path] = bytes(50_000_000)
    assert "is not the published file" in fetch(fails=True)
    assert server.sent < 25_000_000  # what is under way is lost
    assert there(tmp_path) == {}


def test_servers_that_do_not_have_it_or_are_not_there(fetch, server, tmp_path):
    server.files.clear()
    assert "LICENSE cannot be fetched: the server says 404 Not Found" in fetch(fails=True)
    assert not (tmp_path / "to").exists()
    nobody = "http://127.0.0.1:9/"
    error = fetch.call("--mirror", nobody, fails=True)
    assert "http://127.0.0.1:9/LICENSE cannot be reached: " in error
    error = fetch.call("--mirror", "file:///etc", fails=True)
    assert "file:///etc is no address: it should begin with https://" in error
    error = fetch.call("--mirror", "http://[", fails=True)
    assert "cannot be reached" in error
    assert not (tmp_path / "to").exists()


def test_files_of_somebody_else_are_not_overwritten(fetch, tmp_path):
    directory = tmp_path / "to" / "here"
    directory.mkdir(parents=True)
    (directory / "one.zip").write_text("mine")
    assert "one.zip is there, but is not the published file; move it" in fetch(fails=True)
    assert there(tmp_path)["one.zip"] == b"mine"


def test_a_directory_that_cannot_be_written(fetch, tmp_path):
    (tmp_path / "to").write_text("a file")
    assert "LICENSE cannot be written: " in fetch(fails=True)


def test_other_data_sets_are_unknown(capsys):
    with pytest.raises(SystemExit):
        main(["data", "mnist"])
    assert "omniglot" in capsys.readouterr().err


def test_the_published_files_are_named_once():
    assert {original.name for original in (*WHOLE, *SMALL)} == {
        "LICENSE",
        "images_background.zip",
        "images_evaluation.zip",
        "images_background_small1.zip",
        "images_background_small2.zip",
        "all_runs.zip",
    }
    assert all(len(original.sha256) == 64 for original in (*WHOLE, *SMALL))
    assert omniglot_download.ADDRESS.startswith("https://raw.githubusercontent.com/")
