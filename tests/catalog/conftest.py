from collections.abc import Callable

import pytest

from tests.database.postgres import Postgres, postgres
from tests.fixtures.stack import Stack
from wisqu_pipelines.database.session import Database

__all__ = ["OpenDatabase", "databases", "postgres"]

OpenDatabase = Callable[[str], Database]


@pytest.fixture
def databases(stack: Stack, postgres: Postgres) -> OpenDatabase:
    """Opens an environment's database, empty at first, as the application."""
    opened: dict[str, Database] = {}

    def open_database(name: str) -> Database:
        environment = stack.settings.environment(name)
        if name not in opened:
            opened[name] = postgres.open(postgres.migrated_database("environment", name), environment=environment)
        return opened[name]

    return open_database
