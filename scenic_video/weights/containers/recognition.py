"""Reads one file of weights, whose format is recognised by its content."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenic_video.weights.containers import (
    msgpack,
    npz,
    safetensors,
)
from scenic_video.weights.containers.bounds import check_total
from scenic_video.weights.containers.pytorch import legacy, zipped
from scenic_video.weights.containers.selection import Selection, flax_weights, torch_weights
from scenic_video.weights.containers.weight_file import Malformed, WeightFile, explained
from scenic_video.weights.containers.zip_members import ZipMembers

HEAD = 512
"""Bytes by which a format is recognised."""
TAR = 257, b"ustar"
"""Where a tar file says that it is one."""
FOREIGN = (
    (b"\x89HDF", "it is an HDF5 file, as Keras writes; convert it to npz or safetensors"),
    (b"GGUF", "it is a GGUF file of quantised weights"),
    (b"\x93NUMPY", "it is a single array of NumPy; weights need names, as in npz"),
    (b"version https://git-lfs", "it is a pointer of Git LFS; fetch the file itself"),
    (b"<", "it is a web page or XML, perhaps an error message in place of a download"),
    (b"\x1f\x8b", "it is a gzip file; unpack it"),
    (b"BZh", "it is a bzip2 file; unpack it"),
    (b"\xfd7zXZ", "it is an xz file; unpack it"),
    (b"7z\xbc\xaf", "it is a 7z archive; unpack it"),
    (b"\x28\xb5\x2f\xfd", "it is a zstd file; unpack it"),
    (b"\x80", "it is a pickle that PyTorch did not write, which is never run"),
    (b"\x08", "it is ONNX or another format of protobuf"),
    (b"\x89PNG", "it is an image"),
    (b"\xff\xd8\xff", "it is an image"),
    (b"RIFF", "it is audio or video"),
    (b"PK", "it is a damaged or empty zip file"),
)
"""First bytes of files that cannot be read here, and what to say of them."""

Read = Callable[[], tuple[Selection, dict[str, Any]]]
"""Reads the weights and the metadata of a file."""


def read_file(path: Path, location: str) -> WeightFile:
    """Errors: UserError for a file that is damaged, foreign, or claims more than it can hold."""
    with explained(location):
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD)
        container, read = _format(path, head, location)
    with explained(location, container):
        selection, metadata = read()
        check_total(selection.arrays, size)
        if not selection.arrays:
            raise Malformed("it has no arrays")
    if selection.beside:
        metadata["beside"] = selection.beside
    return WeightFile(location, container, selection.arrays, metadata, selection.notes)


def _format(path: Path, head: bytes, location: str) -> tuple[str, Read]:
    if head.startswith(b"PK\x03\x04"):
        return _zip_format(path, location)
    if legacy.is_torch_legacy(head):
        return legacy.NAME, lambda: (torch_weights(legacy.read(path)), {})
    if safetensors.is_safetensors(head):
        return safetensors.NAME, lambda: _safetensors(path)
    if head and msgpack.is_msgpack(head):
        return msgpack.NAME, lambda: (flax_weights(msgpack.read(path)), {})
    raise Malformed(_foreign(head))


def _zip_format(path: Path, location: str) -> tuple[str, Read]:
    with explained(location, "a zip file"):
        members = ZipMembers(path)
    if zipped.is_torch(members):
        return zipped.NAME, lambda: (torch_weights(zipped.read(members)), {})
    if npz.is_npz(members):
        return npz.NAME, lambda: (flax_weights(npz.read(members)), {})
    shown = ", ".join(list(members.entries)[:3]) or "nothing"
    raise Malformed(f"it is a zip file, but neither of NumPy nor of PyTorch: it holds {shown}")


def _safetensors(path: Path) -> tuple[Selection, dict[str, Any]]:
    arrays, header = safetensors.read(path)
    choose = flax_weights if any("/" in name for name in arrays) else torch_weights
    return choose(arrays), {"header": header} if header else {}


def _foreign(head: bytes) -> str:
    if not head:
        return "it is empty"
    offset, mark = TAR
    if head[offset : offset + len(mark)] == mark:
        return "it is a tar file (PyTorch before 0.2, or an archive to unpack)"
    if head[4:8] == b"ftyp":
        return "it is audio or video"
    known = next((words for start, words in FOREIGN if head.startswith(start)), None)
    return known or f"it begins with {head[:8].hex(' ')}, as no known format does"


def is_weights(path: Path) -> bool:
    """Whether the first bytes of a file are those of a format that can be read."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return bool(head) and (
        head.startswith(b"PK\x03\x04")
        or legacy.is_torch_legacy(head)
        or safetensors.is_safetensors(head)
        or msgpack.is_msgpack(head)
    )
