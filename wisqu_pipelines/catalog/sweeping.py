"""Who writes to an environment's stores and who sweeps them do not meet.

A writer whose names follow from its content (ingest) may take up what an interrupted attempt left under them. A sweep
that has just found nobody to need it must not delete it then, so it waits for such writers, and they wait for it.
"""

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

LOCK = 0x57_49_53_51_55_01
"""The advisory lock: shared by writers, exclusive to a sweep."""
LONGEST_WAIT = "30s"
"""How long a sweep waits for the writers under way; new ones queue behind it meanwhile."""


def hold_off_sweeps(session: Session) -> None:
    """Let nothing be swept until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock_shared(LOCK)))


def sweep_alone(session: Session) -> None:
    """Let no such writer write until the transaction ends; waits for those under way, but not for ever."""
    session.execute(text(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'"))
    session.execute(select(func.pg_advisory_xact_lock(LOCK)))
