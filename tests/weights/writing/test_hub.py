"""Folders are uploaded to the Hugging Face Hub: here a local server that answers as it does."""

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenic_video.errors import UserError
from scenic_video.weights.writing.hub import check_upload, upload

huggingface_hub = pytest.importorskip("huggingface_hub")

Files = dict[str, bytes]


class Hub(http.server.BaseHTTPRequestHandler):
    """Takes every file as one that is not large; `files` are those of its last commit."""

    files: Files = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != "Bearer hf_token":
            self._answer(403, {"error": "no rights"})
        elif self.path == "/api/repos/create":
            assert b"private" in body
            self._answer(200, {"url": "https://huggingface.co/org/name", "id": "org/name"})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            files = [
                {"path": x["path"], "uploadMode": "regular", "shouldIgnore": False} for x in asked
            ]
            self._answer(200, {"files": files})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            self._answer(
                200,
                {"commitOid": "a" * 40, "commitUrl": "https://huggingface.co/org/name/commit/a"},
            )
        else:
            self._answer(200, {"errors": [], "warnings": []})

    def _answer(self, status: int, content: object):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub(monkeypatch) -> Iterator[Files]:
    """The files that arrive at the server."""
    files: Files = {}
    handler = type("Handler", (Hub,), {"files": files})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_TOKEN", "hf_token")
    yield files
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "README.md").write_text("---\ntags: []\n---\n")
    return tmp_path


def test_every_file_arrives(hub, folder):
    assert upload(folder, "hf:org/name").endswith("/org/name/commit/a")
    assert hub == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_the_hub_refuses_is_one_error(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(UserError, match="was written, but hf:org/name refused it: .*403"):
        upload(folder, "hf:org/name")


def test_without_a_token_nothing_is_tried(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UserError, match="There is no token .* for hf:org/name. Log in by"):
        check_upload("hf:org/name")


@pytest.mark.parametrize("location", ["org/name", "hf:name", "hf:org/name:file"])
def test_another_form_of_name_is_one_error(location):
    with pytest.raises(UserError, match="is named hf:org/name"):
        check_upload(location)
