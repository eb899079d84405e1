"""What is passed over in bulk holds nothing: the trigger is in every text in which a recogniser finds something."""

import re
from functools import cache
from random import Random
from typing import Any
from uuid import UUID

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.detecting import texts
from wisqu_pipelines.detection.context import RowFacts
from wisqu_pipelines.detection.engine import Taught, TextJudge, trigger
from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.normalising import normalise, words
from wisqu_pipelines.detection.prefilter import finds_whole, suspicious
from wisqu_pipelines.detection.recogniser import Form
from wisqu_pipelines.detection.registry import GROUPS

EXAMPLES = [text for members in GROUPS.values() for each in members for text in (*each.examples, *each.near_misses)]
PIECES = (
    *("test", "Test", "TEST", "user", "User", "demo", "t e s t", "t3st", "d3mo", "asdf", "QWERTY", "aaaa"),
    *("lorem ipsum", "{{title}}", "[title]", "(test)", "todo"),
    *("untitled", "new document", "copy of", "example", "sample", "doe", "john", "ignore", "please", "delete me"),
    *("تست", "تَسْت", "تـست", "آزمايشي", "نمونه", "کاربر", "مستخدم", "تجريبي", "وهمي", "اختبار", "ﺗﺴﺖ", "شسیب", "سسسس"),
    *("1", "12", "۳", "٤", "123-45-6789", "555-0123", "4111 1111 1111 1111", "09123456789", "09123456789"),
    *("@example.com", "@gmail.com", "@b.test", ".pdf", ".docx", "localhost", "cricket", "blood", "تفسیر", "latest"),
)
JOINTS = ("", " ", "_", "-", ".", "/", "\u200c", " - ", "\u200f", "(", ") ", ", ", "+", "\n", "\ud800", "é", "х", "①")
TEXTS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(JOINTS)), max_size=5).map(
    lambda pairs: "".join(piece + joint for piece, joint in pairs)
)
BROKEN_EXAMPLES = st.tuples(st.sampled_from(EXAMPLES), st.integers(0, 40), st.sampled_from(JOINTS)).map(
    lambda broken: broken[2].join((broken[0][: broken[1]], broken[0][broken[1] :]))
)
"""Examples with something in them that parts words, or does not."""


@pytest.mark.parametrize("kind", FieldKind)
def test_judging_many_is_judging_each(kind: FieldKind) -> None:
    judge = TextJudge()
    single = [judge.judge(text, kind, "field") for text in EXAMPLES]
    expected = [verdict if verdict.evidence else None for verdict in single]
    assert judge.judge_many(EXAMPLES, kind, "field") == expected


@pytest.mark.parametrize("kind", FieldKind)
@settings(max_examples=100, deadline=None)
@given(texts=st.lists(TEXTS | BROKEN_EXAMPLES, min_size=1, max_size=20))
def test_nothing_is_passed_over(kind: FieldKind, texts: list[str]) -> None:
    judge = TextJudge()
    for text, verdict in zip(texts, judge.judge_many(texts, kind, "field"), strict=True):
        alone = judge.judge(text, kind, "field")
        assert verdict == (alone if alone.evidence else None), text


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXTS | BROKEN_EXAMPLES, min_size=2, max_size=2), kind=st.sampled_from(FieldKind))
def test_a_row_is_judged_the_same_by_what_was_found_in_its_texts(texts: list[str], kind: FieldKind) -> None:
    judge = TextJudge()
    columns = dict(zip(("first", "second"), texts, strict=True))
    facts = RowFacts("stored_files", columns, dict.fromkeys(columns, kind), account_email="qa@example.com")
    found = {name: judge.judge_many([text], kind, name)[0] for name, text in columns.items()}
    found_in = {name: verdict.evidence for name, verdict in found.items() if verdict is not None}
    assert judge.judge_row(facts, found_in) == judge.judge_row(facts)


@pytest.mark.parametrize("kind", [FieldKind.FILENAME, FieldKind.IDENTIFIER])
def test_what_machines_call_things_says_nothing(kind: FieldKind) -> None:
    """One of 1,500 random UUIDs has `e2e` in it."""
    chance = Random(7)  # noqa: S311 - not a secret
    names = [f"kb/{UUID(int=chance.getrandbits(128), version=4)}" for _ in range(1_000)]
    names += [chance.randbytes(32).hex() for _ in range(300)]
    assert any("e2e" in name for name in names)
    assert not any(TextJudge().judge_many(names, kind, "object_name"))


@cache
def by_both_engines() -> list[tuple[Form, str, Any, Any]]:
    return [
        (each.form, pattern, re2.compile(pattern), re.compile(pattern))
        for members in GROUPS.values()
        for each in members
        for pattern in each.patterns
    ]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(TEXTS)
def test_patterns_find_what_pythons_find(text: str) -> None:
    """Boundaries are blanks, and so the same to both engines, in all three scripts.

    Always with the same texts: on a few of all that can be drawn Python's engine goes back for hours, and cannot be
    interrupted meanwhile. That is what RE2 is for.
    """
    forms = {Form.WORDS: words(text), Form.TEXT: normalise(text)}
    for form, pattern, linear, backtracking in by_both_engines():
        found = linear.search(forms[form]) is not None
        assert found == (backtracking.search(forms[form]) is not None), (pattern, forms[form])


@settings(max_examples=100)
@given(TEXTS, st.sampled_from(["test", "demo", "تست", "نمونه", "وهمی"]))
def test_a_blank_is_a_boundary(text: str, word: str) -> None:
    """A word between blanks of the words' form is a word to Python's lookarounds over the same text."""
    form = words(text)
    beside = re.compile(rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])")
    assert (re2.search(f" {word} ", form) is not None) == (beside.search(form) is not None)


@pytest.mark.parametrize(
    ("pattern", "whole"),
    [("^ a $", True), ("^ a | b$", False), ("^ a ", False), (" a $", False), ("^ (?:a|b) $", True)],
)
def test_knows_what_finds_the_whole_text(pattern: str, *, whole: bool) -> None:
    assert finds_whole(pattern) is whole


def test_little_is_read_closely_in_vain() -> None:
    """Real names, addresses and titles, a third of their words met nowhere else, with some test data among them."""
    judge = TextJudge()
    for kind, column in texts(4_000).items():
        read = suspicious(column, trigger(kind))
        found = sum(verdict is not None for verdict in judge.judge_many(column, kind, "field"))
        assert found <= len(read) <= 1.6 * found, kind


def test_names_of_objects_are_passed_over() -> None:
    chance = Random(3)  # noqa: S311 - not a secret
    names = [f"stored_files/{UUID(int=chance.getrandbits(128), version=4)}" for _ in range(2_000)]
    assert len(suspicious(names, trigger(FieldKind.FILENAME))) < len(names) / 10


def test_a_verdict_of_many_finds_its_words_when_asked() -> None:
    judge = TextJudge(taught=Taught({r"acme-\d+": "ACME's own"}))
    written = ["Test user acme-7", "Maryam Hosseini"]
    found, nothing = judge.judge_many(written, FieldKind.TITLE, "title")
    assert nothing is None
    assert found == judge.judge(written[0], FieldKind.TITLE, "title")
    assert found is not None
    assert "ACME's own" in found.reason
    assert found.evidence is found.evidence
