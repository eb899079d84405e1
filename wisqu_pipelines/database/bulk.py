"""Many rows at once: lists as tables inside a statement, and rows that go from one database to another without passing
through Python.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import ARRAY, ColumnElement, Select, TableValuedAlias, Text, Uuid, any_, bindparam, column, func
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

BLOCK = 256 * 1024
"""Bytes held on their way from one database to the other."""


def as_table(name: str, columns: Mapping[str, tuple[type[TypeEngine[Any]], Sequence[Any]]]) -> TableValuedAlias:
    """Lists of equal length as a table that a statement can join.

    Args:
        name: The table's name within the statement.
        columns: Each column's name, its type, and its values, one a row.
    """
    arrays = [bindparam(None, list(values), type_=ARRAY(kind)) for kind, values in columns.values()]
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
