"""Whether a row is held, as a condition that a statement can carry."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from wisqu_pipelines.catalog.models import (
    Conversation,
    EnvironmentRow,
    Message,
    RagDocument,
    StoredFile,
    User,
    UserStorageQuota,
)
from wisqu_pipelines.holds.models import LegalHold


def _of(
    column: InstrumentedAttribute[Any], condition: ColumnElement[bool], part: type[EnvironmentRow]
) -> ColumnElement[Any]:
    """A column of what a row is a part of, however deep in a statement it is asked for."""
    return select(column).where(condition).correlate(part).scalar_subquery()


_OWNERS: Mapping[type[EnvironmentRow], ColumnElement[Any]] = {
    User: User.id.expression,
    StoredFile: StoredFile.owner_id.expression,
    RagDocument: _of(StoredFile.owner_id, StoredFile.id == RagDocument.file_id, RagDocument),
    Conversation: Conversation.user_id.expression,
    Message: _of(Conversation.user_id, Conversation.id == Message.conversation_id, Message),
    UserStorageQuota: UserStorageQuota.user_id.expression,
}
"""Whose row it is."""
_LABELS: Mapping[type[EnvironmentRow], ColumnElement[str]] = {
    User: User.email.expression,
    StoredFile: StoredFile.filename.expression,
    RagDocument: RagDocument.title.expression,
    Conversation: func.coalesce(Conversation.title, ""),
    Message: Message.content.expression,
}
"""What a hold's words are looked for in."""
_PARENTS: Mapping[type[EnvironmentRow], tuple[type[EnvironmentRow], InstrumentedAttribute[Any]]] = {
    RagDocument: (StoredFile, RagDocument.file_id),
    Message: (Conversation, Message.conversation_id),
}
"""What a row is a part of: a hold on that is one on its parts."""


def in_force(now: datetime) -> ColumnElement[bool]:
    """Whether a hold counts at a time."""
    return LegalHold.released_at.is_(None) & or_(LegalHold.until.is_(None), LegalHold.until > now)


def held(model: type[EnvironmentRow], now: datetime) -> ColumnElement[bool]:
    """Whether a row of the model's table is held at a time."""
    name = str(model.__tablename__)
    of: ColumnElement[bool] = or_(LegalHold.item_type.is_(None), LegalHold.item_type == name) & or_(
        LegalHold.item_id.is_(None), LegalHold.item_id == model.id
    )
    if model in _PARENTS:
        parent, column = _PARENTS[model]
        of = or_(of, (LegalHold.item_type == str(parent.__tablename__)) & (LegalHold.item_id == column))
    words = func.strpos(func.lower(_LABELS[model]), func.lower(LegalHold.words)) > 0 if model in _LABELS else None
    return exists().where(
        in_force(now),
        of,
        or_(LegalHold.user_id.is_(None), LegalHold.user_id == _OWNERS[model]),
        or_(LegalHold.words.is_(None), *(() if words is None else (words,))),
        or_(LegalHold.created_from.is_(None), LegalHold.created_from <= model.created_at),
        or_(LegalHold.created_until.is_(None), LegalHold.created_until > model.created_at),
    )
