"""Databases of a test's own on the stack's Postgres, and a superuser's hand in any of them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.stack import Stack
from tests.fixtures.world import fresh_database
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.devstack.ports import HOST
from wisqu_pipelines.devstack.postgres import MAINTENANCE_DATABASE, PORT, connect
from wisqu_pipelines.migrations import History
from wisqu_pipelines.settings import DatabaseSettings, EnvironmentSettings

PASSWORD = "only-on-loopback"


@dataclass
class Postgres:
    """The stack's server, reached as its superuser."""

    stack: Stack
    _closing: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def superuser(self, database: str = MAINTENANCE_DATABASE) -> Iterator[psycopg.Connection]:
        """A connection on which every statement is a transaction."""
        with connect(self.stack.site, database) as connection:
            yield connection

    @contextmanager
    def tampering(self, database: str) -> Iterator[psycopg.Connection]:
        """A superuser's connection on which no trigger fires."""
        with self.superuser(database) as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection

    def empty_database(self, prefix: str = "empty") -> DatabaseSettings:
        """A new database without tables, with an owner and an application role; dropped after the test."""
        name = f"{prefix}_{uuid4().hex[:12]}"
        owner, app = f"{name}_owner", f"{name}_app"
        with self.superuser() as connection:
            for role in (owner, app):
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(PASSWORD))
                )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
            )
        self._closing.callback(self._drop, name, (owner, app))
        return DatabaseSettings(
            name=name,
            host=HOST,
            port=self.stack.site.ports[PORT],
            user=app,
            password=PASSWORD,
            owner_user=owner,
            owner_password=PASSWORD,
        )

    def migrated_database(self, history: History, environment: str = "dev") -> DatabaseSettings:
        """The world's control database, or an environment's, migrated and empty; for a test without a world."""
        settings = self.stack.settings
        template = (settings.control if history == "control" else settings.environment(environment)).database
        return template.model_copy(update={"name": fresh_database(self.stack, template.name)})

    def open(
        self, settings: DatabaseSettings, *, environment: EnvironmentSettings | None = None, owner: bool = False
    ) -> Database:
        """The database, closed after the test."""
        database = Database(settings, environment=environment, owner=owner)
        self._closing.callback(database.close)
        return database

    def close(self) -> None:
        self._closing.close()

    def _drop(self, name: str, roles: tuple[str, ...]) -> None:
        with self.superuser() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in roles:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def postgres(stack: Stack) -> Iterator[Postgres]:
    server = Postgres(stack)
    yield server
    server.close()
