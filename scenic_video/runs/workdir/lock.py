"""The folder of a run: who trains in it, told by a lock that ends with its holder.

The lock is one of POSIX on WORKDIR/run.lock, which the system gives back when a process ends,
however it ends, and which NFS passes on to other hosts. The file says in JSON who holds it. Where a
file system knows no locks, that note alone decides. Reading a run takes no lock.
"""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from scenic_video.config import ConfigError

LOCK_FILE = "run.lock"
IN_USE = (errno.EACCES, errno.EAGAIN)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def in_use(workdir: Path) -> Iterator[str]:
    """Holds the workdir for this run; gives a sentence on a lock that was left over, or "".

    Of several processes the first one locks, for all. A folder that is made for it and stays empty
    is removed again. Errors: ConfigError on all of them if another run trains there; OSError where
    nothing can be written.
    """
    lock, problem = None, None
    if jax.process_index() == 0:
        try:
            lock = _Lock(workdir)
        except (ConfigError, OSError) as error:
            problem = error
    if any_process(problem is not None):
        raise problem or ConfigError(f"{workdir} is refused by process 0, which says why.")
    try:
        yield "" if lock is None else lock.left_over
    finally:
        if lock is not None:
            lock.release()


def any_process(here: bool) -> bool:
    """Whether it is so in some process; all of them ask together."""
    if jax.process_count() == 1:
        return here
    return bool(multihost_utils.process_allgather(np.array(here)).any())


class _Lock:
    """A lock that is held from its making to `release`."""

    def __init__(self, workdir: Path):
        self._path = workdir / LOCK_FILE
        self._made = [one for one in (workdir, *workdir.parents) if not one.exists()]
        try:
            workdir.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:  # as in /proc
            raise ConfigError(f"{workdir} cannot be made: no folders can, at that place.") from None
        self._file = _open(self._path)
        try:
            held = self._take()
            self.left_over = _left_over(self._path, _note_in(self._file), held=held)
            self._sign()
        except BaseException:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Removes the lock, and folders that were made for it in vain."""
        with contextlib.suppress(FileNotFoundError):  # the run's folder was deleted meanwhile
            self._path.unlink()
        os.close(self._file)
        with contextlib.suppress(OSError):  # the first that is not empty ends it
            for made in self._made:
                made.rmdir()

    def _take(self) -> bool:
        """Whether the file system locks. Errors: ConfigError where another process has the lock."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in IN_USE:
                raise ConfigError(_in_use(self._path, _note_in(self._file))) from None
            if error.errno in NO_LOCKS:
                return False
            raise
        if not _is_same_file(self._file, self._path):  # its last holder has just removed it
            os.close(self._file)
            self._file = _open(self._path)
            return self._take()
        return True

    def _sign(self) -> None:
        note = {"host": socket.gethostname(), "process": os.getpid()}
        note["since"] = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(note).encode() + b"\n", 0)
        os.fsync(self._file)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _is_same_file(opened: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), path.stat())
    except FileNotFoundError:
        return False


def _note_in(opened: int) -> dict[str, Any]:
    """Who signed the lock; {} where nobody did, or cannot be read."""
    try:
        note = json.loads(os.pread(opened, 4096, 0))
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _words(note: dict[str, Any]) -> str:
    if not note:
        return "another process"
    return f"process {note.get('process')} on host {note.get('host')} since {note.get('since')}"


def _in_use(path: Path, note: dict[str, Any]) -> str:
    return (
        f"{path.parent} is in use by {_words(note)}. Two runs in one folder would break each "
        "other: wait for that one, stop it, or give another --workdir."
    )


def _left_over(path: Path, note: dict[str, Any], *, held: bool) -> str:
    """A sentence on the last holder, if it did not end by itself.

    Without locks, one of this host is asked after; one of another host is taken to be running.
    """
    if not note:
        return ""
    if not held and note.get("host") != socket.gethostname():
        raise ConfigError(f"{_in_use(path, note)} If it is over, delete {path}.")
    if not held and _runs(note.get("process")):
        raise ConfigError(_in_use(path, note))
    return f"Its last run, {_words(note)}, was cut off."


def _runs(process: Any) -> bool:
    if not isinstance(process, int) or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
