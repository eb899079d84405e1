"""What the hash of an audit row is taken over: a text that is the same before the row is written and after it is read.

A row is the canonical JSON (RFC 8785) of an object with the row's columns by name: UUIDs as text, times as ISO 8601 in
UTC with microseconds. Columns that are NULL are left out, so a column that a later migration adds changes no hash.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import rfc8785
from sqlalchemy import Column, String, Table
from sqlalchemy.dialects.postgresql import JSONB

from wisqu_pipelines.errors import BadInput

ROW_HASH = "row_hash"
"""The one column that is not part of what it hashes."""
LARGEST_EXACT = 2**53 - 1
"""The largest whole number that canonical JSON writes exactly."""


def hash_before(table: Table, values: Mapping[str, Any]) -> str:
    """The hash of a row that is about to be written.

    Args:
        table: The audit table.
        values: The row's values by column name.

    Raises:
        BadInput: a value would not come back from the database as it is.
    """
    plain = {}
    for column in table.columns:
        if column.name != ROW_HASH and values.get(column.name) is not None:
            plain[column.name] = _checked(column, values[column.name])
    try:
        return digest(plain)
    except rfc8785.CanonicalizationError as error:
        raise BadInput(what=f"the {table.name} row", reason=str(error)) from error


def hash_after(values: Mapping[str, Any]) -> str | None:
    """The hash of a row as it was read, by column name; None if nothing that `append` wrote could read like this."""
    plain = {name: _read(value) for name, value in values.items() if name != ROW_HASH and value is not None}
    try:
        return digest(plain)
    except (rfc8785.CanonicalizationError, OverflowError):
        return None


def digest(plain: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of an object's canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(dict(plain))).hexdigest()


def _checked(column: Column[Any], value: Any) -> Any:
    if isinstance(column.type, JSONB):
        if _has_nul(value):
            _refuse(column, "it has a NUL character")
        return value
    if isinstance(value, str):
        if "\0" in value:
            _refuse(column, "it has a NUL character")
        limit = column.type.length if isinstance(column.type, String) else None
        if limit is not None and len(value) > limit:
            _refuse(column, f"it has {len(value)} characters, and at most {limit} are allowed")
    if isinstance(value, datetime) and value.tzinfo is None:
        _refuse(column, "it is a time without a time zone")
    return _plain(column.type.python_type(value) if isinstance(value, bool | int | float) else value)


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _read(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_read(each) for each in value]
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        # Postgres keeps 1e22 as a number without an exponent, which JSON then reads as an int. An int that is no
        # float's shortest form was never written by `append`.
        number = float(value)
        return number if Decimal(repr(number)) == value else str(value)
    return _plain(value)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list | tuple) and any(_has_nul(each) for each in value)


def _refuse(column: Column[Any], reason: str) -> None:
    raise BadInput(what=f"{column.name} of the {column.table.name} row", reason=reason)
