"""CI's results, in the control database."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase


class CiResult(ControlBase):
    """What CI said of one suite at one commit."""

    __tablename__ = "ci_results"

    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    """CI's own id of the delivery: the same one counts once."""
    commit: Mapped[str] = mapped_column(String(64))
    suite: Mapped[str] = mapped_column(String(100))
    outcome: Mapped[str] = mapped_column(String(20))
    url: Mapped[str | None] = mapped_column(Text)
    """Where the tests' own report is."""
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    promotions: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    """The ids of the promotions that were asked for because of it."""

    __table_args__ = (
        CheckConstraint("outcome IN ('passed', 'failed')", name="outcome"),
        Index(None, "commit", "suite"),
        Index("ix_ci_results_received_at", "received_at", postgresql_where=text("handled_at IS NULL")),
    )
