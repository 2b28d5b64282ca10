"""Members of a zip file: stored ones are mapped, compressed ones read within bounds."""

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from scenic_video.weights.containers.bounds import most_bytes
from scenic_video.weights.containers.mapped_file import MappedFile
from scenic_video.weights.containers.weight_file import Malformed

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
UTF8 = 0x800
"""The flag of a member whose name is UTF-8."""
END_LENGTH, END_COUNT = 22, 10
"""Bytes of the end of a zip file before its comment, and where the number of members is in it."""
MANY = 0xFFFF
"""Stands for a number that is stated elsewhere, in large files."""
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ZipMembers:
    """The members of a zip file by name.

    Errors: Malformed if a name occurs twice, or if the members claim more than the file can hold.
    """

    def __init__(self, path: Path):
        self.file = MappedFile(path)
        try:
            with zipfile.ZipFile(path) as archive:
                entries, comment = archive.infolist(), archive.comment
        except zipfile.BadZipFile as error:
            raise Malformed(
                f"the directory at its end is missing or damaged, as in a truncated file ({error})"
            ) from error
        self._check_count(len(entries), len(comment))
        self.entries = {entry.filename: entry for entry in entries}
        if len(self.entries) < len(entries):
            names = [entry.filename for entry in entries]
            twice = next(name for name in names if names.count(name) > 1)
            raise Malformed(f"its member {twice!r} occurs twice")
        total = sum(entry.file_size for entry in entries)
        if total > most_bytes(self.file.size):
            raise Malformed(
                f"its members claim {total:,} bytes, more than a file of {self.file.size:,} bytes "
                "holds unless it is a zip bomb"
            )
        for entry in entries:
            self._check(entry)

    def _check_count(self, count: int, comment: int) -> None:
        """The end states the number of members; damage can hide some from its reader."""
        start = self.file.size - comment - END_LENGTH + END_COUNT
        stated = int.from_bytes(self.file.bytes(start, 2), "little")
        if stated not in (count, MANY):
            raise Malformed(f"its directory lists {count} of {stated} members")

    def _check(self, entry: zipfile.ZipInfo) -> None:
        if entry.flag_bits & 1:
            raise Malformed(f"its member {entry.filename!r} is encrypted")
        if entry.compress_type not in COMPRESSIONS:
            raise Malformed(f"its member {entry.filename!r} has an unusual compression")
        stored = entry.compress_type == zipfile.ZIP_STORED
        if stored and entry.compress_size != entry.file_size:
            raise Malformed(f"its member {entry.filename!r} has two sizes")

    def start(self, name: str) -> int:
        """Where the bytes of a member begin in the file."""
        entry = self.entries[name]
        header = self.file.bytes(entry.header_offset, LOCAL_HEADER.size)
        magic, *_, name_length, extra_length = LOCAL_HEADER.unpack(header)
        written = self.file.bytes(entry.header_offset + LOCAL_HEADER.size, name_length)
        encoding = "utf-8" if entry.flag_bits & UTF8 else "cp437"
        if magic != b"PK\x03\x04" or written != entry.orig_filename.encode(encoding):
            raise Malformed(f"its member {name!r} is not where its directory says")
        return entry.header_offset + LOCAL_HEADER.size + name_length + extra_length

    def head(self, name: str, length: int) -> bytes:
        """The first bytes of a member, not checked."""
        entry = self.entries[name]
        raw = self.file.raw(self.start(name), entry.compress_size)
        if entry.compress_type == zipfile.ZIP_STORED:
            return raw[:length].tobytes()
        return zlib.decompressobj(-15).decompress(raw[: 2 * length + 1024].tobytes(), length)

    def read(self, name: str) -> np.ndarray:
        """The bytes of a member, checked by its CRC. Errors: Malformed."""
        entry = self.entries[name]
        raw = self.file.raw(self.start(name), entry.compress_size)
        if entry.compress_type == zipfile.ZIP_DEFLATED:
            content = zlib.decompressobj(-15).decompress(raw.data, entry.file_size + 1)
            raw = np.frombuffer(content, np.uint8)
        if len(raw) != entry.file_size:
            raise Malformed(f"its member {name!r} does not have the size that is stated")
        # PyTorch can be set to write none.
        if entry.CRC and zlib.crc32(raw.data) != entry.CRC:
            raise Malformed(f"its member {name!r} has changed since it was written (CRC)")
        return raw
