"""The two histories lead to what the models say, and back."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.database.postgres import Postgres
from tests.database.revisions import head, revisions
from tests.database.shape import shape
from wisqu_pipelines import migrations
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments import schema
from wisqu_pipelines.errors import BadInput, StoreUnavailable
from wisqu_pipelines.migrations import History, metadata_of, runner
from wisqu_pipelines.migrations.waiting import LOCK_KEY
from wisqu_pipelines.settings import DatabaseSettings

HISTORIES: tuple[History, ...] = ("control", "environment")
each_history = pytest.mark.parametrize("history", HISTORIES)
DEADLINE = 60.0
"""Seconds; a new process imports everything first."""


@each_history
def test_the_migrations_lead_to_what_the_models_say(postgres: Postgres, history: History) -> None:
    migrated, modelled = postgres.empty_database("migrated"), postgres.empty_database("modelled")
    owner = postgres.open(migrated, owner=True)
    migrations.upgrade(owner, history)
    metadata_of(history).create_all(postgres.open(modelled, owner=True).engine)

    with postgres.superuser(migrated.name) as found, postgres.superuser(modelled.name) as wanted:
        assert shape(found, behaviour=False) == shape(wanted, behaviour=False)
    with owner.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "compare_comments": True}
        )
        assert compare_metadata(context, metadata_of(history)) == []


@each_history
def test_the_newest_revision_is_the_one_that_databases_are_asked_for(history: History) -> None:
    assert schema.REVISIONS[history] == head(history)


@each_history
def test_up_down_and_up_again(postgres: Postgres, history: History) -> None:
    settings = postgres.empty_database()
    owner = postgres.open(settings, owner=True)
    assert migrations.current(owner) is None

    shapes: dict[str | None, set[tuple[str | None, ...]]] = {None: set()}
    for revision in revisions(history):
        migrations.upgrade(owner, history, revision)
        assert migrations.current(owner) == revision
        with postgres.superuser(settings.name) as connection:
            shapes[revision] = shape(connection)

    for before in reversed([None, *revisions(history)[:-1]]):
        migrations.downgrade(owner, history)
        assert migrations.current(owner) == before
        with postgres.superuser(settings.name) as connection:
            assert shape(connection) == shapes[before]

    migrations.upgrade(owner, history)
    migrations.upgrade(owner, history)  # nothing to do
    assert migrations.current(owner) == head(history)
    with postgres.superuser(settings.name) as connection:
        assert shape(connection) == shapes[head(history)]


def test_what_a_sweep_has_hidden_stays_known_through_the_migration_and_back(postgres: Postgres) -> None:
    settings = postgres.empty_database()
    owner = postgres.open(settings, owner=True)
    migrations.upgrade(owner, "environment", "environment_0010")
    with owner.begin() as session:
        for statement in (
            "INSERT INTO stored_files (id, environment, filename, bucket, object_name, content_type, file_size_bytes, "
            "is_deleted, deleted_at) SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'dev', 'a', 'a', "
            "'a' || n, 'a', 1, n = 1, CASE n WHEN 1 THEN timestamptz '2026-01-02 00:00+00' END "
            "FROM generate_series(1, 2) n",
            "INSERT INTO retention_sweeps (id, state, scope, digest, totals, created_at, hidden_at) "
            "VALUES (gen_random_uuid(), 'hiding', '{}', '', '{}', now(), '2026-01-02 00:00+00')",
            "INSERT INTO retention_items (sweep_id, item_type, item_id, state, label, created_at, is_test_data) "
            "SELECT sweep.id, 'stored_files', file.id, CASE WHEN file.is_deleted THEN 'hidden' ELSE 'marked' END, '', "
            "now(), false FROM stored_files file, retention_sweeps sweep",
        ):
            session.execute(sa.text(statement))

    def states() -> list[str]:
        with owner.begin() as session:
            return [*session.scalars(sa.text("SELECT state FROM retention_items ORDER BY item_id"))]

    migrations.upgrade(owner, "environment", "environment_0011")
    assert states() == ["marked", "marked"]
    migrations.downgrade(owner, "environment")
    assert states() == ["hidden", "marked"]


def test_a_revision_that_is_not_there_is_refused(postgres: Postgres) -> None:
    owner = postgres.open(postgres.empty_database(), owner=True)
    with pytest.raises(BadInput, match="'nonsense'"):
        migrations.upgrade(owner, "environment", "nonsense")
    with pytest.raises(BadInput, match="'-1'"):
        migrations.downgrade(owner, "environment")
    migrations.upgrade(owner, "control")
    with pytest.raises(BadInput, match=head("control")):
        migrations.upgrade(owner, "environment")


def test_a_second_migrator_waits_for_the_first(postgres: Postgres) -> None:
    settings = postgres.empty_database()
    with postgres.superuser(settings.name) as watching:
        with _lock_held(postgres, settings):
            process = _migrator(settings)
            _wait_until(lambda: _waiting(watching) == 1)
            assert shape(watching) == set()
        process.join(DEADLINE)
        assert process.exitcode == 0
        assert ("column", "stored_files", "filename", "varchar", "255", "NO", None) in shape(watching)


def test_two_migrators_at_once(postgres: Postgres) -> None:
    settings = postgres.empty_database()
    with postgres.superuser(settings.name) as watching:
        with _lock_held(postgres, settings):  # so that both begin at the same moment
            processes = [_migrator(settings), _migrator(settings)]
            _wait_until(lambda: _waiting(watching) == 2)
        for process in processes:
            process.join(DEADLINE)
    assert [process.exitcode for process in processes] == [0, 0]
    assert migrations.current(postgres.open(settings, owner=True)) == head("environment")


def test_a_table_in_use_ends_the_migration_and_not_the_application(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOCK_TIMEOUT", "100ms")
    settings = postgres.empty_database()
    owner = postgres.open(settings, owner=True)
    with owner.begin() as session:
        session.execute(sa.text("CREATE TABLE users (id uuid PRIMARY KEY, email text NOT NULL)"))
    with postgres.superuser(settings.name) as watching, postgres.superuser(settings.name) as reader:
        before = shape(watching)
        with reader.transaction():
            reader.execute("SELECT * FROM users")
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                migrations.upgrade(owner, "environment")
        assert shape(watching) == before


def _migrator(settings: DatabaseSettings) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=_migrate, args=(settings,))
    process.start()
    return process


def _migrate(settings: DatabaseSettings) -> None:
    database = Database(settings, owner=True)
    migrations.upgrade(database, "environment")
    database.close()


@contextmanager
def _lock_held(postgres: Postgres, settings: DatabaseSettings) -> Iterator[None]:
    with postgres.superuser(settings.name) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        yield


def _waiting(connection: psycopg.Connection) -> int:
    query = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
    """
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _wait_until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not reached():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
