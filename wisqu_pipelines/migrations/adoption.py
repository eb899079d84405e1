"""Tables that are older than the first migration: what they lack is added, and how to undo that is written down.

Each change to such a table leaves the statement that undoes it in `legacy_undo`, a table that only the owner may use.
The downgrade runs those statements backwards, so that the table has the shape again that it was found in, with all its
rows. What is not undone is harmless: a NULL that was filled stays filled, and a column that no longer has to be filled
stays so.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import sqlalchemy as sa

from wisqu_pipelines.errors import CannotAdopt

UNDO_TABLE = "legacy_undo"


def create_or_adopt(connection: sa.Connection, tables: Sequence[sa.Table], fills: Mapping[str, str]) -> None:
    """Create the tables; or, where the database has one of that name, make that one serve.

    Args:
        connection: The database, in the migration's transaction.
        tables: The tables as they must be, with every constraint and index named; a table after those it refers to.
        fills: By `table.column`, the SQL expression for rows that have no value in a column that must have one.

    Raises:
        CannotAdopt: a row lacks a value and nothing says which, or a table's rows are known by another key.
    """
    for table in tables:
        if sa.inspect(connection).has_table(table.name):
            _Adoption(connection, table, fills).run()
        else:
            table.create(connection)


def drop_or_restore(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Drop the tables that were created, in the order given, and give the adopted ones their old shape back."""
    noted: list[tuple[str, str | None]] = []
    if sa.inspect(connection).has_table(UNDO_TABLE):
        undo = _undo_table()
        query = sa.select(undo.c.table_name, undo.c.statement).order_by(undo.c.position.desc())
        noted = [(row.table_name, row.statement) for row in connection.execute(query)]
        undo.drop(connection)
    adopted = {name for name, _ in noted}
    for table in tables:
        if table.name not in adopted:
            table.drop(connection)
    for _, statement in noted:
        if statement is not None:
            connection.exec_driver_sql(statement)


def _undo_table() -> sa.Table:
    return sa.Table(
        UNDO_TABLE,
        sa.MetaData(),
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("table_name", sa.String(63), nullable=False),
        sa.Column("statement", sa.Text, comment="NULL: only that the table was there before"),
    )


