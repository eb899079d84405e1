"""Two lists of words that tests are recognised by elsewhere: anywhere in a text, or as words by themselves."""

import re

KEYWORDS = ("test", "demo", "dummy", "sample", "example", "temp", "placeholder", "تست", "آزمایش", "نمونه")

_WORDS = re.compile(rf"\b(?:{'|'.join(KEYWORDS)})\b", re.IGNORECASE)


def anywhere(text: str) -> bool:
    """Whether one of the ten stands in a text, be it within another word."""
    lowered = text.lower()
    return any(word in lowered for word in KEYWORDS)


def as_words(text: str) -> bool:
    """Whether one of the ten stands in a text between what `re` takes for the bounds of words."""
    return _WORDS.search(text) is not None
