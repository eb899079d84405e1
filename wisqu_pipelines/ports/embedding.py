"""Embedding as the domain sees it: texts in, vectors out."""

from collections.abc import Sequence
from typing import Protocol


class Embedder(Protocol):
    """Turns texts into vectors; the same text gives the same vector on every machine."""

    @property
    def name(self) -> str:
        """Which embedder this is, with its version; kept with every vector."""
        ...

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        ...

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector of `dimension` numbers for each text, of length 1 unless the text is empty."""
        ...
