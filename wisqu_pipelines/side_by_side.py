"""Doing the same thing to many, several at once; and making the next of many while one is used."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 4
"""For each thread, how many that are begun or done may wait for a slow one before them."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(act: Callable[[Item], Result], items: Iterable[Item], at_once: int) -> Generator[Result, None, None]:
    """What `act` makes of each item, in the items' order; they are taken as they are needed.

    Whoever stops listening stops the work: what has begun ends first, the rest is not begun. Who must know that it has
    stopped closes what this returns.

    Raises:
        Exception: what `act` raised, after everything before it has been given.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(act, item))
                if len(waiting) >= AHEAD * at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


def ahead(items: Iterator[Item], thread: ThreadPoolExecutor) -> Iterator[Item]:
    """The items, of which none is None; each is made by the thread while the one before it is used.

    Raises:
        Exception: what making an item raised, in its turn.
    """
    coming = thread.submit(next, items, None)
    while (item := coming.result()) is not None:
        coming = thread.submit(next, items, None)
        yield item
