"""Text as detection reads it: one form for what people write in many, in Latin and in Arabic script."""

import re
import unicodedata
from collections.abc import Sequence

_LETTERS = {
    **dict.fromkeys("كڪ", "ک"),
    **dict.fromkeys("يىئې", "ی"),
    **dict.fromkeys("ةۀەۂہھ", "ه"),
    **dict.fromkeys("أإآٱ", "ا"),
    "ؤ": "و",
}
"""Letters that Arabic and Persian keyboards write differently, and hamza carriers."""
_MARKS = "".join(map(chr, (*range(0x0610, 0x061B), *range(0x064B, 0x0660), 0x0670, *range(0x06D6, 0x06EE))))
"""Vowel signs and Quranic marks (Unicode, Arabic block)."""
_INVISIBLE = "".join(
    map(
        chr,
        (
            *(0x00AD, 0x0640, 0x034F, 0x061C, 0x180E, 0x200B, 0x200D, 0x200E, 0x200F, 0xFE0E, 0xFE0F, 0xFEFF),
            *range(0x2028, 0x202F),
            *range(0x2060, 0x2065),
            *range(0x2066, 0x2070),
        ),
    )
)
"""Soft hyphen, tatweel, zero-width and bidirectional characters; U+200C, which parts words in Persian, is not one."""
_DIGITS = {chr(start + digit): str(digit) for start in (0x0660, 0x06F0, 0x0966) for digit in range(10)}
_TABLE = str.maketrans(
    {
        **_LETTERS,
        **_DIGITS,
        **dict.fromkeys(_MARKS, None),
        **dict.fromkeys(_INVISIBLE, None),
        "\u200c": " ",
        "\u00a0": " ",
        **{chr(surrogate): "\ufffd" for surrogate in range(0xD800, 0xE000)},
    }
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CASE = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]")
_NOT_A_WORD = re.compile(r"[\W_]+")
_DIGIT_EDGE = re.compile(
    r"(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])|(?<=[a-z])(?=[\u0600-\u06ff])|(?<=[\u0600-\u06ff])(?=[a-z])"
)
"""Where a digit stands beside a letter, or a Latin letter beside an Arabic one."""
SEPARATOR = "\n"
"""Stands between texts that are normalised together; no normalised text has one inside."""


def normalise(text: str) -> str:
    """A text in one form: NFKC and lower case, Arabic and Persian letters and digits as one, without vowel signs,
    tatweel and invisible characters, blanks for U+200C and for line ends. Punctuation stays.
    """
    return normalise_many([text])[0]


def normalise_many(texts: Sequence[str]) -> list[str]:
    """Each of the texts as `normalise` has it, at a fraction of the cost each."""
    if not texts:
        return []
    joined = SEPARATOR.join(texts)
    if joined.count(SEPARATOR) != len(texts) - 1:
        joined = SEPARATOR.join([_one_line(text) for text in texts])
    return _folded(joined).split(SEPARATOR)


def words(text: str) -> str:
    """The words of a text in one form, a blank before, between and after them: at capitals inside words, at digits, at
    another script, and at everything that is neither letter nor digit, a word ends.

    Args:
        text: As it was written; capitals count.
    """
    if _CASE.search(text):
        text = _CAMEL.sub(" ", text)
    return apart(normalise(text))


def apart(normalised: str) -> str:
    """The words of a normalised text, in which capitals do not part words any more."""
    spaced = _NOT_A_WORD.sub(" ", normalised).strip()
    return f" {_DIGIT_EDGE.sub(' ', spaced)} " if spaced else " "


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = text.translate(_TABLE)
    folded = unicodedata.normalize("NFKC", folded)
    # What NFKC made of ligatures and presentation forms may be a letter of the table; case folding may compose again.
    return unicodedata.normalize("NFKC", folded.translate(_TABLE).lower()).translate(_TABLE)


def _one_line(text: str) -> str:
    return text.replace("\r\n", " ").replace(SEPARATOR, " ")
