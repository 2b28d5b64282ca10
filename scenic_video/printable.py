"""Text that comes from elsewhere, as it may be shown and stored."""

import re

NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, by which a name could steer a terminal or turn its text around, and what
stands for bytes that are no UTF-8: Linux lets names of files be any bytes."""


def printable(text: str) -> str:
    """`text` with such characters written out, as in "caf\\udce9.mp4"; lines and tabs stay.

    Ids and classes are stored so; the path that a file is opened by stays as it is.
    """
    return NOT_TEXT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
