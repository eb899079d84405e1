"""What every row of an environment has: where it belongs, when it was written, whether it is deleted."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    FromClause,
    Index,
    String,
    and_,
    false,
    func,
    literal_column,
    text,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from wisqu_pipelines.database.session import ENVIRONMENT
from wisqu_pipelines.errors import ItemRefused


class PromotionStatus(StrEnum):
    """How far an item is on its way to the next environment."""

    DRAFT = "draft"
    """Nobody has approved it."""
    APPROVED = "approved"
    """A person said that it may go."""
    PROMOTING = "promoting"
    """A running promotion holds it: nobody edits, cleans up or promotes it meanwhile."""
    PROMOTED = "promoted"
    """It went."""
    DEPRECATED = "deprecated"
    """It is no longer wanted in the next environment."""


_APPROVED = f"promotion_status = '{PromotionStatus.APPROVED}'"


def may_be_promoted(row: FromClause) -> ColumnElement[bool]:
    """`can_be_promoted` in a statement. The status is no parameter: so the index of the approved rows serves it,
    whatever is prepared.

    Args:
        row: The rows' table, or an alias of it.
    """
    is_approved = row.c.promotion_status == literal_column(f"'{PromotionStatus.APPROVED}'", String)
    return and_(is_approved, row.c.is_promotable, ~row.c.is_test_data, ~row.c.is_deleted)


def _own_environment(context: DefaultExecutionContext) -> str:
    """The environment whose database the row is written to."""
    return str(context.execution_options[ENVIRONMENT])


class TimestampMixin:
    """When a row was created and last changed, by the database's clock."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class SoftDeleteMixin:
    """Deletion that can be taken back."""

    deleted_at: Mapped[datetime | None]
    is_deleted: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def is_active(self) -> bool:
        """Whether the row is not deleted."""
        return not self.is_deleted

    def soft_delete(self, at: datetime | None = None) -> None:
        """Hide the row; `restore` brings it back."""
        self.is_deleted = True
        self.deleted_at = at or datetime.now(UTC)

    def restore(self) -> None:
        """Bring a hidden row back."""
        self.is_deleted = False
        self.deleted_at = None


class EnvironmentPromotionMixin:
    """Which environment a row belongs to, whether it is test data, and its way through promotion."""

    __tablename__: Any
    id: Mapped[UUID]

    environment: Mapped[str] = mapped_column(String(50), default=_own_environment)
    is_test_data: Mapped[bool] = mapped_column(default=False, server_default=false())
    test_data_reason: Mapped[str | None] = mapped_column(String(500))
    test_data_by_person: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a person said whether it is test data; no scan changes it then."""
    is_promotable: Mapped[bool] = mapped_column(default=False, server_default=false())
    promotion_status: Mapped[str] = mapped_column(
        String(50), default=PromotionStatus.DRAFT, server_default=PromotionStatus.DRAFT.value
    )
    source_id: Mapped[UUID | None]
    """The row's id in `source_environment`, if it came by promotion."""
    source_environment: Mapped[str | None] = mapped_column(String(50))
    promoted_at: Mapped[datetime | None]
    promoted_by_user_id: Mapped[UUID | None]
    promoted_hashes: Mapped[dict[str, Any] | None]
    """What arrived with the last promotion (`row`, `file`, `vectors`: SHA-256, hex; `object_name`, `vector_version`),
    to tell a later edit here."""

    held_by_promotion_id: Mapped[UUID | None]
    """The running promotion that holds the row while its status is `promoting`."""

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805  (SQLAlchemy calls it on the class)
        states = ", ".join(f"'{state}'" for state in PromotionStatus)
        return (
            CheckConstraint(f"promotion_status IN ({states})", name="promotion_status"),
            Index(None, "source_environment", "source_id", unique=True, postgresql_where=text("source_id IS NOT NULL")),
            Index(f"ix_{cls.__tablename__}_approved", "id", postgresql_where=text(_APPROVED)),
            Index(None, "created_at", "id"),
            {"postgresql_with": {"fillfactor": 90}},  # a row that is hidden or restored stays on its page
        )

    @property
    def is_production(self) -> bool:
        """Whether the row belongs to the environment named prod."""
        return self.environment == "prod"

    @property
    def is_development(self) -> bool:
        """Whether the row belongs to the environment named dev."""
        return self.environment == "dev"

    @property
    def is_staging(self) -> bool:
        """Whether the row belongs to the environment named stage."""
        return self.environment == "stage"

    @property
    def can_be_promoted(self) -> bool:
        """Whether a preview would take the row: approved, promotable, no test data, not deleted."""
        return (
            self.is_promotable
            and not self.is_test_data
            and not getattr(self, "is_deleted", False)
            and self.promotion_status == PromotionStatus.APPROVED
        )

    @property
    def is_promoted_item(self) -> bool:
        """Whether the row came here by promotion."""
        return self.source_id is not None

    def approve_for_promotion(self) -> None:
        """Say that the row may go to the next environment.

        Raises:
            ItemRefused: the row is test data, is deleted, or is in a running promotion.
        """
        if self.is_test_data:
            self._refuse("approved for promotion", f"it is test data ({self.test_data_reason})")
        if getattr(self, "is_deleted", False):
            self._refuse("approved for promotion", "it is deleted")
        self._refuse_while_promoting("approved for promotion")
        self.is_promotable = True
        self.promotion_status = PromotionStatus.APPROVED

    def mark_as_test_data(self, reason: str) -> None:
        """Say, as a person, that the row exists only because someone tested; it can then not be promoted.

        Raises:
            ItemRefused: the row is in a running promotion.
        """
        self._refuse_while_promoting("marked as test data")
        self.is_test_data = self.test_data_by_person = True
        self.test_data_reason = reason
        self.is_promotable = False
        self.promotion_status = PromotionStatus.DRAFT

    def mark_as_real(self) -> None:
        """Say, as a person, that the row is no test data, whatever it looks like."""
        self.is_test_data = False
        self.test_data_reason = None
        self.test_data_by_person = True

    def _refuse_while_promoting(self, act: str) -> None:
        if self.promotion_status == PromotionStatus.PROMOTING:
            self._refuse(act, "a running promotion holds it")

    def _refuse(self, act: str, reason: str) -> None:
        raise ItemRefused(
            type=getattr(self, "__tablename__", type(self).__name__),
            item_id=str(self.id),
            environment=self.environment,
            act=act,
            reason=reason,
        )
