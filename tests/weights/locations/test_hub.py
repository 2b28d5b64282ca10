"""Weights of the Hugging Face Hub, from a local server that answers as the Hub does."""

import functools
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.containers import safetensors
from scenic_video.weights.locations.reading import read

pytest.importorskip("huggingface_hub")

COMMIT = "a" * 40
ARRAYS = {"a.weight": np.arange(6, dtype=np.float32), "b.weight": np.ones(3, np.float16)}
CONFIG = {"model_type": "vit", "num_attention_heads": 3}


class Hub(http.server.BaseHTTPRequestHandler):
    """One repository, org/model, whose files are those of a folder."""

    def __init__(self, folder: Path, *arguments):
        self.folder = folder
        super().__init__(*arguments)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/api/models/org/model"):
            files = [{"rfilename": file.name} for file in sorted(self.folder.iterdir())]
            about = {"id": "org/model", "sha": COMMIT, "siblings": files}
            self._answer(json.dumps(about).encode())
        elif path.startswith("/org/model/resolve/"):
            self._answer((self.folder / path.rsplit("/", 1)[1]).read_bytes())
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _answer(self, content: bytes):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    folder = tmp_path / "repository"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Hub, folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    yield folder
    server.shutdown()
    server.server_close()


def write_model(folder: Path) -> None:
    safetensors.write(folder / "model.safetensors", ARRAYS)
    (folder / "config.json").write_text(json.dumps(CONFIG))


def test_weights_come_with_their_config(repository):
    write_model(repository)
    arrived: list[int] = []
    file = read("hf:org/model", progress=lambda count, total: arrived.append(count))
    assert {name: array.tolist() for name, array in file.leaves.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert file.metadata["config"] == CONFIG
    assert arrived


def test_all_parts_of_a_model_come(repository):
    for number, (name, array) in enumerate(ARRAYS.items()):
        safetensors.write(repository / f"part{number}.safetensors", {name: array})
    owners = {name: f"part{number}.safetensors" for number, name in enumerate(ARRAYS)}
    index = repository / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": owners}))
    assert set(read("hf:org/model@main").leaves) == set(ARRAYS)


def test_one_file_of_several_is_named(repository):
    write_model(repository)
    safetensors.write(repository / "other.safetensors", {"c": np.zeros(2, np.float32)})
    assert list(read("hf:org/model:other.safetensors").leaves) == ["c"]
    with pytest.raises(UserError, match="there is no such file; there are config.json"):
        read("hf:org/model:third.safetensors")


def test_a_repository_that_is_not_there_is_one_sentence(repository):
    with pytest.raises(UserError, match="hf:org/other cannot be fetched: RepositoryNotFound"):
        read("hf:org/other")
