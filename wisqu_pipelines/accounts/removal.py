"""Taking an account and everything of it out of every store of an environment.

First the account is closed and its rows are hidden, in one transaction; then its points and objects go, and at last its
rows. A removal that is interrupted leaves a closed account whose rows nobody sees, and doing it again finishes it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.accounts import traces
from wisqu_pipelines.accounts.traces import Lying
from wisqu_pipelines.audit.canonical import hash_after
from wisqu_pipelines.catalog import contents
from wisqu_pipelines.catalog.cached import cached_item
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
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import ItemRefused
from wisqu_pipelines.holds.conditions import held
from wisqu_pipelines.ports.progress import Progress, no_progress

SESSIONS = "test-session/"
"""What the keys of test accounts' sessions begin with; the account's id follows, and the hash of the token."""
CLOSING = frozenset({"is_deleted", "deleted_at", "updated_at", "password_hash", "test_place"})
"""What closing changes of a row: its hash is over the others, so that it is the same before and after."""


@dataclass(frozen=True, slots=True)
class Belongings:
    """What goes: an account with what belongs to it, and rows besides."""

    owner: UUID
    also: Mapping[str, Collection[UUID]] = field(default_factory=dict)
    """Ids by type, whosever they are now."""
    with_owner: bool = True
    """Whether the account itself and what belongs to it go, or only `also`."""

    def conditions(self) -> Sequence[tuple[type[EnvironmentRow], ColumnElement[bool]]]:
        """Which rows of a type go, in an order in which they can be deleted; the account's own type is last."""
        found: list[tuple[type[EnvironmentRow], ColumnElement[bool]]] = []
        everything: dict[type[EnvironmentRow], Callable[[Any], ColumnElement[bool]]] = {**_OWNED, User: _is_account}
        for model, own in everything.items():
            wanted: list[ColumnElement[bool]] = [own(self.owner)] if self.with_owner else []
            wanted.append(among(model.id, list(self.also.get(str(model.__tablename__), ()))))
            found.append((model, or_(*wanted)))
        return found


@dataclass(frozen=True, slots=True)
class Gone:
    """One row that went: what proves which it was, and nothing that it said."""

    type: str
    id: UUID
    row_hash: str
    """SHA-256 (hex) of its canonical JSON, without what closing changes."""
    bucket: str | None = None
    object_name: str | None = None
    checksum: str | None = None
    collection: str | None = None
    vector_version: UUID | None = None
    point_count: int | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """What went with an account."""

    account_id: UUID
    email: str
    rows: int
    """With the account's own."""
    files: int
    points: int
    gone: Sequence[Gone] = ()
    traces: Mapping[str, int] = field(default_factory=dict)
    """What went or was made neutral besides, where every trace was asked for."""


def close(
    session: Session, account: User | None, environment: Environment, now: datetime, what: Belongings | None = None
) -> None:
    """Close an account and hide what belongs to it: nobody logs in with it or finds anything of it any more.

    Args:
        session: A transaction in the environment.
        account: The account; None where only its rows are there.
        environment: Where.
        now: What time it is.
        what: What is hidden, where it is not just what belongs to the account.

    Raises:
        ItemRefused: a running promotion holds something of it, or a legal hold is on something of it.
    """
    if what is None:
        assert account is not None  # noqa: S101 - the caller says either
        what = Belongings(account.id)
    for model, own in what.conditions():
        busy = session.scalar(select(model.id).where(own, model.promotion_status == PromotionStatus.PROMOTING).limit(1))
        if busy is not None:
            raise ItemRefused(
                type=str(model.__tablename__),
                item_id=str(busy),
                environment=environment.name,
                act="deleted with its account",
                reason="a running promotion holds it; try again when that has ended",
            )
    for model, own in what.conditions():
        kept = session.scalar(select(model.id).where(own, held(model, now)).limit(1))
        if kept is not None:
            raise ItemRefused(
                type=str(User.__tablename__),
                item_id=str(what.owner),
                environment=environment.name,
                act="deleted",
                reason="a legal hold is on it, or on something of it",
            )
    for model, own in what.conditions():
        session.execute(
            update(model)
            .where(own, ~model.is_deleted)
            .values(is_deleted=True, deleted_at=now)
            .execution_options(synchronize_session=False)
        )
    if account is not None and what.with_owner:
        account.is_deleted, account.deleted_at = True, account.deleted_at or now
        account.password_hash, account.test_place = None, None


