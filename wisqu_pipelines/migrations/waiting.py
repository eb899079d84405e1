"""One at a time: who changes a database's schema or its grants waits for whoever does it now."""

from sqlalchemy import Connection, text

LOCK_KEY = 7_309_423_118_211_401_067
"""The advisory lock's number, of this project's own choosing; Postgres keeps it for each database apart."""


def wait_for_turn(connection: Connection) -> None:
    """Take the lock, and keep it until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
