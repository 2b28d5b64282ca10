"""Locks the folder of a run, so that only one run trains in it.

The lock is a POSIX lock on WORKDIR/run.lock: the system releases it when the process ends, even by
a kill, and NFS shares it with other hosts. The file states its holder in JSON. On a file system
without locks, this statement alone decides. Reading a run needs no lock.
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
    """Locks the workdir for this run; yields a sentence on a run that was killed there, or "".

    Process 0 locks for all processes. Folders that were created and stay empty are removed again.
    Errors: ConfigError in all processes if another run trains there; OSError if the folder cannot
    be written to.
    """
    lock, problem = None, None
    if jax.process_index() == 0:
        try:
            lock = _Lock(workdir)
        except (ConfigError, OSError) as error:
            problem = error
    if any_process(problem is not None):
        raise problem or ConfigError(
            f"{workdir} is refused by process 0; its log states the reason."
        )
    try:
        yield "" if lock is None else lock.left_over
    finally:
        if lock is not None:
            lock.release()


def any_process(condition: bool) -> bool:
    """Whether `condition` is true in any process; all processes must call it."""
    if jax.process_count() == 1:
        return condition
    return bool(multihost_utils.process_allgather(np.array(condition)).any())


class _Lock:
    """A lock that is held from its construction to `release`."""

    def __init__(self, workdir: Path):
        self._path = workdir / LOCK_FILE
        self._created = [one for one in (workdir, *workdir.parents) if not one.exists()]
        try:
            workdir.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:  # as in /proc
            raise ConfigError(
                f"{workdir} cannot be created: its file system allows no new folders."
            ) from None
        self._file = _open(self._path)
        try:
            locked = self._acquire()
            self.left_over = _left_over(self._path, _holder(self._file), locked=locked)
            self._write_holder()
        except BaseException:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Removes the lock, and the created folders that are empty."""
        with contextlib.suppress(FileNotFoundError):  # the run's folder was deleted meanwhile
            self._path.unlink()
        os.close(self._file)
        with contextlib.suppress(OSError):  # ends at the first that is not empty
            for folder in self._created:
                folder.rmdir()

    def _acquire(self) -> bool:
        """False if the file system has no locks. Errors: ConfigError if another process locks."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in IN_USE:
                raise ConfigError(_in_use(self._path, _holder(self._file))) from None
            if error.errno in NO_LOCKS:
                return False
            raise
        if not _is_same_file(self._file, self._path):  # its last holder has just removed it
            os.close(self._file)
            self._file = _open(self._path)
            return self._acquire()
        return True

    def _write_holder(self) -> None:
        holder = {"host": socket.gethostname(), "process": os.getpid()}
        holder["since"] = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(holder).encode() + b"\n", 0)
        os.fsync(self._file)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _is_same_file(opened: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), path.stat())
    except FileNotFoundError:
        return False


def _holder(opened: int) -> dict[str, Any]:
    """The holder that the file states; {} if it states none or is damaged."""
    try:
        holder = json.loads(os.pread(opened, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _words(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    host, since = holder.get("host"), holder.get("since")
    return f"process {holder.get('process')} on host {host} since {since}"


def _in_use(path: Path, holder: dict[str, Any]) -> str:
    return (
        f"{path.parent} is in use by {_words(holder)}. Two runs in one folder would overwrite each "
        "other's files: wait for that run, stop it, or use another --workdir."
    )


def _left_over(path: Path, holder: dict[str, Any], *, locked: bool) -> str:
    """A sentence on the last holder if it was killed, else "".

    Without locks, a holder on this host is looked up, and one on another host counts as running.
    Errors: ConfigError if it is running.
    """
    if not holder:
        return ""
    if not locked and holder.get("host") != socket.gethostname():
        raise ConfigError(f"{_in_use(path, holder)} If that run has ended, delete {path}.")
    if not locked and _is_running(holder.get("process")):
        raise ConfigError(_in_use(path, holder))
    return f"The last run, {_words(holder)}, was interrupted."


def _is_running(process: Any) -> bool:
    if not isinstance(process, int) or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
