"""What an erasure proves: which rows went, by their hashes, and nothing that they said."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from wisqu_pipelines.accounts.removal import Gone, Removed
from wisqu_pipelines.erasure.models import Erasure

FORMAT = 1


def email_hash(email: str) -> str:
    """SHA-256 (hex) of an address, whatever its case."""
    return _sha256(email.strip().casefold())


def certificate(erasure: Erasure, removed: Removed, at: datetime) -> dict[str, Any]:
    """The certificate of an erasure that takes these rows at this time."""
    return {
        "format": FORMAT,
        "erasure_id": str(erasure.id),
        "environment": erasure.environment,
        "user_id": str(erasure.user_id),
        "email_hash": erasure.email_hash,
        "case": erasure.reason,
        "requested_by": str(erasure.requested_by),
        "requested_at": _moment(erasure.requested_at),
        "approved_by": str(erasure.approved_by),
        "approved_at": _moment(erasure.approved_at),
        "erased_at": _moment(at),
        "counts": dict(sorted(Counter(each.type for each in removed.gone).items())),
        "also": dict(removed.traces),
        "rows": [_row(each) for each in sorted(removed.gone, key=lambda each: (each.type, str(each.id)))],
    }


def certified(told: Mapping[str, Any]) -> Mapping[str, Collection[UUID]]:
    """The ids of the rows of a certificate, by type."""
    found: dict[str, list[UUID]] = {}
    for row in told["rows"]:
        found.setdefault(row["type"], []).append(UUID(row["id"]))
    return found


def places(told: Mapping[str, Any], part: str, where: str) -> Collection[tuple[str, UUID]]:
    """Where files (`file`, `bucket`) or vectors (`vectors`, `collection`) of a certificate lay, and the row's id."""
    return [(row[part][where], UUID(row["id"])) for row in told["rows"] if part in row]


def _row(gone: Gone) -> dict[str, Any]:
    row: dict[str, Any] = {"type": gone.type, "id": str(gone.id), "row": gone.row_hash}
    if gone.object_name is not None:
        row["file"] = {"bucket": gone.bucket, "object_name": _sha256(gone.object_name), "content": gone.checksum}
    if gone.vector_version is not None:
        version = str(gone.vector_version)
        row["vectors"] = {"collection": gone.collection, "version": version, "points": gone.point_count}
    return row


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="microseconds")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
