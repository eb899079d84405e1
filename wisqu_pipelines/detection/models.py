"""What detection remembers: in each environment how far it has read, and what waits for a person; in the control
database what people have taught it.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, LargeBinary, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase, EnvironmentBase


class ScannedMonth(EnvironmentBase):
    """How far scans have read the rows of one table that were created in one month."""

    __tablename__ = "test_data_scans"

    item_type: Mapped[str] = mapped_column(String(100), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    """Its first day."""
    detector_version: Mapped[str] = mapped_column(String(100))
    database_oid: Mapped[int] = mapped_column(BigInteger)
    """Which database the transactions below are of: a restored one counts anew."""
    horizon: Mapped[int] = mapped_column(BigInteger)
    """The oldest transaction under way when the read began: what it or a later one wrote is read next time."""
    since: Mapped[int | None] = mapped_column(BigInteger)
    """Only what this or a later transaction wrote is being read; None: everything."""
    last_created_at: Mapped[datetime | None]
    """Up to which row an unfinished read has come, by `created_at` and `id`."""
    last_id: Mapped[UUID | None]
    finished_at: Mapped[datetime | None]
    """None: the read has not come to its end."""


class TestDataReview(EnvironmentBase):
    """An item whose score lies between the thresholds, or that a person has vouched for: a person says what it is."""

    __tablename__ = "test_data_reviews"
    __test__ = False  # pytest takes it for one of its own

    item_type: Mapped[str] = mapped_column(String(100), primary_key=True)
    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    score: Mapped[float] = mapped_column(Float)
    reason: Mapped[str] = mapped_column(String(500))
    evidence: Mapped[list[Any]]
    """Each with `recogniser`, `group`, `field`, `weight`, `found` and `explanation`."""
    detector_version: Mapped[str] = mapped_column(String(100))
    found_at: Mapped[datetime]

    __table_args__ = (Index(None, "found_at"),)


class DetectorPattern(ControlBase):
    """A pattern of an organisation's own."""

    __tablename__ = "detector_patterns"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    pattern: Mapped[str] = mapped_column(Text)
    """In the syntax of RE2; searched in the normalised text."""
    reason: Mapped[str] = mapped_column(Text)
    created_by_user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"))
    created_at: Mapped[datetime]
    removed_by_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("central_users.id"))
    removed_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(removed_at IS NULL) = (removed_by_user_id IS NULL)", name="removal_is_whole"),
        Index(None, "pattern", unique=True, postgresql_where=text("removed_at IS NULL")),
    )


class DetectorException(ControlBase):
    """A text, or a pattern of texts, that is real in this organisation whatever it looks like."""

    __tablename__ = "detector_exceptions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    phrase: Mapped[str] = mapped_column(Text)
    is_pattern: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether `phrase` is a pattern in the syntax of RE2; otherwise it is compared with the whole normalised text."""
    reason: Mapped[str] = mapped_column(Text)
    created_by_user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"))
    created_at: Mapped[datetime]
    removed_by_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("central_users.id"))
    removed_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(removed_at IS NULL) = (removed_by_user_id IS NULL)", name="removal_is_whole"),
        Index(None, "phrase", "is_pattern", unique=True, postgresql_where=text("removed_at IS NULL")),
    )


class DetectorModel(ControlBase):
    """What was learnt from people's marks at one time, and whether it was good enough to replace what was there."""

    __tablename__ = "detector_models"

    version: Mapped[str] = mapped_column(String(100), primary_key=True)
    organisation: Mapped[str] = mapped_column(String(100), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    """As `TextModel` writes itself."""
    evaluation: Mapped[dict[str, Any]]
    """It and the one before it, side by side, on the marks that were held out."""
    trained_at: Mapped[datetime]
    is_used: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (Index(None, "organisation", unique=True, postgresql_where=text("is_used")),)


class DetectorProposal(ControlBase):
    """A pattern that people's marks suggest, until a person accepts or refuses it; a refused one is not made again."""

    __tablename__ = "detector_proposals"

    pattern: Mapped[str] = mapped_column(Text, primary_key=True)
    sentence: Mapped[str] = mapped_column(Text)
    examples: Mapped[list[Any]]
    proposed_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("central_users.id"))
    is_accepted: Mapped[bool | None]

    __table_args__ = (
        CheckConstraint("num_nulls(decided_at, decided_by_user_id, is_accepted) IN (0, 3)", name="decision_is_whole"),
    )
