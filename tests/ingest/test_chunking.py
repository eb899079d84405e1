import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wisqu_pipelines.ingest.chunking import chunks, spans

texts = st.text(alphabet=st.sampled_from("ab . \n؟سلام"), max_size=600) | st.text(max_size=300)
sizes = st.integers(4, 60).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, (size - 1) // 2 - 1)))


@settings(deadline=None)
@given(texts, sizes)
def test_chunks_hold_all_of_the_text_in_order(text: str, limits: tuple[int, int]) -> None:
    size, overlap = limits
    rebuilt = ""
    for start, end in spans(text, size, overlap):
        assert len(rebuilt) - overlap <= start <= len(rebuilt)
        assert end - start <= size
        rebuilt = rebuilt[:start] + text[start:end]
    assert rebuilt == text


@settings(deadline=None)
@given(texts, sizes)
def test_chunks_are_never_blank_nor_too_long_and_their_number_is_bounded(text: str, limits: tuple[int, int]) -> None:
    size, overlap = limits
    cut = chunks(text, size, overlap)
    assert all(chunk.strip() and len(chunk) <= size for chunk in cut)
    assert len(cut) <= 1 + len(text) // (size // 2 - overlap)
    assert cut == chunks(text, size, overlap)


def test_a_short_text_is_one_chunk() -> None:
    assert chunks("  one\n\ntwo ") == ["one\n\ntwo"]
    assert chunks(" \n ") == []


def test_chunks_end_at_paragraphs_then_sentences_then_words() -> None:
    paragraph = "word " * 15 + "end."
    assert chunks(f"{paragraph}\n\n{paragraph}", 100, 10) == [paragraph, paragraph]
    first, second = chunks("First sentence is here. " + "x" * 30, 40, 0)
    assert (first, second) == ("First sentence is here.", "x" * 30)
    assert all(chunk.split()[0] == "word" for chunk in chunks("word " * 200, 100, 20))


def test_a_text_without_breaks_is_cut_all_the_same() -> None:
    assert [len(chunk) for chunk in chunks("x" * 250, 100, 10)] == [100, 100, 50]


@pytest.mark.parametrize("overlap", [-1, 50, 100])
def test_an_overlap_that_would_not_move_on_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        chunks("x" * 300, 100, overlap)
