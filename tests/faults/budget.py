"""How much the fault tests try: a little in CI, and as much as is asked for by `make faults`."""

import os
from dataclasses import dataclass

VARIABLE = "FAULT_TESTS"
"""How many times a worker is killed; the rest grows with it. Not set: what CI has time for.

It is not called like a setting: those are taken out of the environment of each test that has a world of its own.
"""
SEED_VARIABLE = "FAULT_TESTS_SEED"


@dataclass(frozen=True)
class Budget:
    """How often."""

    seed: int
    kills: int = 50
    lifecycle: int = 12
    """Kills of retention and erasure."""
    daemons: int = 1
    """Kills of Dagster's daemon."""
    pairs: int = 10
    embedded: int = 6
    edits: int = 100
    examples: int = 6
    thorough: bool = False
    """Whether each moment of a transaction is tried for itself."""


def budget() -> Budget:
    """What the environment asks for."""
    seed = int(os.environ.get(SEED_VARIABLE, "20260504"))
    kills = os.environ.get(VARIABLE)
    if kills is None:
        return Budget(seed)
    times = int(kills)
    return Budget(
        seed,
        kills=times,
        lifecycle=times,
        daemons=max(1, times // 50),
        pairs=times,
        embedded=times // 4,
        edits=10 * times,
        examples=times // 4,
        thorough=True,
    )
