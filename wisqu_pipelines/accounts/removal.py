"""Taking an account and everything of it out of every store of an environment.

First the account is closed and its rows are hidden, in one transaction; then its points and objects go, and at last its
rows. A removal that is interrupted leaves a closed account whose rows nobody sees, and doing it again finishes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog import contents
from wisqu_pipelines.catalog.contents import File, Vectors
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import (
    Conversation,
    EnvironmentRow,
    Message,
    RagDocument,
    StoredFile,
    User,
    UserStorageQuota,
)
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import ItemRefused
from wisqu_pipelines.holds.conditions import held

SESSIONS = "test-session/"
"""What the keys of test accounts' sessions begin with; the account's id follows, and the hash of the token."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What went with an account."""

    account_id: UUID
    email: str
    rows: int
    """With the account's own."""
    files: int
    points: int


def close(session: Session, account: User, environment: Environment, now: datetime) -> None:
    """Close an account and hide what belongs to it: nobody logs in with it or finds anything of it any more.

    Raises:
        ItemRefused: a running promotion holds something of it.
    """
    for model, own in _owned(account.id):
        held = session.scalar(select(model.id).where(own, model.promotion_status == PromotionStatus.PROMOTING).limit(1))
        if held is not None:
            raise ItemRefused(
                type=str(model.__tablename__),
                item_id=str(held),
                environment=environment.name,
                act="deleted with its account",
                reason="a running promotion holds it; try again when that has ended",
            )
    if session.scalar(select(User.id).where(User.id == account.id, is_held(now))) is not None:
        raise ItemRefused(
            type=str(User.__tablename__),
            item_id=str(account.id),
            environment=environment.name,
            act="deleted",
            reason="a legal hold is on it, or on something of it",
        )
    for model, own in _owned(account.id):
        session.execute(
            update(model)
            .where(own, ~model.is_deleted)
            .values(is_deleted=True, deleted_at=now)
            .execution_options(synchronize_session=False)
        )
    account.is_deleted, account.deleted_at = True, account.deleted_at or now
    account.password_hash, account.test_place = None, None


def remove(environment: Environment, account_id: UUID, audited: Callable[[Session, User, Removed], None]) -> Removed:
    """Remove a closed account and everything of it.

    Args:
        environment: Where.
        account_id: Which account; it was closed before.
        audited: Writes the removal down, in the transaction in which the rows go.
    """
    environment.sessions.delete_prefix(f"{SESSIONS}{account_id}/")
    with environment.database.begin() as session:
        documents = session.scalars(select(RagDocument).where(_OWNED[RagDocument](account_id))).all()
        files = session.scalars(select(StoredFile).where(_OWNED[StoredFile](account_id))).all()
    points, objects = contents.remove(
        environment,
        [Vectors(each.collection, each.vector_version, each.point_count) for each in documents],
        [File(each.bucket, each.object_name) for each in files],
    )
    with environment.database.begin() as session:
        account = session.get_one(User, account_id, with_for_update=True)
        rows = 1
        for model, own in _owned(account_id):
            gone = session.scalars(
                delete(model).where(own).returning(model.id).execution_options(synchronize_session=False)
            )
            rows += len(gone.all())
        removed = Removed(account_id, account.email, rows, objects, points)
        session.delete(account)
        session.flush()
        audited(session, account, removed)
        return removed


def is_held(now: datetime) -> ColumnElement[bool]:
    """Whether a legal hold is on an account, or on anything of it."""
    return or_(held(User, now), *(exists().where(own(User.id), held(model, now)) for model, own in _OWNED.items()))


_OWNED: dict[type[EnvironmentRow], Callable[[Any], ColumnElement[bool]]] = {
    Message: lambda owner: Message.conversation_id.in_(select(Conversation.id).where(Conversation.user_id == owner)),
    Conversation: lambda owner: Conversation.user_id == owner,
    RagDocument: lambda owner: RagDocument.file_id.in_(select(StoredFile.id).where(StoredFile.owner_id == owner)),
    StoredFile: lambda owner: StoredFile.owner_id == owner,
    UserStorageQuota: lambda owner: UserStorageQuota.user_id == owner,
}
"""Which rows of a type belong to an account, in an order in which they can be deleted."""


def _owned(owner: UUID) -> Sequence[tuple[type[EnvironmentRow], ColumnElement[bool]]]:
    return [(model, condition(owner)) for model, condition in _OWNED.items()]
