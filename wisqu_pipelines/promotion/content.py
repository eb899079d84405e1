"""What an item is, as hashes: of its row, its file and its vectors."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import rfc8785
from sqlalchemy import ColumnElement, FromClause, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from wisqu_pipelines.catalog.points import CHUNK, DOCUMENT_ID, ENVIRONMENT, VERSION
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion.types import TYPES, PromotableType

VECTOR_TOLERANCE = 1e-6
"""How far a number of a copied vector may be off: an index that normalises does it again on arrival."""
_OWN_PAYLOAD = {DOCUMENT_ID, VERSION, ENVIRONMENT}
"""Payload fields that name the row and the environment a point is in, and so differ between twins."""
_EXACT_INTEGERS = 2**53
"""From here on RFC 8785 refuses an integer."""


def canonical(value: Any) -> bytes:
    """The canonical JSON (RFC 8785) of a value; UUIDs as text, times as ISO 8601."""
    plain = _plain(value)
    if _is_flat(plain):  # orjson writes the same bytes for these, many times as fast
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    return rfc8785.dumps(plain)


def row_hash(kind: PromotableType, row: FromClause, *, twin: bool) -> ColumnElement[str]:
    """The hash of a row's content, as an expression that its database computes.

    SHA-256 (hex) over the text of a `jsonb` array: the type's name, the columns of `kind.content`, and for each column
    of `kind.belongs_to` the id, on the source side, of the row that it names; so twins have the same hash. Postgres
    writes `jsonb` the same way on every machine (numbers as `numeric`, UUIDs and times as text in UTC, which every
    connection of this project is set to).

    Args:
        kind: The row's type.
        row: The table, or an alias of it.
        twin: Whether the rows are in a target: what they belong to is then looked up in their owners' `source_id`.
    """
    content = [row.c[column] for column in kind.content]
    references = [reference(row, column, owner) if twin else row.c[column] for column, owner in kind.belongs_to.items()]
    array = func.jsonb_build_array(cast(literal(kind.name), Text), *content, *references)
    return func.encode(func.sha256(func.convert_to(cast(array, Text), "UTF8")), "hex")


def reference(row: FromClause, column: str, owner: str) -> ColumnElement[UUID]:
    """The source-side id of the row that a twin's column names."""
    table = TYPES[owner].table.alias()
    return select(table.c.source_id).where(table.c.id == row.c[column]).correlate(row).scalar_subquery()


def standing(kind: PromotableType, row: FromClause) -> ColumnElement[Any]:
    """What a row in a target is, as a `jsonb` expression: `row`, its content's hash, and the `object_name` and
    `vector_version` that it points to.
    """
    parts: list[Any] = ["row", row_hash(kind, row, twin=True)]
    if kind.has_file:
        parts += ["object_name", row.c.object_name]
    if kind.has_vectors:
        parts += ["vector_version", cast(row.c.vector_version, Text)]
    return func.jsonb_build_object(*(cast(literal(each), Text) if isinstance(each, str) else each for each in parts))


def edited_since_arrival(kind: PromotableType, row: FromClause) -> ColumnElement[bool]:
    """Whether a row in a target is no longer what the last promotion brought, as an expression."""
    arrived = func.coalesce(row.c.promoted_hashes, cast("{}", JSONB))
    return ~arrived.op("@>", is_comparison=True)(standing(kind, row))


def vectors_hash(points: Sequence[Point]) -> str:
    """The hash of a document's points as their store holds them: payload and vector bits, in the chunks' order.

    Raises:
        BadInput: a point names no chunk, or its payload has no canonical form.
    """
    hashed = hashlib.sha256()
    for point in sorted(points, key=_chunk):
        try:
            hashed.update(canonical(portable_payload(point.payload)))
        except rfc8785.CanonicalizationError:
            reason = "it has a number that RFC 8785 has no form for"
            raise BadInput(what=f"the payload of point {point.id}", reason=reason) from None
        hashed.update(np.asarray(point.vector, dtype="<f4").tobytes())
    return hashed.hexdigest()


def have_hash(points: Sequence[Point], wanted: str | None) -> bool:
    """Whether points have this hash; what cannot be hashed has none."""
    try:
        return vectors_hash(points) == wanted
    except BadInput:
        return False


def _chunk(point: Point) -> int:
    try:
        return int(point.payload[CHUNK])
    except (KeyError, TypeError, ValueError):
        raise BadInput(what=f"the payload of point {point.id}", reason="it does not say which chunk it is") from None


def portable_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a point's payload that is the same on both sides."""
    return {key: value for key, value in payload.items() if key not in _OWN_PAYLOAD}


def same_point(one: Point | None, other: Point | None) -> bool:
    """Whether two stored points have the same content: the payload exactly, the vector within `VECTOR_TOLERANCE`."""
    return (
        one is not None
        and other is not None
        and portable_payload(one.payload) == portable_payload(other.payload)
        and len(one.vector) == len(other.vector)
        and bool(
            np.allclose(
                np.asarray(one.vector, np.float32), np.asarray(other.vector, np.float32), rtol=0, atol=VECTOR_TOLERANCE
            )
        )
    )


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


def _is_flat(value: Any) -> bool:
    """Whether a value holds nothing on which encoders differ: no floats, no large integers, only ASCII keys."""
    if isinstance(value, dict):
        return all(key.isascii() and _is_flat(each) for key, each in value.items())
    if isinstance(value, list):
        return all(_is_flat(each) for each in value)
    if type(value) is int:
        return -_EXACT_INTEGERS < value < _EXACT_INTEGERS
    return value is None or type(value) in {str, bool}
