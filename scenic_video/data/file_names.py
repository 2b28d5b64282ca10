"""Names of files as text: Linux lets them be any bytes, which then are no UTF-8."""


def printable_name(name: str) -> str:
    """`name` with `\\udce9` written out where a byte of it is no text, so that it can be stored.

    Ids and classes are such names; the path that a file is opened by stays as it is.
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
