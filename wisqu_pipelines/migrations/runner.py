"""Running migrations on one database.

A database is migrated in one transaction, so a migration that fails leaves nothing behind. An advisory lock makes a
second migrator of the same database wait for the first; then it finds the work done.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.migrations.histories import SCRIPTS, History, metadata_of
from wisqu_pipelines.migrations.waiting import wait_for_turn

LOCK_TIMEOUT = "10s"
"""How long a statement waits for a table that the application uses; everybody else waits behind it meanwhile."""
STATEMENT_TIMEOUT = "10min"
"""How long one statement, or the wait for another migrator, may take."""
_ONE_AT_A_TIME = threading.Lock()
"""Alembic's `op`, by which revisions speak to the database, is one for the whole process."""
_Revisions = Callable[[Any, MigrationContext], Iterable[Any]]
"""Which steps lead from where a database stands to where it shall stand."""


def upgrade(database: Database, history: History, revision: str = "head") -> None:
    """Bring a database to a revision.

    Args:
        database: The database, as the role that owns its tables.
        history: Which history it follows.
        revision: Alembic's name of the revision.

    Raises:
        BadInput: there is no such revision, or the database stands at one that this code does not know.
        CannotAdopt: a table from before the first migration has something that does not fit.
        StoreUnavailable: the server does not answer, or another session kept a table locked.
    """
    scripts = _scripts(history)
    _run(database, history, revision, lambda at, _: scripts._upgrade_revs(revision, at))  # noqa: SLF001


def downgrade(database: Database, history: History, revision: str = "-1") -> None:
    """Take a database back to a revision; by default, one back. Tables from before the first migration stay.

    Args:
        database: The database, as the role that owns its tables.
        history: Which history it follows.
        revision: Alembic's name of the revision.

    Raises:
        BadInput: there is no such revision, or the database stands at one that this code does not know.
        StoreUnavailable: the server does not answer, or another session kept a table locked.
    """
    scripts = _scripts(history)
    _run(database, history, revision, lambda at, _: scripts._downgrade_revs(revision, at))  # noqa: SLF001


def current(database: Database) -> str | None:
    """The revision that a database stands at; None before the first."""
    with database.snapshot() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def _scripts(history: History) -> ScriptDirectory:
    return ScriptDirectory(SCRIPTS, version_locations=[str(SCRIPTS / history)])


def _run(database: Database, history: History, revision: str, steps: _Revisions) -> None:
    try:
        with _ONE_AT_A_TIME, database.begin() as session:
            connection = session.connection()
            take_turn(connection)
            migration = MigrationContext.configure(
                connection, opts={"fn": steps, "target_metadata": metadata_of(history)}
            )
            with Operations.context(migration):
                migration.run_migrations()
    except CommandError as error:
        raise BadInput(what=f"the revision '{revision}' for {database.name}", reason=str(error)) from error


def take_turn(connection: Connection) -> None:
    """Wait until nobody else migrates the database, and set how long this transaction may wait for its tables."""
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
    wait_for_turn(connection)
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
