"""Text as a search in bulk reads it: a byte for each character, and one byte for all that normalising takes for one.

An automaton over such bytes has few states and few ways out of each; over UTF-8, a letter that Arabic and Persian
keyboards write in five ways is five pairs of bytes, in each of thousands of words.
"""

import codecs
import re
from functools import lru_cache

from wisqu_pipelines.detection.normalising import normalise

ODD = 0x80
"""A character that normalising takes for several, or takes away: a text with one is always read."""
_OTHER = 0x81
"""Any other character that is no letter of these alphabets: words end there."""
_LETTER = 0x82
"""A letter of Arabic script that no pattern names."""
_NAMED = "ءابپتثجچحخدذرزژسشصضطظعغفقکگلمنهوی"
"""Letters with a byte of their own, from here on."""
ARABIC = rf"\x{_LETTER:02x}-\xff"
"""Letters of Arabic script, as a class of RE2 has them."""
_KNOWN = (
    f"{_NAMED}كڪيىئېةۀەۂہھأإآٱؤٹڈڑےۆێڕڵ٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹\u200c\u00a0«»“”‘’–—…،؛؟"
    "\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u200e\u200f"
)
"""What is met often, and so is encoded without asking."""
_LETTERS = re.compile("[\u0620-\u063f\u0641-\u064a\u066e\u066f\u0671-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06ff]")
_COMPOSES = re.compile("[\u0300-\u036f]")
"""Accents: normalising makes one letter of one and what stands before it."""
_ASKS = "wisqu.detection.bytewise"


def encoded(text: str) -> bytes:
    """A byte for each character; ASCII stays as it is."""
    return codecs.charmap_encode(text, _ASKS, _TABLE)[0]


def folded(text: bytes) -> bytes:
    """What `encoded` gave, with one byte for all that normalising takes for one, and in lower case."""
    return text.translate(_FOLDED)


@lru_cache(maxsize=4_096)
def byte_of(letter: str) -> int:
    """The byte that a character comes to."""
    if letter.isascii():
        return ord(letter.lower())
    read = normalise(letter)
    if len(read) != 1 or _COMPOSES.match(letter):
        return ODD
    if read.isascii():
        return ord(read)
    place = _NAMED.find(read)
    if place >= 0:
        return _LETTER + 1 + place
    return _LETTER if _LETTERS.match(read) else _OTHER


def _ask(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101  (nothing is decoded by this)
    return bytes(map(byte_of, error.object[error.start : error.end])), error.end


codecs.register_error(_ASKS, _ask)
_BYTES = "".join(map(chr, range(ODD))) + "\ufffe" * (_LETTER + 1 - ODD) + _KNOWN
_TABLE = codecs.charmap_build(_BYTES.ljust(256, "\ufffe"))
_FOLDED = bytes(
    place if ODD <= place <= _LETTER or place >= len(_BYTES) else byte_of(_BYTES[place]) for place in range(256)
)
