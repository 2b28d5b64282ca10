"""Errors of files and disks, as sentences and exit codes."""

import errno

WRONG_PATHS = {
    errno.ENOENT: "there is no such file or folder",
    errno.EEXIST: "it exists already, as something else (a file instead of a folder?)",
    errno.ENOTDIR: "a part of this path is a file, not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.EACCES: "permission is denied",
    errno.EPERM: "the operation is not permitted",
    errno.EROFS: "the file system is read-only; choose a writable folder",
    errno.ENAMETOOLONG: "the name is too long for its file system",
    errno.ELOOP: "its symbolic links form a loop",
    errno.ENOTEMPTY: "the folder is not empty",
    errno.EXDEV: "it cannot be renamed to another file system",
    errno.EBUSY: "it is in use",
    errno.ETXTBSY: "it is in use",
}
FAILED_DISKS = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than its file system or limit allows",
    errno.EIO: "reading or writing failed, on the disk or the network to it",
    errno.ESTALE: "the file was replaced on its server while it was open",
    errno.EMFILE: "too many files are open; raise `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine",
}


def exit_code(error: OSError) -> int | None:
    """2 for a wrong path, which the user can correct, 1 for a failing disk, None for others."""
    if error.errno in WRONG_PATHS:
        return 2
    return 1 if error.errno in FAILED_DISKS else None


def describe(error: OSError) -> str:
    """The error as a sentence."""
    reason = (WRONG_PATHS | FAILED_DISKS).get(error.errno or 0)
    if reason is None:
        return str(error)
    return f"{error.filename!r}: {reason}." if error.filename else f"A file: {reason}."
