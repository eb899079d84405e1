"""What a worker can be killed in: each deed is the whole act, and doing it again is going on with it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from unittest.mock import patch
from uuid import UUID

from tests.faults.trial import Act, perform
from tests.faults.worlds import START
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import SweepRefused
from wisqu_pipelines.identity.demo_people import ADMIN
from wisqu_pipelines.ports.clock import Clock, SystemClock
from wisqu_pipelines.retention import batches
from wisqu_pipelines.storage.memory import ManualClock

WHY = "The guides are still wanted"
FEW = 2
"""Rows of one transaction of retention: many transactions have many moments between them."""


class Deed(StrEnum):
    """A deed's name has no blanks in it."""

    PROMOTE = "promote"
    ROLL_BACK = "roll-back"
    SWEEP = "sweep"
    """Of dev: it marks and hides."""
    HIDE_APPROVED = "hide-approved"
    """What a person approved in prod."""
    PURGE = "purge"
    RESTORE = "restore"
    ERASE = "erase"


def promote(services: Services, promotion_id: UUID) -> None:
    """Execute a promotion."""
    perform(World(services), Act.PROMOTE, promotion_id, "first")


def roll_back(services: Services, promotion_id: UUID) -> None:
    """Roll a promotion back."""
    perform(World(services), Act.ROLL_BACK, promotion_id, "first")


def sweep(services: Services, _: UUID) -> None:
    """What the schedule does in dev."""
    with patch.object(batches, "AT_ONCE", FEW):
        services.retention("dev").run()


def hide_approved(services: Services, _: UUID) -> None:
    """What the sensor does in prod."""
    with patch.object(batches, "AT_ONCE", FEW):
        services.retention("prod").go_on()


def purge(services: Services, _: UUID) -> None:
    """Purge what is due in dev."""
    with patch.object(batches, "AT_ONCE", FEW):
        services.retention("dev").go_on()


def restore(services: Services, sweep_id: UUID) -> None:
    """Give back all of a sweep of dev; that it is back already is no matter."""
    with suppress(SweepRefused):
        services.retention("dev").restore(sweep_id, ADMIN, WHY)


def erase(services: Services, erasure_id: UUID) -> None:
    """Carry an approved erasure out."""
    services.erasures.run(erasure_id, ADMIN)


DEEDS: Mapping[Deed, Callable[[Services, UUID], None]] = {
    Deed.PROMOTE: promote,
    Deed.ROLL_BACK: roll_back,
    Deed.SWEEP: sweep,
    Deed.HIDE_APPROVED: hide_approved,
    Deed.PURGE: purge,
    Deed.RESTORE: restore,
    Deed.ERASE: erase,
}


def _of_the_trials() -> Clock:
    return ManualClock(START)


CLOCKS: Mapping[Deed, Callable[[], Clock]] = {
    **dict.fromkeys(Deed, SystemClock),
    Deed.PROMOTE: _of_the_trials,
    Deed.ROLL_BACK: _of_the_trials,
}
"""Retention goes by the databases' clock as well, which nobody can set."""
