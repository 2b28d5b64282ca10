"""Errors whose message says it all. Any other keeps its traceback, a plain ValueError too: it is a
bug, or comes from the depths of a library."""


class UserError(ValueError):
    """What the user can mend; the message says what came, what was wanted and what to do."""

    exit_code = 2


class RunFailed(RuntimeError):
    """What went wrong in a run whose config and data are right, such as a disk or a loss."""

    exit_code = 1
