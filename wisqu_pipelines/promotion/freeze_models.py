"""What closes a path in the control database: freezes, who let a promotion through one, and holds."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase


class FreezeWindow(ControlBase):
    """A time, once or recurring, in which no promotion along a path begins or is published."""

    __tablename__ = "freeze_windows"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    path: Mapped[str] = mapped_column(String(100))
    """As in the settings: `stage->prod`."""
    cron: Mapped[str | None] = mapped_column(String(200))
    """When a recurring freeze begins, by the clocks of its time zone."""
    duration_minutes: Mapped[int | None] = mapped_column(Integer)
    starts_at: Mapped[datetime | None]
    """When a one-off freeze begins."""
    ends_at: Mapped[datetime | None]
    time_zone: Mapped[str] = mapped_column(String(64))
    """IANA name; of a one-off freeze, only how it is shown."""
    reason: Mapped[str] = mapped_column(Text)
    created_by_user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When a person took it away; it was in force until then."""
    ended_by_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("central_users.id"))
    end_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(cron, duration_minutes) = 2 AND num_nulls(starts_at, ends_at) = 2 "
            "OR num_nulls(cron, duration_minutes) = 2 AND num_nonnulls(starts_at, ends_at) = 2",
            name="once_or_recurring",
        ),
        CheckConstraint("starts_at < ends_at", name="begins_before_it_ends"),
        CheckConstraint("duration_minutes > 0", name="lasts"),
        CheckConstraint("num_nulls(ended_at, ended_by_user_id, end_reason) IN (0, 3)", name="end_is_whole"),
        Index(None, "path"),
    )


class FreezeOverride(ControlBase):
    """Two people's word that one promotion may go in spite of one occurrence of a freeze."""

    __tablename__ = "freeze_overrides"

    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id", ondelete="CASCADE"), primary_key=True)
    freeze_id: Mapped[UUID] = mapped_column(ForeignKey("freeze_windows.id"), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(primary_key=True)
    """When the occurrence ends that it is for; the next one takes two people again."""
    asked_by_user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"))
    asked_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    confirmed_by_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("central_users.id"))
    confirmed_at: Mapped[datetime | None]
    confirm_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("confirmed_by_user_id <> asked_by_user_id", name="takes_two"),
        CheckConstraint(
            "num_nulls(confirmed_by_user_id, confirmed_at, confirm_reason) IN (0, 3)", name="confirmation_is_whole"
        ),
    )


class PathHold(ControlBase):
    """A path on which nothing goes, because a promotion along it did not pass its verification."""

    __tablename__ = "path_holds"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    path: Mapped[str] = mapped_column(String(100))
    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id"))
    reason: Mapped[str] = mapped_column(Text)
    placed_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    released_by_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("central_users.id"))
    release_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint(
            "num_nulls(released_at, released_by_user_id, release_reason) IN (0, 3)", name="release_is_whole"
        ),
        Index(None, "path", "promotion_id", unique=True, postgresql_where=text("released_at IS NULL")),
    )
