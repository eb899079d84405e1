"""Dagster's daemon is killed in the middle of its ticks, and two work at once; `make faults` runs it."""

import random
import time
from collections.abc import Iterator

import pytest

from tests.devstack.commands import START_SECONDS, Commands, wait_until
from tests.devstack.daemons import NAME, Daemons
from tests.devstack.work import Work
from tests.faults.budget import budget
from tests.fixtures.stack import temporary_directory
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import open_services
from wisqu_pipelines.devstack.state import Phase
from wisqu_pipelines.settings import load

TICK_SECONDS = 0.4
"""About how long a tick of the approvals sensor takes that has work."""
RUN_SECONDS = 8.0
"""About how long it takes from there until the runs that it asked for are over."""
AT_ONCE = 2
"""Promotions that are approved before the kill, and again after it."""


@pytest.fixture
def up() -> Iterator[Commands]:
    with temporary_directory() as directory:
        commands = Commands(directory)
        try:
            started = commands.run("up", "--detach")
            assert started.returncode == 0, started.stderr
            yield commands
        finally:
            commands.end()


def test_a_daemon_that_is_killed_and_a_second_one_do_nothing_twice(up: Commands) -> None:
    """The daemon dies in the middle of a tick that has work; then it and another one look after the sensors at once."""
    asked, daemons = budget(), Daemons(up)
    draw = random.Random(asked.seed)  # noqa: S311 - chooses test cases
    with up.variables(), open_services(load()) as services:
        work, world = Work(services, daemons), World(services)
        for kill in range(asked.daemons):
            # A run that dies with its daemon is found out after minutes: only at length are runs killed as well.
            after = draw.uniform(0, RUN_SECONDS if asked.thorough else TICK_SECONDS)
            gone, process = daemons.beats(), up.state["processes"][NAME]
            work.ask(world, AT_ONCE)
            work.wait_for_a_tick()
            time.sleep(after)
            daemons.kill()
            wait_until(
                lambda old=process: up.state["processes"][NAME] != old and up.state["phase"] == Phase.UP,  # type: ignore[misc]
                START_SECONDS,
                "the daemon is back",
            )
            work.wait_until_done()
            print(f"\nseed {asked.seed}: kill {kill + 1}, {after:.3f} s after a tick had begun: {work}")
            assert work.problems() == []
        with daemons.another():
            daemons.wait_for_both(gone)
            work.ask(world, AT_ONCE)
            work.wait_until_done()
        print(f"two at once: {work}")
        assert work.problems(are_two_at_work=True) == []
