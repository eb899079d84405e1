"""Many rows at once: lists as tables inside a statement, and rows that go from one database to another without passing
through Python.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    TableValuedAlias,
    Text,
    TypeDecorator,
    Uuid,
    any_,
    bindparam,
    column,
    func,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

BLOCK = 256 * 1024
"""Bytes held on their way from one database to the other."""
NULL = "\\N"
"""Nothing, in a line for `copy_lines`."""


def as_table(name: str, columns: Mapping[str, tuple[type[TypeEngine[Any]], Sequence[Any]]]) -> TableValuedAlias:
    """Lists of equal length as a table that a statement can join.

    Args:
        name: The table's name within the statement.
        columns: Each column's name, its type, and its values, one a row.
    """
    arrays = [
        array(Uuid(), map(str, values)) if kind is Uuid else bindparam(None, list(values), type_=ARRAY(kind))
        for kind, values in columns.values()
    ]
    return (
        func.unnest(*arrays)
        .table_valued(*(column(each, kind) for each, (kind, _) in columns.items()), name=name, joins_implicitly=True)
        .render_derived()
    )


def uuids(values: Sequence[Any]) -> tuple[type[Uuid[Any]], Sequence[Any]]:
    """A column of ids for `as_table`."""
    return Uuid, values


def texts(values: Sequence[str | None]) -> tuple[type[Text], Sequence[str | None]]:
    """A column of texts for `as_table`."""
    return Text, values


def among(wanted: ColumnElement[Any] | InstrumentedAttribute[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """That a column is one of these: one parameter, however many they are, and so one statement to prepare."""
    return wanted == any_(bindparam(None, list(values), type_=ARRAY(wanted.type)))


class _AsWritten(TypeDecorator[Any]):
    """An array that is handed over as Postgres writes it: one text for all values, which takes the driver a hundredth
    of the time that as many values take. Postgres sees an array from the start, and not a text that becomes one: only
    then does it plan for its length, and look values up in a hash table.
    """

    impl = ARRAY
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        return None


def array(kind: TypeEngine[Any], values: Iterable[str]) -> ColumnElement[Any]:
    """Values that are given as Postgres writes them as text, as an array of their type."""
    quoted = ",".join(f'"{each}"' for each in map(_in_array, values))
    return bindparam(None, f"{{{quoted}}}", type_=_AsWritten(kind))


def among_texts(wanted: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """That a column is one of these, which are given as Postgres writes them as text."""
    return wanted == any_(array(wanted.type, values))


def copy_lines(session: Session, table: str, columns: Sequence[str], lines: Iterable[str]) -> None:
    """Write rows into a table, in the text form of COPY.

    Args:
        session: A transaction in the table's database.
        table: The table's name.
        columns: The columns that the lines have.
        lines: A row each, with its end: values between tabs, each as `copied` makes it, or `NULL`.

    Raises:
        OperationalError: the connection broke, or the server could not write them now.
    """
    names = ", ".join(f'"{each}"' for each in columns)
    statement = f'COPY "{table}" ({names}) FROM STDIN'
    try:
        with _driver(session).cursor() as cursor, cursor.copy(statement) as written:
            written.write("".join(lines))
    except psycopg.OperationalError as error:  # as SQLAlchemy says it of a statement
        raise OperationalError(statement, None, error) from error


def copied(value: str) -> str:
    """A text as one value of a line for `copy_lines`."""
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    return value if value.isprintable() else value.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def copy_across(source: Session, rows: Select[Any], target: Session, table: str, columns: Sequence[str]) -> int:
    """Write what a query of one database finds into a table of another, in Postgres's own binary form.

    Args:
        source: Where the query runs.
        rows: The query; its columns have exactly the types of the table's.
        target: Where the rows go, within its transaction.
        table: The table's name.
        columns: The table's columns, in the order of the query's.

    Returns:
        How many rows were written.
    """
    reading, writing = _driver(source), _driver(target)
    compiled = rows.compile(dialect=source.get_bind().dialect)
    names = ", ".join(f'"{each}"' for each in columns)
    with reading.cursor() as out, writing.cursor() as into:
        with (
            out.copy(f"COPY ({compiled}) TO STDOUT (FORMAT BINARY)", compiled.params) as found,
            into.copy(f'COPY "{table}" ({names}) FROM STDIN (FORMAT BINARY)') as written,
        ):
            for block in found:
                written.write(block)
        return into.rowcount


def _driver(session: Session) -> psycopg.Connection[Any]:
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)  # noqa: S101  (the only driver that the settings know)
    return connection


def _in_array(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
