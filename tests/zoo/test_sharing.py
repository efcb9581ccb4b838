"""Models in folders and in repositories: against a hub of our own on this computer."""

import base64
import hashlib
import http.server
import json
import re
import sys
import threading

import jax
import numpy as np
import pytest

from softmachine import zoo
from softmachine.cli.main import main
from softmachine.core.errors import CheckpointError, SoftmachineError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of Hugging Face's protocol as one repository of small files needs."""

    files: dict[str, bytes]

    def log_message(self, *_):
        pass

    def _address(self):
        return f"http://{self.headers['Host']}"

    def _answer(self, value, headers=(), status=200):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in [("Content-Length", str(len(body))), *headers]:
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/api/repos/create":
            self._answer({"url": f"{self._address()}/owner/name", "name": "owner/name"})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            asked = [one["path"] for one in json.loads(data)["files"]]
            found = [{"path": x, "uploadMode": "regular", "shouldIgnore": False} for x in asked]
            self._answer({"files": found})
        elif "/commit/" in self.path:
            for line in map(json.loads, data.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.files[line["value"]["path"]] = content
            url = f"{self._address()}/owner/name/commit/{COMMIT}"
            self._answer({"success": True, "commitUrl": url, "commitOid": COMMIT})
        else:
            self._answer({"error": "?"}, status=404)

    def do_GET(self):
        found = re.fullmatch(r"/owner/name/resolve/[^/]+/(.*)", self.path)
        if found and found[1] in self.files:
            body = self.files[found[1]]
            etag = f'"{hashlib.sha1(body).hexdigest()}"'
            self._answer(body, [("ETag", etag), ("X-Repo-Commit", COMMIT)])
        elif self.path.startswith("/api/models/owner/name/tree/"):
            tree = [
                {"type": "file", "path": x, "size": len(y), "oid": hashlib.sha1(y).hexdigest()}
                for x, y in self.files.items()
            ]
            self._answer(tree)
        elif self.path.startswith("/api/models/owner/name"):
            files = [{"rfilename": name} for name in self.files]
            self._answer({"id": "owner/name", "sha": COMMIT, "siblings": files})
        else:
            headers = [("X-Error-Code", "RepoNotFound")]
            self._answer({"error": "Repository not found"}, headers, 404)

    do_HEAD = do_GET  # noqa: N815, as the base class calls it


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Return the hub's address and the files of its repository."""
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_TOKEN", "none")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    handler = type("OneHub", (Hub,), {"files": {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.files
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def model():
    return zoo.open_model("nram-access")


def same(one, other):
    """Its files may be of another layout, so that their checksums differ."""
    assert (one.name, one.experiment) == (other.name, other.experiment)
    written = {"bytes": 0, "sha256": ""}
    assert one.card | written == other.card | written
    assert jax.tree.structure(one.machine) == jax.tree.structure(other.machine)
    pairs = zip(jax.tree.leaves(one.machine), jax.tree.leaves(other.machine), strict=True)
    assert all(np.array_equal(x, y) for x, y in pairs)


@pytest.mark.filterwarnings("ignore")
def test_a_model_goes_to_a_hub_and_comes_back(hub, model):
    address, files = hub
    where = zoo.push(model, "owner/name", endpoint=address)
    assert where.endswith(COMMIT)
    ours = {f"nram-access.{kind}" for kind in ("json", "md", "safetensors")} | {"README.md"}
    assert files.keys() >= ours
    assert files["README.md"].startswith(b"---\nlibrary_name: softmachine\n")
    same(model, zoo.from_pretrained("owner/name", endpoint=address))


@pytest.mark.filterwarnings("ignore")
def test_what_a_hub_refuses_is_said_in_a_line(hub):
    address, _ = hub
    with pytest.raises(SoftmachineError, match=r"^other/one on the hub: .*") as caught:
        zoo.from_pretrained("other/one", endpoint=address)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_weights_that_were_changed_on_the_hub_are_refused(hub, model):
    address, files = hub
    zoo.push(model, "owner/name", endpoint=address)
    damaged = bytearray(files["nram-access.safetensors"])
    damaged[-1] ^= 1
    files["nram-access.safetensors"] = bytes(damaged)
    with pytest.raises(CheckpointError):
        zoo.from_pretrained("owner/name", endpoint=address)


def test_a_model_goes_to_a_folder_and_comes_back(model, tmp_path, monkeypatch, capsys):
    same(model, zoo.from_pretrained(zoo.push(model, tmp_path / "models")))
    monkeypatch.chdir(tmp_path)
    main(["push", "zoo:nram-copy", "./models"])
    assert capsys.readouterr().out == "models\n"
    assert zoo.from_pretrained("models", "nram-copy").name == "nram-copy"
    with pytest.raises(SoftmachineError, match="several models, nram-access, nram-copy: name"):
        zoo.from_pretrained("models")


def test_nothing_of_that_name(tmp_path, monkeypatch):
    with pytest.raises(SoftmachineError, match="holds no model"):
        zoo.from_pretrained(tmp_path)
    with pytest.raises(SoftmachineError, match="is no folder, and no repository"):
        zoo.from_pretrained("nothing")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SoftmachineError, match=r"pip install 'softmachine\[hub\]'"):
        zoo.from_pretrained("owner/name")


def test_targets_that_are_none(model, tmp_path):
    with pytest.raises(SoftmachineError, match=r"neither a folder, such as \./models, nor"):
        zoo.push(model, "models")
    (tmp_path / "file").write_text("")
    with pytest.raises(SoftmachineError, match="cannot write to"):
        zoo.push(model, tmp_path / "file")


def test_the_command_line_takes_what_is_on_a_hub(model, monkeypatch, capsys):
    asked = []

    def fetched(repository, name):
        asked.append((repository, name))
        return model

    monkeypatch.setattr("softmachine.cli.sources.from_pretrained", fetched)
    main(["cite", "hf:owner/name:one"])
    assert asked[-1] == ("owner/name", "one")
    main(["program", "hf:owner/name"])
    assert asked[-1] == ("owner/name", None)
    assert "Extracted by softmachine from hf:owner/name" in capsys.readouterr().out
