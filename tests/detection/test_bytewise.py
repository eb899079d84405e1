"""A byte for each character, and the same one for what normalising takes for the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisqu_pipelines.detection.bytewise import ODD, byte_of, encoded, folded
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.normalising import normalise

ANY = st.text() | st.text(alphabet=st.characters(categories=["Cs", "Lo", "Mn", "Nd", "Cf"]))


@given(ANY)
def test_each_character_has_the_byte_that_it_has_alone(text: str) -> None:
    assert folded(encoded(text)) == bytes(map(byte_of, text))


def test_a_character_has_the_byte_of_what_normalising_makes_of_it_or_is_odd() -> None:
    """Of all of them below the emoji, but for the line end, which no text has inside."""
    for character in map(chr, (*range(10), *range(11, 0x1F300))):
        read = normalise(character)
        assert byte_of(character) == ODD or [byte_of(each) for each in read] == [byte_of(character)], character


@pytest.mark.parametrize("text", ["teˢt user", "te\u0301st", "ᵗᵉˢᵗ", "test ½", "تجر\u0628\u0653ه", "ﺗﺴﺖ", "john ￬ doe"])
def test_in_bulk_rare_characters_are_read_as_they_are_alone(text: str) -> None:
    alone = TextJudge().judge(text, FieldKind.TITLE)
    assert TextJudge().judge_many([text], FieldKind.TITLE, "text") == [alone if alone.evidence else None]


def test_what_keyboards_write_differently_is_one() -> None:
    assert folded(encoded("كيٳ")) != folded(encoded("کیو"))
    assert folded(encoded("كاربر آزمايشي ۱٢3")) == folded(encoded("کاربر ازمایشی 123"))
