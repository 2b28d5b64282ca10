"""Downloads: kept until they change; failures are one sentence and leave nothing behind."""

import functools
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.containers import npz
from scenic_video.weights.locations.reading import read


class CutOff(http.server.BaseHTTPRequestHandler):
    """States more bytes than it sends."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(bytes(10))

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_download_that_is_cut_off_leaves_no_file(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SCENIC_VIDEO_CACHE", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), CutOff) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(UserError, match="w.npz (was cut off|cannot be downloaded)"):
            read(f"http://127.0.0.1:{server.server_port}/w.npz")
        server.shutdown()
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_server_that_does_not_answer_is_one_sentence():
    with pytest.raises(UserError, match="https://127.0.0.1:1/w.npz cannot be downloaded"):
        read("https://127.0.0.1:1/w.npz")


class Folder(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_download_is_kept_until_it_changes(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SCENIC_VIDEO_CACHE", str(tmp_path / "cache"))
    served = tmp_path / "served"
    served.mkdir()
    npz.write(served / "w.npz", {"x": np.ones(3, np.float32)})
    handler = functools.partial(Folder, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/w.npz"
        arrived: list[int] = []
        for _ in range(2):
            file = read(address, progress=lambda so_far, _: arrived.append(so_far))
            assert file.leaves["x"].sum() == 3
        assert len(arrived) == 1
        npz.write(served / "w.npz", {"x": np.full(5, 2, np.float32)})
        assert read(address).leaves["x"].sum() == 10
        with pytest.raises(UserError, match="404"):
            read(address + "x")
        server.shutdown()
