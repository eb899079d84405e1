"""Legal holds, in each environment's database."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import EnvironmentBase


class LegalHold(EnvironmentBase):
    """Something that may be neither hidden nor purged until it is released: an item, a user's rows, or a query's."""

    __tablename__ = "legal_holds"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    item_type: Mapped[str | None] = mapped_column(String(100))
    """Of an item, or of a query; None: of all types."""
    item_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    words: Mapped[str | None] = mapped_column(String(200))
    """Of a query: what the item's name must hold, in any case."""
    created_from: Mapped[datetime | None]
    created_until: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[UUID]
    placed_at: Mapped[datetime]
    until: Mapped[datetime | None]
    """When it ends by itself; None: when somebody releases it."""
    released_by: Mapped[UUID | None]
    released_at: Mapped[datetime | None]
    release_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("num_nonnulls(item_id, user_id, words, created_from, created_until) > 0", name="of_something"),
        CheckConstraint("item_id IS NULL OR item_type IS NOT NULL", name="item"),
        Index(None, "released_at"),
    )
