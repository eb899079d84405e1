"""A ratio between two sides that are measured in turn, in one run."""

import statistics
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TypedDict

ROUNDS = 5
"""Times each side is measured; its median counts."""

Act = Callable[[], None]
Prepare = Callable[[], Act]
"""Makes ready what is not measured, and returns what is."""


class Ratio(TypedDict):
    """How often the rival's seconds hold ours."""

    name: str
    ratio: float
    goal: float
    holds: bool
    ours: float
    rival: float


def compare(ours: Prepare, rivals: Mapping[str, tuple[Prepare, float]], rounds: int = ROUNDS) -> list[Ratio]:
    """Measure ours and all its rivals, one after the other in every round.

    Args:
        ours: Our side.
        rivals: By the name of the ratio: the rival's side, and how many times faster we are to be.
        rounds: How often.
    """
    mine: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        mine.append(_seconds(ours()))
        for name, (rival, _goal) in rivals.items():
            theirs[name].append(_seconds(rival()))
    return [
        ratio(name, goal, statistics.median(mine), statistics.median(theirs[name]))
        for name, (_, goal) in rivals.items()
    ]


def ratio(name: str, goal: float, ours: float, rival: float) -> Ratio:
    """The ratio of what a rival needs and what we need, of whatever it is."""
    found = rival / ours
    return Ratio(
        name=name, ratio=round(found, 2), goal=goal, holds=found >= goal, ours=round(ours, 6), rival=round(rival, 6)
    )


def _seconds(act: Act) -> float:
    started = perf_counter()
    act()
    return perf_counter() - started
