"""People, known once for all environments."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import String, false, func, text, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase


class CentralUser(ControlBase):
    """A person: which environments they may enter, and as what."""

    __tablename__ = "central_users"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    """None: the person has no password and cannot log in with one."""
    full_name: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    environment_access: Mapped[list[str]] = mapped_column(ARRAY(String(50)), default=list, server_default=text("'{}'"))
    dev_role: Mapped[str | None] = mapped_column(String(50))
    stage_role: Mapped[str | None] = mapped_column(String(50))
    prod_role: Mapped[str | None] = mapped_column(String(50))
    can_create_test_accounts: Mapped[bool] = mapped_column(default=False, server_default=false())
    test_access_audit: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    def role_in(self, environment: str) -> str | None:
        """The person's role in an environment, or None if they may not enter it."""
        if not self.is_active or environment not in self.environment_access:
            return None
        role: str | None = getattr(self, f"{environment}_role", None)
        return role
