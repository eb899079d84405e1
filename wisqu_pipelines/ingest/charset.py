"""Bytes to text: Unicode first, Western single bytes as the one fallback, and no guess beyond that.

A statistical guess was tried and turned French and Russian into other letters without a word. A file that is not
Unicode and not plainly Western is refused instead, so that nobody searches in garbled text.
"""

import codecs
import re
import unicodedata

from wisqu_pipelines.errors import BadInput

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, the longer before the shorter that it begins with."""
FALLBACK = "cp1252"
FALLBACK_SHARE = 0.3
"""Western text has fewer bytes above ASCII than this; Arabic or Cyrillic in single bytes has more."""

_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def decode(data: bytes, name: str, declared: str | None = None) -> str:
    """The text of a file, in Unicode's composed form (NFC), with line feeds at its line ends.

    Args:
        data: the file's bytes.
        name: the file's name, for the refusal.
        declared: the encoding that the file itself names (HTML does).

    Raises:
        BadInput: it is binary, or its encoding is none of the supported ones.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return clean(_decoded(data, encoding, name))
    if b"\0" in data:
        raise BadInput(what=f"the file '{name}'", reason="it is binary, and no supported document")
    try:
        return clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    if declared is not None:
        return clean(_decoded(data, declared, name))
    if sum(byte > 127 for byte in data) > FALLBACK_SHARE * len(data):
        raise BadInput(what=f"the file '{name}'", reason="it is neither UTF-8 nor Western text; save it as UTF-8")
    return clean(_decoded(data, FALLBACK, name))


def clean(text: str) -> str:
    """Text that every store takes: composed, line feeds at line ends, no control characters or lone surrogates."""
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _UNWANTED.sub("", composed)


def _decoded(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise BadInput(what=f"the file '{name}'", reason=f"it is not valid {encoding} text") from None
