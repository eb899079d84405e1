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
    """Measure ours and all its rivals, one after the other. Every round begins with another side: the first one pays
    for what the machine still has to do with what was made ready.

    Args:
        ours: Our side.
        rivals: By the name of the ratio: the rival's side, and how many times faster we are to be.
        rounds: How often.
    """
    sides = [("", ours), *((name, rival) for name, (rival, _) in rivals.items())]
    seconds: dict[str, list[float]] = {name: [] for name, _ in sides}
    for number in range(rounds):
        first = number % len(sides)
        for name, side in sides[first:] + sides[:first]:
            seconds[name].append(_seconds(side()))
    mine, *theirs = (statistics.median(each) for each in seconds.values())
    return [ratio(name, goal, mine, their) for their, (name, (_, goal)) in zip(theirs, rivals.items(), strict=True)]


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
