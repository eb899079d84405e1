"""Which noted rows are known to be lost: those of restores that two people have acknowledged, with a signature."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from wisqu_pipelines.audit.anchors import Ending
from wisqu_pipelines.audit.canonical import digest
from wisqu_pipelines.audit.models import Restore
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.identity.signatures import SignedApprovals
from wisqu_pipelines.settings import Settings

AUDIENCE = "wisqu:restores"
"""What signed confirmations of restores are for: they are none of anything else."""
COUNTS = timedelta(days=100 * 365)
"""A confirmation counts for as long as anybody verifies the chain."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What is known to be lost of a database's chains."""

    restores: tuple[UUID, ...]
    """By which restores, the oldest first."""
    lost: frozenset[Ending]


def acknowledged(control: Database, database: str, settings: Settings, now: datetime) -> Acknowledged:
    """What two people have said is lost of a database's chains. What nobody signed counts for nothing."""
    signatures = SignedApprovals(settings, AUDIENCE)
    wanted = (
        select(Restore)
        .where(Restore.database == database, Restore.confirmed_by.is_not(None))
        .order_by(Restore.confirmed_at, Restore.id)
    )
    with control.begin() as session:
        known = [each for each in session.scalars(wanted) if _is_signed(signatures, each, now)]
    return Acknowledged(tuple(each.id for each in known), frozenset(ending for each in known for ending in lost(each)))


def lost(restore: Restore) -> frozenset[Ending]:
    """What had been noted of the chains and is lost by a restore."""
    return frozenset((chain, length, last_hash) for chain, length, last_hash in restore.lost)


def signature(settings: Settings, restore: Restore) -> str:
    """The identity service's, on a restore that was just confirmed.

    Raises:
        BadSettings: this host has no key that signs approvals.
    """
    assert restore.confirmed_by is not None and restore.confirmed_at is not None  # noqa: S101, PT018
    signing = SignedApprovals(settings, AUDIENCE)
    return signing.sign(restore.confirmed_by, restore.confirmed_at, COUNTS, _claims(restore))


def _is_signed(signatures: SignedApprovals, restore: Restore, now: datetime) -> bool:
    return signatures.holds(
        restore.signature, restore.confirmed_by, restore.confirmed_at, COUNTS, _claims(restore), now
    )


def _claims(restore: Restore) -> Mapping[str, str]:
    told: dict[str, Any] = {
        "database": restore.database,
        "lost": sorted(restore.lost),
        "kept": restore.kept,
        "promotions": restore.promotions,
        "rollbacks": restore.rollbacks,
        "reason": restore.reason,
        "reported_by": str(restore.reported_by),
        "reported_at": restore.reported_at.isoformat(),
        "confirm_reason": restore.confirm_reason,
    }
    return {"restore_id": str(restore.id), "digest": digest(told)}
