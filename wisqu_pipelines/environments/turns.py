"""Letting one process at a time do something in a database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select, text

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.ports.progress import Progress, no_progress


@contextmanager
def one_at_a_time(
    database: Database, lock: int, waits_for: str = "another run", progress: Progress = no_progress
) -> Iterator[None]:
    """Wait until nobody else is in such a block. The lock goes with its transaction, however that ends.

    Args:
        database: Where.
        lock: The number of the advisory lock.
        waits_for: What is waited for, to be told.
        progress: Told that it waits.
    """
    with database.begin() as session:
        if not session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
            progress(f"waiting for {waits_for}", 0, 1)
            session.execute(select(func.pg_advisory_xact_lock(lock)))
            progress(f"waiting for {waits_for}", 1, 1)
        # It idles for as long as the work takes. It also ends the query above, whose snapshot would keep the server
        # from clearing away whatever is changed in the database meanwhile.
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield
