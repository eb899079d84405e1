"""`kill -9` of a worker at moments from a printed seed, on the real engines."""

import random
import signal
from uuid import UUID

from tests.faults.budget import budget
from tests.faults.deeds import Deed
from tests.faults.scenario import APPROVED, PROMOTED, prepared
from tests.faults.trial import Act, Then, Trial
from tests.faults.worker import Worker, worker
from tests.faults.worlds import FaultWorld, embedded_world
from tests.fixtures.stack import Stack
from wisqu_pipelines import bootstrap
from wisqu_pipelines.settings import Settings

DEED = {Act.PROMOTE: Deed.PROMOTE, Act.ROLL_BACK: Deed.ROLL_BACK}
SAVED = {Act.PROMOTE: APPROVED, Act.ROLL_BACK: PROMOTED}
TRIES = 2
"""Trials for each kill that is asked for, at most: the rest may come too late to meet the worker at work."""
TELL = 100
"""After so many trials it is told how far it has come: a thousand take a long time, and one may end it before."""


def test_a_worker_that_is_killed_loses_nothing(stack: Stack, settings: Settings) -> None:
    bootstrap.set_up(settings)
    asked, violations, killed, tried = budget(), [], 0, 0
    draw = random.Random(asked.seed)  # noqa: S311 - chooses test cases
    with embedded_world(stack.site, settings) as world, worker() as victim:
        scenario = prepared(world)
        lasts = {act: duration(world, victim, act, scenario.promotion_id) for act in Act}
        while killed < asked.kills and tried < TRIES * asked.kills:
            tried += 1
            act, then = draw.choice(list(Act)), draw.choice(list(Then))
            after = draw.uniform(0, lasts[act])

            def kill(act: Act = act, after: float = after) -> None:
                nonlocal killed
                code, lived = victim.work(DEED[act], scenario.promotion_id, after)
                assert code in {0, -signal.SIGKILL}, f"the worker ended with code {code}"
                killed += code == -signal.SIGKILL
                if code == 0:
                    lasts[act] = lived  # the machine has become quicker, and the next moments are drawn from less

            found = Trial(world, scenario, act, then).problems(kill)
            violations += [f"kill {tried} ({act}, {after:.3f} s, then {then}): {each}" for each in found]
            if tried % TELL == 0:
                print(f"\n{told(asked.seed, killed, tried, violations)}", flush=True)
    print(f"\n{told(asked.seed, killed, tried, violations)}")
    assert not violations, "\n".join(violations)
    assert killed == asked.kills, f"only {killed} of {tried} were in time"


def told(seed: int, killed: int, tried: int, violations: list[str]) -> str:
    """How far it has come, with what has been found."""
    came = f"seed {seed}: {killed} kills met a worker at work, of {tried}; {len(violations)} violations"
    return "\n".join([came, *violations])


def duration(world: FaultWorld, victim: Worker, act: Act, promotion_id: UUID) -> float:
    """How long an act takes that nobody kills, in seconds."""
    world.restore(SAVED[act])
    code, seconds = victim.work(DEED[act], promotion_id)
    assert code == 0
    return seconds
