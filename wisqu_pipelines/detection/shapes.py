"""What kind of text a text is, by its shape, where nobody says."""

import re

from wisqu_pipelines.detection.evidence import FieldKind

LONGEST_TITLE = 10
"""Words; a longer text is prose."""
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_FILENAME = re.compile(r"[^\n]{1,200}\.[A-Za-z][A-Za-z0-9]{0,4}|[^\s/]*(?:/[^\s/]+)+")
_SPELT = re.compile(r"(?:\w\.){2,}\w")
"""Letters with dots between them: an abbreviation, or a word that is spelt."""
_EXTENSIONS = 2
"""As in `.tar.gz`."""
_LONGEST_EXTENSION = 5
_IDENTIFIER = re.compile(r"[A-Za-z]\w*[_\d-][\w-]*|[^\W\d_]+_\w+")
_SENTENCE = re.compile(r"[.!?؟۔…]\s*$|(?:\w{4}|[^\w\s])[.]\s+\S|[!?؟۔]\s+\S")


def kind_of(text: str) -> FieldKind:
    """The kind of a text: an address, a filename, an identifier, a title or prose. Never a person's name: that
    cannot be told, and what is a name to testers may be a title to others.
    """
    stripped = text.strip()
    if _EMAIL.fullmatch(stripped):
        return FieldKind.EMAIL
    if _SPELT.fullmatch(stripped):
        return FieldKind.TITLE
    if _FILENAME.fullmatch(stripped) and len(stripped.split()) <= LONGEST_TITLE:
        return FieldKind.FILENAME
    if _IDENTIFIER.fullmatch(stripped):
        return FieldKind.IDENTIFIER
    if len(stripped.split()) <= LONGEST_TITLE and not _SENTENCE.search(stripped):
        return FieldKind.TITLE
    return FieldKind.PROSE


def stem(filename: str) -> str:
    """A filename without folders and without its extension: what somebody called the file."""
    name = filename.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    short = name
    for _ in range(_EXTENSIONS):
        before, dot, extension = short.rpartition(".")
        if not (dot and 0 < len(extension) <= _LONGEST_EXTENSION and extension[0].isalpha()):
            break
        if not (extension.isascii() and extension.isalnum()):
            break
        short = before
    return short or name
