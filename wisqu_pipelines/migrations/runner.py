"""Running migrations: on one database by a call, or on the configured ones by the `alembic` command.

A database is migrated in one transaction, so a migration that fails leaves nothing behind. An advisory lock makes a
second migrator of the same database wait for the first; then it finds the work done.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, text

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput, WisquError
from wisqu_pipelines.migrations.adoption import UNDO_TABLE
from wisqu_pipelines.migrations.histories import HISTORIES, SCRIPTS, History, metadata_of
from wisqu_pipelines.migrations.rights import grant
from wisqu_pipelines.migrations.waiting import wait_for_turn
from wisqu_pipelines.settings import DatabaseSettings, Settings, load

LOCK_TIMEOUT = "10s"
"""How long a statement waits for a table that the application uses; everybody else waits behind it meanwhile."""
STATEMENT_TIMEOUT = "10min"
"""How long one statement, or the wait for another migrator, may take."""
EVERYWHERE = {command.upgrade, command.downgrade, command.current, command.stamp}
"""Alembic's commands that are run on each chosen database in turn."""

_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps what it is doing in module globals."""
_CONNECTION = "connection"
_HISTORY = "history"


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
    _run(database, history, command.upgrade, revision)


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
    _run(database, history, command.downgrade, revision)


def current(database: Database) -> str | None:
    """The revision that a database stands at; None before the first."""
    with database.snapshot() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def run_environment() -> None:
    """What Alembic's `env.py` does: migrate the connection that it was given, or what the command line chooses."""
    config = context.config
    if context.is_offline_mode():
        raise CommandError("--sql is not offered: the first migration looks at the tables that the database has")
    connection = config.attributes.get(_CONNECTION)
    if connection is not None:
        _migrate(connection, config.attributes[_HISTORY])
    else:
        _run_command_line(config)


def _run(database: Database, history: History, act: Callable[[Config, str], None], revision: str) -> None:
    try:
        with _ONE_AT_A_TIME, database.begin() as session:
            act(_config(session.connection(), history), revision)
    except CommandError as error:
        raise BadInput(what=f"the revision '{revision}' for {database.name}", reason=str(error)) from error


def _config(connection: Connection, history: History, like: Config | None = None) -> Config:
    config = Config() if like is None else Config(stdout=like.stdout, cmd_opts=like.cmd_opts)
    config.set_main_option("script_location", _escaped(str(SCRIPTS)))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _escaped(str(SCRIPTS / history)))
    config.attributes.update({_CONNECTION: connection, _HISTORY: history})
    return config


def _escaped(value: str) -> str:
    return value.replace("%", "%%")


def _migrate(connection: Connection, history: History) -> None:
    """Run the revisions, on a connection in a transaction that the caller ends."""
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
    wait_for_turn(connection)
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(
        connection=connection,
        target_metadata=metadata_of(history),
        include_name=lambda name, kind, _: (kind, name) != ("table", UNDO_TABLE),
    )
    with context.begin_transaction():
        context.run_migrations()


@dataclass(frozen=True)
class _Target:
    """A database that the command line may choose."""

    name: str
    history: History
    settings: DatabaseSettings


def _run_command_line(config: Config) -> None:
    """Run the `alembic` command on the databases that `-n` and `-x database=` choose; on all without them."""
    try:
        targets = _chosen(config, list(_targets(load())))
        act, positional, keywords = getattr(config.cmd_opts, "cmd", (None, (), ()))
        if act not in EVERYWHERE:
            _run_on_one(config, targets)
            return
        arguments = [getattr(config.cmd_opts, name, None) for name in positional]
        named = {name: getattr(config.cmd_opts, name, None) for name in keywords}
        for target in targets:
            _run_on(config, target, lambda each: act(each, *arguments, **named))
    except WisquError as error:
        raise CommandError(str(error)) from error


def _run_on(config: Config, target: _Target, act: Callable[[Config], Any]) -> None:
    database = Database(target.settings, owner=True)
    try:
        with database.begin() as session:
            act(_config(session.connection(), target.history, like=config))
        grant(database, target.settings.user)
        config.print_stdout(f"{target.name} ({target.settings.name}): {current(database) or 'no revision'}")
    finally:
        database.close()


def _run_on_one(config: Config, targets: list[_Target]) -> None:
    """Compare models with a database: commands that write a revision or judge it, and so need one history."""
    if len({target.history for target in targets}) != 1:
        _refuse("say for which history: alembic -n control … or alembic -n environment …")
    database = Database(targets[0].settings, owner=True)
    try:
        with database.begin() as session:
            _migrate(session.connection(), targets[0].history)
    finally:
        database.close()


def _targets(settings: Settings) -> Iterator[_Target]:
    yield _Target("control", "control", settings.control.database)
    for environment in settings.environments.values():
        yield _Target(environment.name, "environment", environment.database)


def _chosen(config: Config, targets: list[_Target]) -> list[_Target]:
    section = config.config_ini_section
    if section in HISTORIES:
        targets = [target for target in targets if target.history == section]
    wanted = context.get_x_argument(as_dictionary=True).get("database")
    if wanted is None:
        return targets
    chosen = [target for target in targets if target.name == wanted]
    if not chosen:
        _refuse(f"there is no database '{wanted}' to choose; there are {', '.join(each.name for each in targets)}")
    return chosen


def _refuse(sentence: str) -> NoReturn:
    raise CommandError(sentence)
