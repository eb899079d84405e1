"""Patterns that repeated marks suggest, as: 7 marked texts match `^acme-qa-[0-9]+`."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import re2

from wisqu_pipelines.detection.normalising import normalise
from wisqu_pipelines.detection.text_model import Example

LEAST = 5
"""Different texts that a pattern must match."""
LETTERS = 4
"""Letters that a pattern must name."""
LONGEST = 120
"""Characters of a text that a pattern is made from."""
SHOWN = 5
_NUMBER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9]+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pattern, and what speaks for it."""

    pattern: str
    """RE2, over normalised text."""
    sentence: str
    examples: tuple[str, ...]


def propose(marked: Sequence[Example], is_known: Callable[[str], bool]) -> list[Proposal]:
    """Patterns that many texts of test data match and no text of a real row.

    Args:
        marked: What people have decided on.
        is_known: Whether a text is taken for test data without a new pattern.
    """
    tests = {text for each in marked if each.is_test_data for text in _texts(each)}
    real = {text for each in marked if not each.is_test_data for text in _texts(each)}
    shapes: dict[str, set[str]] = defaultdict(set)
    for text in tests:
        for pattern in _shapes(text):
            shapes[pattern].add(text)
    proposals: list[Proposal] = []
    covered: set[str] = set()
    for pattern, texts in sorted(shapes.items(), key=lambda each: (-len(each[1]), -len(each[0]), each[0])):
        new = [text for text in sorted(texts) if not is_known(text)]
        if len(texts) < LEAST or len(new) < LEAST or set(new) <= covered:
            continue
        compiled = re2.compile(pattern)
        if any(compiled.search(text) for text in real):
            continue
        covered |= set(new)
        sentence = f"{len(texts)} marked texts match {pattern}, and none that people called real"
        proposals.append(Proposal(pattern, sentence, tuple(new[:SHOWN])))
    return proposals


def _texts(example: Example) -> Iterator[str]:
    return (normalise(text)[:LONGEST] for _, text in example.texts.values() if text)


def _shapes(text: str) -> Iterator[str]:
    """What a text looks like as a whole, and up to its first number."""
    parts = [_escaped(each) for each in _parts(text)]
    if len(parts) < 2 or sum(each.isalpha() for each in _NUMBER.sub("", text)) < LETTERS:
        return
    yield f"^{''.join(parts)}$"
    head = next(iter(_NUMBER.split(text)))
    if sum(each.isalpha() for each in head) >= LETTERS:
        yield f"^{_escaped(head)}[0-9]+"


def _parts(text: str) -> Iterable[str]:
    return (each for each in re.split(f"({_NUMBER.pattern})", text) if each)


def _escaped(part: str) -> str:
    if _NUMBER.fullmatch(part):
        return "[0-9]+" if part.isdigit() else "[0-9a-f-]{36}"
    return str(re2.escape(part))
