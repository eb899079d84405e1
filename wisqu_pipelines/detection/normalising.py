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
CAMEL_EDGE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a capital begins a word inside a word."""
_CASE = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]")
_WORD = re.compile(r"[^\W\d_]+|\d+|\n")
_SCRIPT_EDGE = re.compile(r"(?<=[a-z])(?=[\u0600-\u06ff])|(?<=[\u0600-\u06ff])(?=[a-z])")
"""Where a Latin letter stands beside an Arabic one."""
_MIXED = re.compile(r"[a-z][\u0600-\u06ff]|[\u0600-\u06ff][a-z]")
_IDENTITY = re.compile(
    r"(?<![^\W_])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{8,}|[0-9a-z]{16,})(?![^\W_])", re.IGNORECASE
)
_SWITCH = re.compile(r"(?<=\d)[a-z]|(?<=[a-z])\d", re.IGNORECASE)
_SWITCHES = 3
"""Between digits and letters, from which on it looks like chance: `abcdef123456` has one."""
_ANY_IDENTITY = " ǂ "
"""Stands for a hash or a UUID among words: a letter that no word has."""
SEPARATOR = "\n"
"""Stands between texts that are normalised together; no normalised text has one inside."""


def normalise(text: str) -> str:
    """A text in one form: NFKC and lower case, Arabic and Persian letters and digits as one, without vowel signs,
    tatweel and invisible characters, blanks for U+200C and for line ends. Punctuation stays.
    """
    return normalise_many([text])[0]


def normalise_many(texts: Sequence[str]) -> list[str]:
    """Each of the texts as `normalise` has it, at a fraction of the cost each."""
    return _folded(joined_lines(texts)).split(SEPARATOR) if texts else []


def words(text: str) -> str:
    """The words of a text in one form, a blank before, between and after them: at capitals inside words, at digits, at
    another script, and at everything that is neither letter nor digit, a word ends. Hashes, UUIDs and the like
    are no words.

    Args:
        text: As it was written; capitals count.
    """
    return words_many([text])[0]


def words_many(texts: Sequence[str]) -> list[str]:
    """Each of the texts as `words` has it, at a fraction of the cost each."""
    return _words(_folded(_parted(joined_lines(texts)))) if texts else []


def forms_many(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Each of the texts as `words` and as `normalise` have them, for less than both."""
    if not texts:
        return [], []
    joined = joined_lines(texts)
    folded = _folded(joined).split(SEPARATOR)
    return _words(SEPARATOR.join(_folded_again(joined, _parted(joined), folded))), folded


def joined_lines(texts: Sequence[str]) -> str:
    """The texts, a line for each."""
    joined = SEPARATOR.join(texts)
    if joined.count(SEPARATOR) == len(texts) - 1:
        return joined
    return SEPARATOR.join([text.replace("\r\n", " ").replace(SEPARATOR, " ") for text in texts])


def _folded_again(joined: str, parted: str, folded: list[str]) -> list[str]:
    """The lines of `parted` as they are folded, which they are already where nothing was parted."""
    lines = parted.split(SEPARATOR)
    changed = [place for place, line in enumerate(joined.split(SEPARATOR)) if line != lines[place]]
    if not changed:
        return folded
    again = list(folded)
    newly = _folded(SEPARATOR.join(map(lines.__getitem__, changed))).split(SEPARATOR)
    for place, line in zip(changed, newly, strict=True):
        again[place] = line
    return again


def _parted(joined: str) -> str:
    joined = _IDENTITY.sub(_one_identity, joined)
    return CAMEL_EDGE.sub(" ", joined) if _CASE.search(joined) else joined


def _one_identity(found: re.Match[str]) -> str:
    return _ANY_IDENTITY if len(_SWITCH.findall(found.group())) >= _SWITCHES else found.group()


def _words(folded: str) -> list[str]:
    if _MIXED.search(folded):
        folded = _SCRIPT_EDGE.sub(" ", folded)
    spaced = f" {' '.join(_WORD.findall(folded))} "
    return [line if line.strip() else " " for line in spaced.split(SEPARATOR)]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = text.translate(_TABLE)
    if not unicodedata.is_normalized("NFKC", folded):
        # What NFKC makes of ligatures and presentation forms may be a letter of the table.
        folded = unicodedata.normalize("NFKC", folded).translate(_TABLE)
    folded = folded.lower()
    if not unicodedata.is_normalized("NFKC", folded):
        folded = unicodedata.normalize("NFKC", folded).translate(_TABLE)
    return folded
