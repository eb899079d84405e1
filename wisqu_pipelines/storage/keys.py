"""Which object keys are written: those that every S3 server keeps apart and gives back as they were.

SeaweedFS takes a double slash for a single one, drops backslashes, makes a folder without bytes of a key that ends in a
slash, and allows 255 bytes between two slashes. XML, in which keys are listed, has no control characters.
"""

import unicodedata

from wisqu_pipelines.errors import BadInput

LONGEST_KEY = 1_024
"""Bytes of UTF-8, as in S3."""
LONGEST_PART = 255
"""Bytes of UTF-8 between two slashes."""
_UNLISTABLE = {"Cc", "Cs"}
_NONCHARACTERS = {"\ufffe", "\uffff"}


def check_key(key: str) -> None:
    """Refuse a key under which a server could lose an object or mistake it for another.

    Raises:
        BadInput: it says why.
    """
    reason = _reason(key)
    if reason:
        raise BadInput(what=f"the object key '{key}'", reason=reason)


def is_usable(key: str) -> bool:
    """Whether `check_key` lets a key pass."""
    return _reason(key) is None


def _reason(key: str) -> str | None:
    plain = key.isascii() and key.isprintable()  # as nearly all are
    if not plain and any(unicodedata.category(each) in _UNLISTABLE or each in _NONCHARACTERS for each in key):
        return "it has control characters, or what is no character"
    if "\\" in key:
        return "it has a backslash"
    parts = key.split("/")
    if not all(parts):
        return "it is empty, or a part of it between slashes is"
    if "." in parts or ".." in parts:
        return "a part of it is '.' or '..'"
    if len(key.encode()) > LONGEST_KEY:
        return f"it has more than {LONGEST_KEY} bytes"
    if any(len(part.encode()) > LONGEST_PART for part in parts):
        return f"a part of it has more than {LONGEST_PART} bytes"
    return None
