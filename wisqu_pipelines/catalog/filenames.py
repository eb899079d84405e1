"""Which filenames are accepted: one is only metadata here, but ends up in shells, spreadsheets and browsers."""

import unicodedata

from wisqu_pipelines.audit.spreadsheets import FORMULA_STARTS, is_formula
from wisqu_pipelines.errors import BadInput

MAX_CHARACTERS = 255
"""As wide as `stored_files.filename`."""
MAX_NAME_BYTES = 255
"""What file systems allow for one name, in UTF-8."""
DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Invisible characters that change in which order a name is shown. Persian and Arabic names need none of them; the
joiners that they do need (ZWNJ, ZWJ) are others."""


def check_filename(name: str) -> None:
    """Accept a filename, or a path of names separated by `/` that leads downwards.

    Raises:
        BadInput: the name is empty, too long, leads out of its folder, begins like a formula, or has characters that
            cannot be seen or turn the reading direction.
    """
    if reason := _refusal(name):
        raise BadInput(what=f"the filename '{name}'", reason=reason)


def _refusal(name: str) -> str | None:
    if not name.strip():
        return "it is empty"
    if len(name) > MAX_CHARACTERS:
        return f"it has {len(name)} characters, and at most {MAX_CHARACTERS} are allowed"
    return _unprintable(name) or _wrong_path(name)


def _unprintable(name: str) -> str | None:
    if "\0" in name:
        return "it has a NUL character"
    if DIRECTION_MARKS & set(name):
        return "it has characters that change the reading direction"
    if any(unicodedata.category(character) == "Cs" for character in name):
        return "it is not valid Unicode"
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in name):
        return "it has control characters"
    return None


def _wrong_path(name: str) -> str | None:
    if name.startswith("/") or "\\" in name or name[1:3] == ":/":
        return "it is not a relative path with '/' between its parts"
    parts = name.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "it leads out of its folder or has an empty part"
    if any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        return f"a part of it has more than {MAX_NAME_BYTES} bytes"
    if any(is_formula(shown) for shown in (name, parts[-1])):
        return f"it begins like a spreadsheet formula (one of {' '.join(FORMULA_STARTS)})"
    return None
