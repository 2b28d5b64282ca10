"""What the system says of a disk, in a sentence and by whom it can be mended."""

import errno

WRONG_PATHS = {
    errno.ENOENT: "there is no such file or folder",
    errno.EEXIST: "it is there already, and not as what is wanted (a file instead of a folder?)",
    errno.ENOTDIR: "a part of this path is a file, not a folder",
    errno.EISDIR: "it is a folder; a file is wanted",
    errno.EACCES: "permission is denied",
    errno.EPERM: "this is not permitted",
    errno.EROFS: "this file system is read-only; name a folder that can be written to",
    errno.ENAMETOOLONG: "this name is too long for its file system",
    errno.ELOOP: "its links lead in a circle",
    errno.ENOTEMPTY: "this folder is not empty",
    errno.EXDEV: "it would have to move between file systems",
    errno.EBUSY: "it is in use",
    errno.ETXTBSY: "it is in use",
}
FAILED_DISKS = {
    errno.ENOSPC: "no space is left on this disk",
    errno.EDQUOT: "the quota of this disk is used up",
    errno.EFBIG: "the file is larger than its file system or limit allows",
    errno.EIO: "the disk, or the network to it, fails to read or write",
    errno.ESTALE: "the file was replaced on its server while it was open",
    errno.EMFILE: "too many files are open; raise `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine",
}


def exit_code(error: OSError) -> int | None:
    """2 for a path that the user can mend, 1 for a disk that fails, None for anything else."""
    if error.errno in WRONG_PATHS:
        return 2
    return 1 if error.errno in FAILED_DISKS else None


def words(error: OSError) -> str:
    """The error in a sentence."""
    said = (WRONG_PATHS | FAILED_DISKS).get(error.errno or 0)
    if said is None:
        return str(error)
    return f"{error.filename!r}: {said}." if error.filename else f"A file: {said}."