def remove(
    environment: Environment,
    what: Belongings,
    audited: Callable[[Session, Removed], None],
    *,
    every_trace: bool = False,
    strays: Lying | None = None,
    progress: Progress = no_progress,
) -> Removed:
    """Remove a closed account and everything of it.

    Args:
        environment: Where.
        what: What goes; it was closed before.
        audited: Writes the removal down, in the transaction in which the rows go.
        every_trace: Also what else keeps the rows' words: before-images, marks, reviews, labels, and earlier and staged
            versions of files and vectors.
        strays: What lies in the stores of such rows without them.
        progress: Told how far it is.
    """
    if what.with_owner:
        environment.sessions.delete_prefix(f"{SESSIONS}{what.owner}/")
    emptied = Lying()
    points = objects = 0
    while True:
        with environment.database.begin() as session:
            lying = _lying(session, environment, what, every_trace=every_trace) | (strays or Lying())
        more = lying - emptied
        besides = traces.images_of(what.owner, what.conditions()) if every_trace else None
        of_points, of_objects = contents.remove(environment, more.vectors, more.files, besides, progress)
        points, objects, emptied = points + of_points, objects + of_objects, emptied | lying
        with environment.database.begin() as session:
            account = session.get(User, what.owner, with_for_update=True) if what.with_owner else None
            if (_lying(session, environment, what, every_trace=every_trace) - emptied).is_any:
                continue  # something new has been named since: that goes first
            told = traces.forget(session, what.owner, what.conditions()) if every_trace else {}
            gone: list[Gone] = []
            email = "" if account is None else account.email
            for model, own in what.conditions():
                columns = model.__table__.c
                rows = session.execute(
                    delete(model).where(own).returning(*columns).execution_options(synchronize_session=False)
                )
                gone += [_gone(model, {str(name): value for name, value in row.items()}) for row in rows.mappings()]
            if account is not None:
                session.expunge(account)
            environment.cache.delete(*(cached_item(each.type, each.id) for each in gone))
            progress("rows removed", len(gone), len(gone))
            removed = Removed(what.owner, email, len(gone), objects, points, gone, told)
            audited(session, removed)
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


def _lying(session: Session, environment: Environment, what: Belongings, *, every_trace: bool) -> Lying:
    """What lies in the stores for the rows that go."""
    own = dict(what.conditions())
    documents = session.scalars(select(RagDocument).where(own[RagDocument])).all()
    files = session.scalars(select(StoredFile).where(own[StoredFile])).all()
    named = Lying(
        frozenset(Vectors(each.collection, each.vector_version, each.point_count) for each in documents),
        frozenset(File(each.bucket, each.object_name) for each in files),
    )
    if not every_trace:
        return named
    return (
        named
        | traces.in_images(session, what.owner, what.conditions())
        | traces.every_version(
            environment,
            [(each.collection, each.id) for each in documents],
            [(each.bucket, each.id) for each in files],
        )
    )


def _is_account(owner: UUID) -> ColumnElement[bool]:
    return User.id == owner


def _gone(model: type[EnvironmentRow], row: Mapping[str, Any]) -> Gone:
    hashed = hash_after({name: value for name, value in row.items() if name not in CLOSING})
    return Gone(
        type=str(model.__tablename__),
        id=row["id"],
        row_hash=hashed or "",
        bucket=row.get("bucket"),
        object_name=row.get("object_name"),
        checksum=row.get("checksum_sha256"),
        collection=row.get("collection"),
        vector_version=row.get("vector_version"),
        point_count=row.get("point_count"),
    )
