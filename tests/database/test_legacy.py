"""The first environment migration on a database that is older than it."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from tests.database.postgres import Postgres
from tests.database.shape import shape
from wisqu_pipelines import migrations
from wisqu_pipelines.catalog.models import StoredFile, User, UserStorageQuota
from wisqu_pipelines.database.session import ENVIRONMENT, Database
from wisqu_pipelines.errors import CannotAdopt
from wisqu_pipelines.settings import DatabaseSettings

USER, FILE = UUID(int=1), UUID(int=2)
LEGACY = """
    CREATE TABLE users (
        id uuid PRIMARY KEY,
        email text NOT NULL UNIQUE,
        hashed_password varchar(200) NOT NULL,
        full_name varchar(255),
        is_active boolean NOT NULL DEFAULT true,
        created_at timestamp NOT NULL DEFAULT now(),
        last_login timestamp
    );
    CREATE TABLE stored_files (
        id uuid PRIMARY KEY,
        user_id uuid REFERENCES users (id),
        filename varchar(200) NOT NULL,
        bucket varchar(63) NOT NULL,
        object_name text NOT NULL,
        content_type varchar(100),
        file_size_bytes integer NOT NULL,
        is_deleted boolean,
        created_at timestamptz
    );
    CREATE INDEX by_bucket ON stored_files (bucket);
    CREATE TABLE user_storage_quotas (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
        max_bytes bigint NOT NULL,
        used_bytes bigint NOT NULL DEFAULT 0
    );
    INSERT INTO users
    VALUES (lpad('1', 32, '0')::uuid, 'old@example.org', 'x', 'An Old User', true, '2024-01-02 03:04:05', NULL);
    INSERT INTO stored_files VALUES
        (lpad('2', 32, '0')::uuid, lpad('1', 32, '0')::uuid, 'old.pdf', 'wisqu-documents', 'a/b', NULL, 12, NULL, NULL),
        (lpad('3', 32, '0')::uuid, lpad('1', 32, '0')::uuid, 'gone.pdf', 'wisqu-documents', 'a/c', 'application/pdf',
         7, true, '2024-01-02Z');
    INSERT INTO user_storage_quotas VALUES (lpad('4', 32, '0')::uuid, lpad('1', 32, '0')::uuid, 1000, 19);
