"""Errors that are shown as one sentence. All others, including a plain ValueError, keep their
traceback: they are bugs, or come from a library."""


class UserError(ValueError):
    """A mistake that the user can correct; the message says what was given, what is wanted and what
    to do."""

    exit_code = 2


class RunFailed(RuntimeError):
    """A failure of a run whose config and data are valid, such as a full disk or a NaN loss."""

    exit_code = 1
