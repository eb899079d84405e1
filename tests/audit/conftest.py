import pytest

from tests.database.postgres import Postgres, postgres
from wisqu_pipelines.database.session import Database

__all__ = ["control", "dev", "postgres"]


@pytest.fixture
def dev(postgres: Postgres) -> Database:
    """An environment's database, as the application."""
    return postgres.open(postgres.migrated_database("environment"))


@pytest.fixture
def control(postgres: Postgres) -> Database:
    """A control database, as the application."""
    return postgres.open(postgres.migrated_database("control"))
