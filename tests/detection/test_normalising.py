"""One form for what people write in many."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisqu_pipelines.detection.normalising import forms_many, normalise, normalise_many, words, words_many

MIXED = st.text(alphabet=st.sampled_from("aTéß1٣۴ .-_/@كکيىیةهأؤئآّ\u0640\u200c\u200f\u202e\ufeffﻼﷺｔ①\n\r\tتستtest"))
ANY = st.one_of(st.text(), MIXED, st.text(alphabet=st.characters(categories=["Cs", "Lo", "Mn", "Nd", "Cf"])))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("TEST", "test"),
        ("ｔｅｓｔ", "test"),
        ("كاربر آزمايشي", "کاربر ازمایشی"),
        ("تجربةٌ", "تجربه"),
        ("تـسـت", "تست"),
        ("ﺗﺴﺖ", "تست"),
        ("٠١٢۳۴۵", "012345"),
        ("نمونه\u200cای", "نمونه ای"),
        ("t\u200best\u202e", "test"),
        ("\ud800test", "\ufffdtest"),
        ("a\r\nb\nc", "a b c"),
        ("", ""),
    ],
)
def test_normalises(written: str, read: str) -> None:
    assert normalise(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("userTest1", " user test 1 "),
        ("QATest", " qa test "),
        ("my_test-file.v2.pdf", " my test file v 2 pdf "),
        ("uploads/tmp/تست۲.pdf", " uploads tmp تست 2 pdf "),
        ("تستOCR", " تست ocr "),
        ("تست‌شده", " تست شده "),
        ("latest", " latest "),
        ("stored/3f2e2e4a-91c7-4e2e-8a0b-17d3e2e9c001/notes.pdf", " stored ǂ notes pdf "),
        ("01DN4WD1B6KJNPZ3SDA5QA0XPW", " ǂ "),
        ("abcdef123456", " abcdef 123456 "),
        ("…", " "),
        ("", " "),
    ],
)
def test_parts_words(written: str, read: str) -> None:
    assert words(written) == read


@given(ANY)
def test_normalising_again_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
    assert words(words(text)) == words(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_composition_does_not_matter(text: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


@given(st.lists(ANY, max_size=8))
def test_neighbours_do_not_matter(texts: list[str]) -> None:
    assert normalise_many(texts) == [normalise(text) for text in texts]
    assert words_many(texts) == [words(text) for text in texts]
    assert forms_many(texts) == (words_many(texts), normalise_many(texts))


@given(ANY)
def test_words_stand_between_single_blanks(text: str) -> None:
    form = words(text)
    assert form.startswith(" ")
    assert form.endswith(" ")
    assert "  " not in form
    assert "\n" not in form
