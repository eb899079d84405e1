"""Long texts to chunks: small enough to be found, large enough to be understood."""

CHUNK_CHARACTERS = 1_000
OVERLAP_CHARACTERS = 100
MAX_CHUNKS = 20_000
"""More than any document that is read by people."""

BREAKS = ("\n\n", "\n", ". ", "؟ ", "! ", "? ", "؛ ", "، ", " ")
"""Where a chunk may end, the best place first: paragraph, line, sentence, clause, word."""


def chunks(text: str, size: int = CHUNK_CHARACTERS, overlap: int = OVERLAP_CHARACTERS) -> list[str]:
    """Cut a text: no chunk is blank, none is longer than `size` characters, and together they hold all of the text.

    Neighbours share up to `overlap` characters, so that a sentence at an edge is whole in one of the two.

    Args:
        text: what to cut.
        size: most characters in a chunk.
        overlap: most characters that neighbours share; less than half of `size`.
    """
    cut = (text[start:end].strip() for start, end in spans(text, size, overlap))
    return [chunk for chunk in cut if chunk]


def spans(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    """Where each chunk begins and ends.

    The first begins at 0, each other one where the one before it ends or earlier, and the last ends with the text.
    """
    if not 0 <= overlap < size // 2:
        raise ValueError(f"an overlap of {overlap} does not fit chunks of {size} characters")
    found: list[tuple[int, int]] = []
    start = 0
    while len(text) - start > size:
        end = _end(text, start, size)
        found.append((start, end))
        start = _next_start(text, end, overlap)
    found.append((start, len(text)))
    return found


def _end(text: str, start: int, size: int) -> int:
    """The best break in the second half of the window; in text without any, the window's end."""
    for mark in BREAKS:
        at = text.rfind(mark, start + size // 2, start + size)
        if at >= 0:
            return at + len(mark)
    return start + size


def _next_start(text: str, end: int, overlap: int) -> int:
    """The first word that begins in the last `overlap` characters; a paragraph's end shares nothing."""
    if text.endswith("\n\n", 0, end):
        return end
    space = text.find(" ", end - overlap, end)
    return space + 1 if space >= 0 else end
