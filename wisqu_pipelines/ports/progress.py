"""Progress as the domain reports it: numbers, for whoever wants to draw them."""

from typing import Protocol


class Progress(Protocol):
    """Is told how far a long act has come. It is called from one thread at a time and must not raise."""

    def __call__(self, step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
        """`done` of `total` items have passed `step`, with so many bytes and points until now."""
        ...


def no_progress(step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
    """Progress that nobody watches."""
