"""Sessions: who opens a transaction, and what it may do.

Services never commit. What opens the transaction ends it: `begin()` commits when its block ends well and rolls back
when it does not; `snapshot()` reads one consistent state and cannot write.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import psycopg
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from wisqu_pipelines.errors import StoreDenied, StoreUnavailable
from wisqu_pipelines.settings import DatabaseSettings, EnvironmentSettings

ENVIRONMENT = "environment"
"""The key in `session.info` under which an environment's session carries its `EnvironmentSettings`, and in the engine's
execution options under which its name is the default of every row's `environment`."""

REFUSALS = (
    "password authentication failed",
    "permission denied for database",
    "no pg_hba.conf entry",
    "does not exist",
)
"""How Postgres says at connection time that it knows no such role or database, or lets this role not into it. psycopg
gives no SQLSTATE for a connection that was never made."""


class Database:
    """One Postgres database, reached as one role."""

    def __init__(
        self, settings: DatabaseSettings, *, environment: EnvironmentSettings | None = None, owner: bool = False
    ) -> None:
        """Prepare the pool; nothing is connected until the first use."""
        self.name = settings.name
        self.engine: Engine = create_engine(
            settings.url(owner=owner),
            pool_pre_ping=True,
            json_deserializer=orjson.loads,
            pool_size=4,
            max_overflow=8,
            execution_options={} if environment is None else {ENVIRONMENT: environment.name},
            connect_args={"connect_timeout": 10, "application_name": "wisqu_pipelines", "options": "-c TimeZone=UTC"},
        )
        info = {} if environment is None else {ENVIRONMENT: environment}
        self._sessions = sessionmaker(self.engine, info=info, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreDenied: the server does not let this role into this database.
            StoreUnavailable: the server does not answer or the connection broke.
        """
        with self._translated("transaction"), self._sessions.begin() as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A read-only transaction over one consistent state (repeatable read).

        Raises:
            StoreDenied: the server does not let this role into this database.
            StoreUnavailable: the server does not answer or the connection broke.
        """
        with self._translated("read"), self._sessions.begin() as session:
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    @contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            cause = "all of this process's connections are in use"
            raise StoreUnavailable(store=f"database {self.name}", operation=operation, cause=cause) from error
        except DBAPIError as error:
            cause = _first_line(error)
            details = {"store": f"database {self.name}", "operation": operation, "cause": cause}
            if isinstance(error, OperationalError) and any(refusal in cause for refusal in REFUSALS):
                raise StoreDenied(**details) from error
            if isinstance(error, OperationalError) or error.connection_invalidated:
                raise StoreUnavailable(**details) from error
            raise


def in_words(error: BaseException) -> str:
    """What an error says, for people and for what is kept. Of one of the database it is the first line of the driver's
    own words: what follows them is the statement with its parameters, and the row that was refused.
    """
    if isinstance(error, DBAPIError):
        return _first_line(error)
    words = str(error).strip() or type(error).__name__
    return words.splitlines()[0] if isinstance(error, psycopg.Error) else words


def _first_line(error: DBAPIError) -> str:
    """The driver's own words, without the statement and its parameters."""
    return (str(error.orig).strip().splitlines() or [type(error).__name__])[0]
