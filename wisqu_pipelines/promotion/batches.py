"""Cutting long lists into pieces that fit into one statement, one request, or memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

Element = TypeVar("Element")


def chunks(elements: Sequence[Element], size: int) -> Iterator[Sequence[Element]]:
    """Pieces of at most `size` elements."""
    for start in range(0, len(elements), size):
        yield elements[start : start + size]


def in_turn(lanes: Iterable[Iterator[Element]]) -> Iterator[Element]:
    """The first of each lane, then the second of each, and so on; a lane that has ended is passed over."""
    left = list(lanes)
    while left:
        for lane in tuple(left):
            try:
                yield next(lane)
            except StopIteration:
                left.remove(lane)


def by_weight(elements: Iterable[Element], limit: int, weight: Callable[[Element], int]) -> Iterator[list[Element]]:
    """Pieces that together weigh at most `limit`, or hold one element that alone weighs more."""
    piece: list[Element] = []
    total = 0
    for element in elements:
        heavy = weight(element)
        if piece and total + heavy > limit:
            yield piece
            piece, total = [], 0
        piece.append(element)
        total += heavy
    if piece:
        yield piece
