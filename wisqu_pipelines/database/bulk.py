"""Many rows at once: lists as tables inside a statement, and rows that go from one database to another without passing
through Python.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

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
Value: TypeAlias = str | UUID | int | datetime
"""What Postgres reads as Python writes it; times are aware."""
NULL = "\\N"
"""Nothing, in a line for `copy_lines`."""


def as_table(
    name: str, columns: Mapping[str, tuple[type[TypeEngine[Any]], Sequence[Value | None]]]
) -> TableValuedAlias:
    """Lists of equal length as a table that a statement can join.

    Args:
        name: The table's name within the statement.
        columns: Each column's name, its type, and its values, one a row.
    """
    arrays = [array(kind(), values) for kind, values in columns.values()]
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


class _AsWritten(TypeDecorator[Any]):
    """An array that is handed over as Postgres writes it: one text for all values, which takes the driver a hundredth
    of the time that as many values take. Postgres sees an array from the start, and not a text that becomes one: only
    then does it plan for its length, and look values up in a hash table.
    """

    impl = ARRAY
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        return None


def array(kind: TypeEngine[Any], values: Iterable[Value | None]) -> ColumnElement[Any]:
    """Values as an array of their type; each may be given as Postgres writes it as text."""
    return bindparam(None, f"{{{','.join(map(_in_array, values))}}}", type_=_AsWritten(kind))


def among(wanted: ColumnElement[Any] | InstrumentedAttribute[Any], values: Iterable[Value]) -> ColumnElement[bool]:
    """That a column is one of these: one parameter, however many they are, and so one statement to prepare."""
    return wanted == any_(array(wanted.type, values))


def among_found(wanted: ColumnElement[Any] | InstrumentedAttribute[Any], found: Select[Any]) -> ColumnElement[bool]:
    """That a column is one of what a query of one column finds: looked up by the column's index, however many they are
    and whatever Postgres believes of that, and never joined.
    """
    return wanted == any_(func.array(found.scalar_subquery()))


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


def _in_array(value: Value | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str) and ("\\" in value or '"' in value):
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