"""
TABLES = ("users", "stored_files", "user_storage_quotas")


@pytest.fixture
def legacy(postgres: Postgres) -> DatabaseSettings:
    settings = postgres.empty_database("legacy")
    _run(postgres.open(settings, owner=True), LEGACY)
    return settings


def test_old_rows_become_rows_of_prod(postgres: Postgres, legacy: DatabaseSettings) -> None:
    migrations.upgrade(postgres.open(legacy, owner=True), "environment")
    with postgres.open(legacy, owner=True).begin() as session:
        for model in (User, StoredFile, UserStorageQuota):
            rows = session.scalars(sa.select(model)).all()
            assert {row.environment for row in rows} == {"prod"}
            assert {row.promotion_status for row in rows} == {"draft"}
            assert not any(row.is_test_data or row.is_promotable for row in rows)
        user = session.get_one(User, USER)
        assert (user.email, user.account_type, user.role) == ("old@example.org", "free", "user")
        assert user.created_at.isoformat() == "2024-01-02T03:04:05+00:00"
        file = session.get_one(StoredFile, FILE)
        assert (file.filename, file.content_type, file.file_size_bytes) == ("old.pdf", "application/octet-stream", 12)
        assert file.checksum_sha256 is None  # nobody has read its bytes
        assert file.is_deleted is False
        assert file.created_at is not None
        assert session.get_one(StoredFile, UUID(int=3)).is_deleted is True
        quota = session.scalars(sa.select(UserStorageQuota)).one()
        assert (quota.max_bytes, quota.max_files, quota.used_bytes, quota.used_files) == (1000, 2**31 - 1, 19, 0)


def test_new_rows_can_be_written_beside_old_ones(postgres: Postgres, legacy: DatabaseSettings) -> None:
    owner = postgres.open(legacy, owner=True)
    migrations.upgrade(owner, "environment")
    migrations.grant(owner, legacy.user)
    app = postgres.open(legacy)
    app.engine.update_execution_options(**{ENVIRONMENT: "prod"})
    with app.begin() as session:
        user = User(id=uuid4(), email="new@example.org", role="user")
        session.add(user)
        session.flush()
        session.add(
            StoredFile(
                owner_id=user.id,
                filename="x" * 255,
                bucket="b",
                object_name="o",
                content_type="text/plain",
                file_size_bytes=2**40,
                checksum_sha256="0" * 64,
            )
        )
        session.add(UserStorageQuota(user_id=user.id, max_bytes=1, max_files=1))
    with pytest.raises(DBAPIError, match="permission denied"), app.begin() as session:
        session.execute(sa.text("SELECT * FROM legacy_undo"))


def test_an_adopted_table_has_all_that_a_created_one_has(postgres: Postgres, legacy: DatabaseSettings) -> None:
    fresh = postgres.empty_database()
    for settings in (legacy, fresh):
        migrations.upgrade(postgres.open(settings, owner=True), "environment")
    with postgres.superuser(legacy.name) as old, postgres.superuser(fresh.name) as new:
        missing = shape(new) - shape(old)
    # What the old table has under a name of its own, or stricter, is left as it is.
    assert {line[2] for line in missing} == {
        "pk_users", "pk_stored_files", "pk_user_storage_quotas", "uq_users_email",
        "uq_user_storage_quotas_user_id", "fk_user_storage_quotas_user_id_users",
    }  # fmt: skip


def test_downgrade_gives_the_old_tables_back(postgres: Postgres, legacy: DatabaseSettings) -> None:
    owner = postgres.open(legacy, owner=True)
    with postgres.superuser(legacy.name) as connection:
        before = shape(connection)
        rows = {table: _rows(connection, table) for table in TABLES}
    migrations.upgrade(owner, "environment")
    migrations.downgrade(owner, "environment", "base")
    with postgres.superuser(legacy.name) as connection:
        after = shape(connection)
        # A column that need not be filled any more stays so, and what was filled stays filled.
        assert after ^ before == {
            ("column", "users", "hashed_password", "varchar", "200", "NO", None),
            ("column", "users", "hashed_password", "varchar", "200", "YES", None),
        }
        for table, old in rows.items():
            now = _rows(connection, table)
            assert len(now) == len(old)
            for row_now, row_old in zip(now, old, strict=True):
                assert all(value == was for value, was in zip(row_now, row_old, strict=True) if was is not None)
    migrations.upgrade(owner, "environment")


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ("ALTER TABLE stored_files DROP COLUMN object_name", CannotAdopt, "stored_files.*no column object_name"),
        (
            "ALTER TABLE stored_files ALTER bucket DROP NOT NULL; UPDATE stored_files SET bucket = NULL",
            CannotAdopt,
            "rows without bucket",
        ),
        (
            "ALTER TABLE stored_files DROP CONSTRAINT stored_files_pkey, ADD PRIMARY KEY (bucket, object_name)",
            CannotAdopt,
            "known by bucket, object_name",
        ),
        ("UPDATE users SET email = repeat('x', 256)", DBAPIError, "too long"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_changed(
    postgres: Postgres, legacy: DatabaseSettings, change: str, error: type[Exception], sentence: str
) -> None:
    owner = postgres.open(legacy, owner=True)
    _run(owner, change)
    with postgres.superuser(legacy.name) as connection:
        before = shape(connection)
        with pytest.raises(error, match=sentence):
            migrations.upgrade(owner, "environment")
        assert shape(connection) == before


def _rows(connection: psycopg.Connection, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql.SQL("SELECT * FROM {} ORDER BY id").format(sql.Identifier(table))).fetchall()


def _run(database: Database, script: str) -> None:
    with database.begin() as session:
        session.connection().exec_driver_sql(script)
