"""How detection is usually written: a list of patterns, one search after the other, text by text."""

import re
from collections.abc import Sequence

from wisqu_pipelines.detection.normalising import words
from wisqu_pipelines.detection.recogniser import Form
from wisqu_pipelines.detection.registry import GROUPS

COUNT = 45
_KEYWORDS = (
    *("test", "tests", "testing", "demo", "dummy", "sample", "example", "temp", "tmp", "placeholder", "foo", "bar"),
    *("baz", "foobar", "fake", "mock", "john doe", "jane doe", "test user", "lorem ipsum", "asdf", "qwerty"),
    *("untitled", "todo", "delete me", "please ignore", "smoke test"),
    *("تست", "آزمایش", "آزمایشی", "نمونه", "ساختگی", "فرضی", "اختبار", "تجربة", "تجريبي", "وهمي"),
)
_OTHERS = (
    r"@example\.(?:com|net|org)\s*$",
    r"@\S+\.(?:test|invalid|example)\s*$",
    r"\w*test\d+",
    r"user\d+",
    r"([a-z])\1{3,}",
    r"123-45-6789",
    r"555-01\d\d",
    r"4111[ -]?1111[ -]?1111[ -]?1111",
)
KEYWORDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (*(rf"(?<!\w){re.escape(keyword)}(?!\w)" for keyword in _KEYWORDS), *_OTHERS)
)
"""What a project has that began with a list of words."""
_OURS = [
    source
    for members in GROUPS.values()
    for each in members
    for source in each.patterns
    if each.form is Form.WORDS and each.weight > 0 and not source.startswith("^")
]
RULES = tuple(re.compile(source) for source in _OURS[:: len(_OURS) // COUNT][:COUNT])
"""As many of our own rules, of those that look anywhere in a text, spread over all groups."""


def search_all(texts: Sequence[str], patterns: Sequence[re.Pattern[str]]) -> list[list[int]]:
    """Which of the patterns each text holds, by their places."""
    return [[place for place, pattern in enumerate(patterns) if pattern.search(text)] for text in texts]


def search_words(texts: Sequence[str]) -> list[list[int]]:
    """Which of our own rules each text holds, normalised as they want it, by their places."""
    return search_all([words(text) for text in texts], RULES)
