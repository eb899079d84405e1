"""Dagster's daemon is killed in the middle of its ticks, and two work at once; `make faults` runs it."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.devstack.commands import START_SECONDS, Commands, wait_until
from tests.devstack.daemons import NAME, Daemons
from tests.devstack.work import Work
from tests.faults.budget import budget
from tests.fixtures.stack import temporary_directory
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import open_services
from wisqu_pipelines.devstack.state import Phase
from wisqu_pipelines.devstack.supervisor import RESTARTS
from wisqu_pipelines.settings import load

TICK_SECONDS = 0.4
"""About how long a tick of the approvals sensor takes that has work."""
RUN_SECONDS = 8.0
"""About how long it takes from there until the runs that it asked for are over."""
AT_ONCE = 2
"""Promotions that are approved before the kill, and again after it."""


@contextmanager
def up() -> Iterator[Commands]:
    with temporary_directory() as directory:
        commands = Commands(directory)
        try:
            started = commands.run("up", "--detach")
            assert started.returncode == 0, started.stderr
            yield commands
        finally:
            commands.end()


def test_a_daemon_that_is_killed_does_nothing_twice() -> None:
    """The daemon dies in the middle of a tick that has work, as often on one stack as the stack starts it again."""
    asked = budget()
    draw = random.Random(asked.seed)  # noqa: S311 - chooses test cases
    for first in range(0, asked.daemons, RESTARTS):
        with up() as stack, stack.variables(), open_services(load()) as services:
            daemons = Daemons(stack)
            work, world = Work(services, daemons), World(services)
            for kill in range(first, min(first + RESTARTS, asked.daemons)):
                # A run that dies with its daemon is found out after minutes: only at length are runs killed as well.
                after = draw.uniform(0, RUN_SECONDS if asked.thorough else TICK_SECONDS)
                process = stack.state["processes"][NAME]
                work.ask(world, AT_ONCE)
                work.wait_for_a_tick()
                time.sleep(after)
                daemons.kill()
                wait_until(partial(_is_back, stack, process), START_SECONDS, "the daemon is back")
                work.wait_until_done()
                print(f"\nseed {asked.seed}: kill {kill + 1}, {after:.3f} s after a tick had begun: {work}")
                assert work.problems() == []


def test_two_daemons_do_nothing_twice() -> None:
    """A second daemon comes, and both look after the sensors at once."""
    with up() as stack, stack.variables(), open_services(load()) as services:
        daemons = Daemons(stack)
        work, world = Work(services, daemons), World(services)
        with daemons.another():
            daemons.wait_for_both()
            work.ask(world, AT_ONCE)
            work.wait_until_done()
        print(f"two at once: {work}")
        assert work.problems(are_two_at_work=True) == []


def _is_back(stack: Commands, killed: int) -> bool:
    return bool(stack.state["processes"][NAME] != killed and stack.state["phase"] == Phase.UP)
