"""The `alembic` command: one run of it for all databases that are configured, see `alembic.ini`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from alembic import command, context
from alembic.util import CommandError

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import WisquError
from wisqu_pipelines.migrations.adoption import UNDO_TABLE
from wisqu_pipelines.migrations.histories import HISTORIES, History, metadata_of
from wisqu_pipelines.migrations.rights import grant
from wisqu_pipelines.migrations.runner import current, downgrade, take_turn, upgrade
from wisqu_pipelines.settings import DatabaseSettings, Settings, load


def run_environment() -> None:
    """What Alembic's `env.py` does: run the `alembic` command on the databases that `-n` and `-x database=` choose.

    Raises:
        CommandError: the choice or the command cannot be followed; Alembic shows the sentence.
    """
    if context.is_offline_mode():
        raise CommandError("--sql is not offered: the first migration looks at the tables that the database has")
    try:
        targets = _chosen(list(_targets(load())))
        command_name = getattr(context.config.cmd_opts, "cmd", (None,))[0]
        if command_name in _IN_TURN:
            for target in targets:
                _run_in_turn(_IN_TURN[command_name], target)
        else:
            _run_on_one(targets)
    except WisquError as error:
        raise CommandError(str(error)) from error


@dataclass(frozen=True)
class _Target:
    """A database that the command line may choose."""

    name: str
    history: History
    settings: DatabaseSettings


def _upgrade_target(database: Database, target: _Target) -> None:
    upgrade(database, target.history, _revision())
    grant(database, target.settings.user)


def _downgrade_target(database: Database, target: _Target) -> None:
    downgrade(database, target.history, _revision())


def _revision() -> str:
    return str(getattr(context.config.cmd_opts, "revision", "head"))


def _only_look(_database: Database, _target: _Target) -> None:
    return


_IN_TURN: dict[Any, Callable[[Database, _Target], None]] = {
    command.upgrade: _upgrade_target,
    command.downgrade: _downgrade_target,
    command.current: _only_look,
}
"""Alembic's commands that can be run on several databases."""


def _run_in_turn(act: Callable[[Database, _Target], None], target: _Target) -> None:
    database = Database(target.settings, owner=True)
    try:
        act(database, target)
        context.config.print_stdout(f"{target.name} ({database.name}): {current(database) or 'no revision'}")
    finally:
        database.close()


def _run_on_one(targets: list[_Target]) -> None:
    """Let Alembic itself work on a database: commands that compare it with the models, write a revision or a stamp."""
    if len({target.history for target in targets}) != 1:
        raise CommandError("say for which history: alembic -n control … or alembic -n environment …")
    target = targets[0]
    database = Database(target.settings, owner=True)
    try:
        with database.begin() as session:
            connection = session.connection()
            take_turn(connection)
            context.configure(
                connection=connection,
                target_metadata=metadata_of(target.history),
                include_name=lambda name, kind, _: (kind, name) != ("table", UNDO_TABLE),
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        database.close()


def _targets(settings: Settings) -> Iterator[_Target]:
    yield _Target("control", "control", settings.control.database)
    for environment in settings.environments.values():
        yield _Target(environment.name, "environment", environment.database)


def _chosen(targets: list[_Target]) -> list[_Target]:
    section = context.config.config_ini_section
    if section in HISTORIES:
        targets = [target for target in targets if target.history == section]
    wanted = context.get_x_argument(as_dictionary=True).get("database")
    chosen = [target for target in targets if wanted in {None, target.name}]
    if not chosen:
        names = ", ".join(target.name for target in targets)
        raise CommandError(f"there is no database '{wanted}' to choose; there are {names}")
    return chosen
