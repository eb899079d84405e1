"""Whether the clocks by which a grace time is counted agree."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.errors import ClocksDisagree
from wisqu_pipelines.ports.clock import Clock

LARGEST_SKEW = 60.0
"""Seconds between this machine's clock and the database's, beyond which nothing is marked or removed."""


def skew(session: Session, clock: Clock) -> float:
    """How far the clocks are apart, in seconds; the way to the database counts for neither."""
    before = clock.now()
    theirs: datetime = session.scalars(select(func.clock_timestamp())).one()
    after = clock.now()
    return max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)


def require_agreement(session: Session, clock: Clock, database: str) -> None:
    """Make sure that they agree.

    Raises:
        ClocksDisagree: they do not.
    """
    apart = skew(session, clock)
    if apart > LARGEST_SKEW:
        raise ClocksDisagree(database=database, seconds=round(apart), limit=round(LARGEST_SKEW))
