"""People, known once for all environments; their logins, and what they were let in for a time."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, false, func, text, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

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
    visits: Mapped[list["AccessGrant"]] = relationship(
        lazy="selectin",
        primaryjoin="and_(CentralUser.id == foreign(AccessGrant.user_id), AccessGrant.state == 'granted')",
        viewonly=True,
    )
    """What the person was granted for a time and nobody has ended; loaded with them, so that asking costs no query."""

    def role_in(self, environment: str, at: datetime) -> str | None:
        """The person's role in an environment at a time, or None if they may not enter it.

        A lasting role comes first; one for a time counts where there is none.
        """
        if not self.is_active:
            return None
        lasting: str | None = getattr(self, f"{environment}_role", None)
        if environment in self.environment_access and lasting is not None:
            return lasting
        visits = (each for each in self.visits if each.environment == environment and each.is_open(at))
        return next((each.role for each in visits), None)

    def set_role(self, environment: str, role: str | None) -> None:
        """Give the person a lasting role in an environment, or take it away."""
        setattr(self, f"{environment}_role", role)
        rest = [each for each in self.environment_access if each != environment]
        self.environment_access = rest if role is None else [*rest, environment]


class GrantState(StrEnum):
    """Where access for a time stands."""

    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    ENDED = "ended"
    """Before its time was over; what ends by itself stays `granted` and has expired."""


class AccessGrant(ControlBase):
    """A person's request to enter an environment for a time, and what became of it."""

    __tablename__ = "access_grants"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"))
    environment: Mapped[str] = mapped_column(String(50))
    role: Mapped[str] = mapped_column(String(50))
    hours: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), default=GrantState.REQUESTED)
    requested_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("central_users.id"))
    expires_at: Mapped[datetime | None]
    """`hours` after it was granted."""
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("central_users.id"))

    __table_args__ = (
        CheckConstraint("state IN ('requested', 'granted', 'refused', 'ended')", name="state"),
        CheckConstraint("decided_by IS NULL OR decided_by <> user_id", name="not_own"),
        CheckConstraint("state <> 'granted' OR (decided_by IS NOT NULL AND expires_at IS NOT NULL)", name="granted"),
        Index(None, "user_id", "environment"),
    )

    def is_open(self, at: datetime) -> bool:
        """Whether it lets the person in at that time."""
        return self.state == GrantState.GRANTED and self.expires_at is not None and at < self.expires_at

    @property
    def lasts(self) -> timedelta:
        """How long it was asked for."""
        return timedelta(hours=self.hours)


class ExternalIdentity(ControlBase):
    """Who somebody is at another identity provider."""

    __tablename__ = "external_identities"

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"), index=True)


class LoginSession(ControlBase):
    """A login, from the password to the last refresh: the family of its refresh tokens."""

    __tablename__ = "login_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"), index=True)
    method: Mapped[str] = mapped_column(String(50))
    """`password`, `oidc` or `demo`."""
    started_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """When the last refresh token that was issued ends."""
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None] = mapped_column(String(100))
    ip_address: Mapped[str | None] = mapped_column(String(50))
    user_agent: Mapped[str | None] = mapped_column(String(500))


class RefreshToken(ControlBase):
    """A refresh token, as its hash: it is used once."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the token, hex; the token has 256 random bits."""
    session_id: Mapped[UUID] = mapped_column(ForeignKey("login_sessions.id"), index=True)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class TokenCutoff(ControlBase):
    """Environment tokens of a person that were issued before a time are void: a role was taken or changed since."""

    __tablename__ = "token_cutoffs"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"), primary_key=True)
    environment: Mapped[str] = mapped_column(String(50), primary_key=True)
    not_before: Mapped[datetime] = mapped_column(index=True)


class IdempotencyKey(ControlBase):
    """A POST that a client may send again without its being done again, and what was answered."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 (hex) over method, path and body: the same key for another request is refused."""
    status: Mapped[int | None] = mapped_column(Integer)
    """None: it is being done."""
    answer: Mapped[str | None] = mapped_column(Text)
    """None for an answer with a secret in it: that is given once."""
    created_at: Mapped[datetime] = mapped_column(index=True)


class Notice(ControlBase):
    """What admins are told: who entered an environment that takes a reason, and why."""

    __tablename__ = "notices"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    environment: Mapped[str] = mapped_column(String(50))
    about_user_id: Mapped[UUID] = mapped_column(ForeignKey("central_users.id"))
    kind: Mapped[str] = mapped_column(String(50))
    details: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]

    __table_args__ = (Index(None, "environment", "occurred_at"),)
