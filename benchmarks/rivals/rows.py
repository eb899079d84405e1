"""Two other ways to bring rows to another database: the ORM's, and Postgres's own."""

import psycopg
from sqlalchemy import inspect, select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import StoredFile
from wisqu_pipelines.database.session import Database


def add_all(here: Database, there: Database) -> None:
    """Read with the ORM, write with `add_all`, mark the source."""
    names = [attribute.key for attribute in inspect(StoredFile).column_attrs]
    with Session(here.engine) as source, Session(there.engine) as target, source.begin(), target.begin():
        rows = source.scalars(select(StoredFile)).all()
        target.add_all(StoredFile(**{name: getattr(row, name) for name in names}) for row in rows)
        target.flush()
        source.execute(update(StoredFile).values(promotion_status="promoted"))


def piped(here: Database, there: Database) -> None:
    """COPY out of one database and into the other, in binary; the source is marked in one statement."""
    with here.engine.begin() as source, there.engine.begin() as target:
        reading, writing = source.connection.driver_connection, target.connection.driver_connection
        assert isinstance(reading, psycopg.Connection)
        assert isinstance(writing, psycopg.Connection)
        with (
            reading.cursor().copy("COPY stored_files TO STDOUT (FORMAT BINARY)") as found,
            writing.cursor().copy("COPY stored_files FROM STDIN (FORMAT BINARY)") as written,
        ):
            for block in found:
                written.write(block)
        source.execute(update(StoredFile).values(promotion_status="promoted"))
