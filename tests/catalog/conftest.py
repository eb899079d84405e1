from collections.abc import Callable, Iterator

import pytest

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.settings import Settings

OpenDatabase = Callable[[str], Database]


@pytest.fixture
def databases(settings: Settings) -> Iterator[OpenDatabase]:
    """Opens an environment's database as the application; closed after the test."""
    opened: dict[str, Database] = {}

    def open_database(name: str) -> Database:
        if name not in opened:
            environment = settings.environment(name)
            opened[name] = Database(environment.database, environment=environment)
        return opened[name]

    yield open_database
    for database in opened.values():
        database.close()
