import hashlib
import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.ingest.embedding import HASHING, MINILM, embedder


def similarity(one: str, other: str) -> float:
    vectors = np.asarray(embedder(HASHING).embed([one, other]))
    return float(vectors[0] @ vectors[1])


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=5))
def test_every_text_that_is_not_blank_has_a_vector_of_length_one(texts: list[str]) -> None:
    vectors = np.asarray(embedder(HASHING).embed(texts)).reshape(len(texts), 384)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1.0 if text.strip() else 0.0)


@pytest.mark.parametrize("text", ["!!!", "—", "🙂", "\u0650", "。", "…"])
def test_a_text_without_words_has_a_vector_too(text: str) -> None:
    assert np.linalg.norm(embedder(HASHING).embed([text])[0]) == pytest.approx(1.0)


def test_vectors_are_the_same_on_every_machine() -> None:
    vectors = np.asarray(embedder(HASHING).embed(["The licence of numpy", "نماز صبح دو رکعت است"]))
    known = hashlib.sha256(np.round(vectors, 9).astype("<f8").tobytes()).hexdigest()
    assert known == "d80e09791a60c4e13ccecfa5ee4044e63ae5df39506c10d0635fb2bca4f22993"


def test_a_text_has_the_same_vector_alone_and_in_a_batch() -> None:
    texts = [f"text number {number} of many" for number in range(300)]
    together = embedder(HASHING).embed(texts)
    assert list(embedder(HASHING).embed([texts[270]])[0]) == list(together[270])


def test_related_texts_are_nearer_than_others() -> None:
    query = "how to install the package"
    assert similarity(query, "Installing this package: pip install") > similarity(query, "warranties of any kind") + 0.1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße ÉCOLE", "strasse ecole"),
        ("كتاب على", "کتاب علی"),
        ("می\u200cخواهم", "می خواهم"),
        ("نَمازِ صُبح", "نماز صبح"),
        ("۱۲۳ ABC", "۱۲۳ ABC"),
    ],
)
def test_spellings_of_one_text_have_one_vector(one: str, other: str) -> None:
    assert similarity(one, other) == pytest.approx(1.0)


def test_an_unknown_embedder_is_refused() -> None:
    with pytest.raises(BadSettings, match=r"no embedder 'x'.*hashing-384-v1"):
        embedder("x")


@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is not None, reason="the extra is installed")
def test_the_model_says_what_to_install() -> None:
    with pytest.raises(BadSettings, match=r"pip install 'wisqu_pipelines\[embeddings\]'"):
        embedder(MINILM)


@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is None, reason="needs the extra [embeddings]")
def test_the_model_knows_meaning() -> None:
    model = embedder(MINILM)
    asked, near, far, blank = np.asarray(model.embed(["how does one pray", "prayer instructions", "disk is full", " "]))
    assert len(asked) == model.dimension
    assert asked @ near > asked @ far + 0.3
    assert not blank.any()
