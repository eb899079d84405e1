"""Reading the audit: page by page, or all of it as lines for programs and for spreadsheets."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import CONTROL_CHAINS, ENVIRONMENT_CHAINS, table_of
from wisqu_pipelines.audit.models import ChainedMixin
from wisqu_pipelines.audit.spreadsheets import as_cell
from wisqu_pipelines.errors import UnknownType

CHAINS: Mapping[str, type[ChainedMixin]] = {
    table_of(chain).name: chain for chain in (*ENVIRONMENT_CHAINS, *CONTROL_CHAINS)
}
"""Every audit table, by its name."""
AT_ONCE = 1_000


def chain_named(name: str, among: Sequence[type[ChainedMixin]]) -> type[ChainedMixin]:
    """The audit table of that name in one database.

    Raises:
        UnknownType: it has none of that name.
    """
    found = CHAINS.get(name)
    if found is None or found not in among:
        raise UnknownType(name=name, known=sorted(table_of(each).name for each in among))
    return found


def page(session: Session, chain: type[ChainedMixin], after: int, limit: int) -> list[dict[str, Any]]:
    """Some rows of a chain behind a sequence number, oldest first."""
    table = table_of(chain)
    wanted = select(table).where(table.c.sequence > after).order_by(table.c.sequence).limit(limit)
    return [dict(row) for row in session.execute(wanted).mappings()]


def rows(session: Session, chain: type[ChainedMixin]) -> Iterator[dict[str, Any]]:
    """All rows of a chain, oldest first; some are held at a time."""
    after = 0
    while found := page(session, chain, after, AT_ONCE):
        yield from found
        after = int(found[-1]["sequence"])


def as_json_lines(found: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    """Each row as one line of JSON."""
    for row in found:
        yield orjson.dumps(dict(row), default=str, option=orjson.OPT_APPEND_NEWLINE)


def as_csv(chain: type[ChainedMixin], found: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    """Each row as a line of CSV (RFC 4180) in which no spreadsheet finds a formula."""
    columns = [column.name for column in table_of(chain).columns]
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    for row in found:
        writer.writerow([cell(row[name]) for name in columns])
        if written.tell() > 64_000:
            yield written.getvalue().encode()
            written.seek(0)
            written.truncate()
    yield written.getvalue().encode()


def cell(value: Any) -> str:
    """A value as text; what would be a formula gets an apostrophe before it."""
    if value is None:
        return ""
    text = orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)
    return as_cell(text)
