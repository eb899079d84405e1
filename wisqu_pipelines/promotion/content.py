"""What an item is, as hashes: of its row, its file and its vectors."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import rfc8785
from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.catalog.points import CHUNK, DOCUMENT_ID, ENVIRONMENT, VERSION
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion.types import PromotableType

VECTOR_TOLERANCE = 1e-6
"""How far a number of a copied vector may be off: an index that normalises does it again on arrival."""
_OWN_PAYLOAD = {DOCUMENT_ID, VERSION, ENVIRONMENT}
"""Payload fields that name the row and the environment a point is in, and so differ between twins."""


def canonical(value: Any) -> bytes:
    """The canonical JSON (RFC 8785) of a value; UUIDs as text, times as ISO 8601."""
    return rfc8785.dumps(_plain(value))


def digest(value: Any) -> str:
    """SHA-256 (hex) over the canonical JSON of a value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def row_hash(kind: PromotableType, row: EnvironmentRow, references: Mapping[str, UUID | None]) -> str:
    """The hash of a row's content.

    Args:
        kind: The row's type.
        row: A row of the source or of the target.
        references: For each column of `kind.belongs_to` the id, on the source side, of the row that it names; so twins
            have the same hash.
    """
    content = {column: getattr(row, column) for column in kind.content}
    return digest({"type": kind.name, "content": content, "references": dict(references)})


def vectors_hash(points: Sequence[Point]) -> str:
    """The hash of a document's points as their store holds them: payload and vector bits, in the chunks' order."""
    hashed = hashlib.sha256()
    for point in sorted(points, key=lambda each: int(each.payload[CHUNK])):
        hashed.update(canonical(portable_payload(point.payload)))
        hashed.update(np.asarray(point.vector, dtype="<f4").tobytes())
    return hashed.hexdigest()


def portable_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a point's payload that is the same on both sides."""
    return {key: value for key, value in payload.items() if key not in _OWN_PAYLOAD}


def same_vector(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two stored vectors are equal within `VECTOR_TOLERANCE`."""
    return len(one) == len(other) and bool(
        np.allclose(np.asarray(one, np.float32), np.asarray(other, np.float32), rtol=0, atol=VECTOR_TOLERANCE)
    )


def row_image(row: EnvironmentRow) -> dict[str, Any]:
    """All columns of a row as JSON: what a rollback restores."""
    return {key: _plain(getattr(row, key)) for key in row_columns(type(row))}


def row_values(model: type[EnvironmentRow], image: Mapping[str, Any]) -> dict[str, Any]:
    """The column values that `row_image` described."""
    columns = row_columns(model)
    return {key: _typed(columns[key], value) for key, value in image.items()}


def row_columns(model: type[EnvironmentRow]) -> dict[str, type]:
    """The names of a table's columns in the model, with their Python types."""
    mapper: Mapper[Any] = inspect(model)
    return {attribute.key: attribute.columns[0].type.python_type for attribute in mapper.column_attrs}


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _typed(kind: type, value: Any) -> Any:
    if value is None:
        return None
    if kind is UUID:
        return UUID(value)
    if kind is datetime:
        return datetime.fromisoformat(value)
    return value