class _Adoption:
    """Making one old table serve."""

    def __init__(self, connection: sa.Connection, table: sa.Table, fills: Mapping[str, str]) -> None:
        self._connection = connection
        self._table = table
        self._fills = fills
        self._undo = _undo_table()
        self._inspector = sa.inspect(connection)
        self._quote = connection.dialect.identifier_preparer.quote

    def run(self) -> None:
        self._undo.create(self._connection, checkfirst=True)
        self._note(None)
        found = {column["name"]: column for column in self._inspector.get_columns(self._table.name)}
        for column in self._table.columns:
            if column.name not in found:
                self._add(column)
            else:
                self._align(column, found[column.name])
        for name, there in found.items():
            free = there["nullable"] or there["default"] is not None or "identity" in there
            if name not in self._table.columns and not free:
                self._alter(name, "DROP NOT NULL")  # nobody who writes by the new schema knows the column
        self._add_constraints()
        self._add_indexes()

    def _add(self, column: sa.Column[Any]) -> None:
        fill = self._fill(column)
        if not column.nullable and fill is None and self._has_rows():
            self._refuse(f"it has rows, and no column {column.name}, which must have a value")
        definition = str(sa.schema.CreateColumn(column).compile(self._connection))
        borrowed = fill is not None and column.server_default is None and not column.nullable
        self._run(f"ADD COLUMN {definition}" + (f" DEFAULT {fill}" if borrowed else ""))
        if borrowed:  # a default fills the rows that are there without writing each of them
            self._alter(column.name, "DROP DEFAULT")
        self._note(f"DROP COLUMN {self._quote(column.name)}")

    def _align(self, column: sa.Column[Any], there: Any) -> None:
        wanted, found = self._type_name(column.type), self._type_found(column.name)
        if wanted != found:
            # Without USING, Postgres refuses what would lose something, such as a text that is too long.
            self._alter(column.name, f"TYPE {wanted}", undo=f"TYPE {found}")
        if column.server_default is not None and there["default"] is None:
            self._alter(column.name, f"SET DEFAULT {self._default(column)}", undo="DROP DEFAULT")
        if column.nullable and not there["nullable"]:
            self._alter(column.name, "DROP NOT NULL")
        if not column.nullable and there["nullable"]:
            self._fill_nulls(column)
            self._alter(column.name, "SET NOT NULL", undo="DROP NOT NULL")

    def _fill_nulls(self, column: sa.Column[Any]) -> None:
        empty = sa.select(sa.literal(1)).select_from(self._table).where(column.is_(None)).limit(1)
        if self._connection.scalar(empty) is None:
            return
        fill = self._fill(column)
        if fill is None:
            self._refuse(f"it has rows without {column.name}, which must have a value")
        self._connection.execute(
            sa.update(self._table).where(column.is_(None)).values({column.name: sa.literal_column(fill)})
        )

    def _add_constraints(self) -> None:
        name = self._table.name
        key = self._inspector.get_pk_constraint(name)["constrained_columns"]
        wanted = [column.name for column in self._table.primary_key]
        if key and key != wanted:
            self._refuse(f"its rows are known by {', '.join(key)}, and must be by {', '.join(wanted)}")
        unique: list[Sequence[str | None]] = [
            each["column_names"] for each in self._inspector.get_unique_constraints(name)
        ]
        unique += [
            each["column_names"]
            for each in self._inspector.get_indexes(name)
            if each["unique"] and "postgresql_where" not in each.get("dialect_options", {})
        ]
        foreign = [
            (each["constrained_columns"], each["referred_table"]) for each in self._inspector.get_foreign_keys(name)
        ]
        checks = {each["name"] for each in self._inspector.get_check_constraints(name)}
        for constraint in sorted(self._table.constraints, key=lambda each: str(each.name)):
            columns = (
                list(constraint.columns.keys()) if isinstance(constraint, sa.schema.ColumnCollectionConstraint) else []
            )
            match constraint:
                case sa.PrimaryKeyConstraint():
                    there = bool(key)
                case sa.UniqueConstraint():
                    there = columns in unique
                case sa.ForeignKeyConstraint():
                    there = (columns, constraint.referred_table.name) in foreign
                case _:
                    there = constraint.name in checks
            if not there:
                self._connection.execute(sa.schema.AddConstraint(constraint))
                self._note(f"DROP CONSTRAINT {self._quote(str(constraint.name))}")

    def _add_indexes(self) -> None:
        there = {index["name"] for index in self._inspector.get_indexes(self._table.name)}
        for index in sorted(self._table.indexes, key=lambda each: str(each.name)):
            if index.name not in there:
                index.create(self._connection)
                self._write_down(f"DROP INDEX {self._quote(str(index.name))}")

    def _fill(self, column: sa.Column[Any]) -> str | None:
        return self._default(column) if column.server_default is not None else self._fills.get(str(column))

    def _default(self, column: sa.Column[Any]) -> str:
        """The column's default as SQL."""
        dialect = self._connection.dialect
        compiler: Any = dialect.ddl_compiler
        return str(compiler(dialect, None).get_column_default_string(column))

    def _has_rows(self) -> bool:
        return self._connection.scalar(sa.select(sa.exists().select_from(self._table))) is True

    def _type_name(self, kind: sa.types.TypeEngine[Any]) -> str:
        """A type as Postgres itself spells it."""
        name = kind.compile(self._connection.dialect).lower()
        return name.replace("varchar", "character varying")

    def _type_found(self, column: str) -> str:
        query = sa.text(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass(:table) AND attname = :column"
        )
        return str(self._connection.scalar(query, {"table": self._quote(self._table.name), "column": column}))

    def _alter(self, column: str, change: str, undo: str | None = None) -> None:
        self._run(f"ALTER COLUMN {self._quote(column)} {change}")
        if undo is not None:
            self._note(f"ALTER COLUMN {self._quote(column)} {undo}")

    def _run(self, change: str) -> None:
        self._connection.exec_driver_sql(f"ALTER TABLE {self._quote(self._table.name)} {change}")

    def _note(self, change: str | None) -> None:
        self._write_down(None if change is None else f"ALTER TABLE {self._quote(self._table.name)} {change}")

    def _write_down(self, statement: str | None) -> None:
        self._connection.execute(sa.insert(self._undo).values(table_name=self._table.name, statement=statement))

    def _refuse(self, reason: str) -> NoReturn:
        raise CannotAdopt(table=self._table.name, reason=reason)
