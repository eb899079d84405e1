from collections.abc import Iterator

import pytest

from tests.database.postgres import postgres
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.settings import Settings

__all__ = ["dev", "postgres"]


@pytest.fixture
def dev(settings: Settings) -> Iterator[Database]:
    """Dev's database, as the application."""
    environment = settings.environments["dev"]
    database = Database(environment.database, environment=environment)
    yield database
    database.close()
