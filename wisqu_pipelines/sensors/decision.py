"""What needs a run now: a pure decision over what people asked for and what runs came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

MAX_ATTEMPTS = 3
"""Runs that may end without having done it before a person has to look."""
SECONDS_BEFORE_RETRY = 60.0
"""Multiplied by the number of runs until now: how long a store has to come back."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run of the wanted job for the same thing."""

    ended_seconds_ago: float | None
    """None while it is queued or runs."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run to start."""

    id: UUID
    """Of the promotion, sweep or delivery that it is for."""
    run_key: str
    """Another for each attempt: a run that failed has used its key up."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What to start, and why the rest is left alone."""

    attempts: tuple[Attempt, ...]
    left_alone: tuple[str, ...]


def decide(act: str, wanted: Sequence[UUID], earlier: Mapping[UUID, Sequence[EarlierRun]]) -> Decided:
    """Start a run for each wanted thing once, and again a few times if that did not do it.

    The run key only spares needless runs; that two runs never do the same is the claim's business in the database.

    Args:
        act: What is to be done, a part of the run key.
        wanted: The ids of what waits for it.
        earlier: The runs of the same job that there were for each.
    """
    attempts: list[Attempt] = []
    left_alone: list[str] = []
    for id_ in wanted:
        runs = earlier.get(id_, ())
        if reason := _reason_to_wait(runs):
            left_alone.append(f"{id_}: {reason}")
        else:
            attempts.append(Attempt(id_, f"{act}:{id_}:{len(runs)}"))
    return Decided(tuple(attempts), tuple(left_alone))


def _reason_to_wait(runs: Sequence[EarlierRun]) -> str | None:
    """Why not to start another run. What still waits after a run has ended was not done by it."""
    ended = [run.ended_seconds_ago for run in runs if run.ended_seconds_ago is not None]
    if len(ended) < len(runs):
        return "a run is under way"
    if len(ended) >= MAX_ATTEMPTS:
        return f"{len(ended)} runs did not do it; a person has to look"
    if ended and min(ended) < SECONDS_BEFORE_RETRY * len(ended):
        return "a run of it ended a moment ago"
    return None
