"""Makes text from outside, such as file names, safe to print and store."""

import re

NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, with which a name could control a terminal or reverse its text, and
surrogates, which represent bytes that are not UTF-8: file names on Linux can be any bytes."""


def printable(text: str) -> str:
    """`text` with such characters escaped, as in "caf\\udce9.mp4"; line breaks and tabs stay.

    Ids and classes are stored in this form; paths to open files stay unchanged.
    """
    return NOT_TEXT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
