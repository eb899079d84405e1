"""Notifications, in the control database."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase


class Notification(ControlBase):
    """Something that people are told."""

    __tablename__ = "notifications"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    event: Mapped[str] = mapped_column(String(50))
    cause: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what it is about: of the same cause there is one message in `quiet_minutes`."""
    address: Mapped[str | None] = mapped_column(Text)
    """The one person whom it is for, or None."""
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    repeats: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    """How often the same happened again while nobody was told."""
    created_at: Mapped[datetime]
    delivered_to: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    """Names of the targets that have taken it."""
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    next_attempt_at: Mapped[datetime | None]
    """None: it is delivered, or given up."""
    error: Mapped[str | None] = mapped_column(Text)
    """Which targets did not take it the last time."""

    __table_args__ = (
        Index(None, "cause", "created_at"),
        Index(
            "ix_notifications_next_attempt_at", "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")
        ),
    )
