"""Whether a row is held, as a condition that a statement can carry."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
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
    held_one = [model.id.in_(_held_alone(str(model.__tablename__), now))]  # there may be many: looked up, not compared
    if model in _PARENTS:
        parent, column = _PARENTS[model]
        held_one.append(column.in_(_held_alone(str(parent.__tablename__), now)))
    return or_(*held_one, exists().where(in_force(now), ~_IS_ALONE, _matches(model)))


def held_by(model: type[EnvironmentRow], hold_id: UUID) -> ColumnElement[bool]:
    """Whether a row of the model's table is what one hold is of, in force or not."""
    return exists().where(LegalHold.id == hold_id, _matches(model))


def _matches(model: type[EnvironmentRow]) -> ColumnElement[bool]:
    """Whether a row is what a hold is of."""
    name = str(model.__tablename__)
    of_item: ColumnElement[bool] = (LegalHold.item_type == name) & (LegalHold.item_id == model.id)
    if model in _PARENTS:
        parent, column = _PARENTS[model]
        of_item |= (LegalHold.item_type == str(parent.__tablename__)) & (LegalHold.item_id == column)
    of_type = LegalHold.item_id.is_(None) & or_(LegalHold.item_type.is_(None), LegalHold.item_type == name)
    words = [func.strpos(func.lower(_LABELS[model]), func.lower(LegalHold.words)) > 0] if model in _LABELS else []
    return and_(
        or_(of_item, of_type),
        or_(LegalHold.user_id.is_(None), LegalHold.user_id == _OWNERS[model]),
        or_(LegalHold.words.is_(None), *words),
        or_(LegalHold.created_from.is_(None), LegalHold.created_from <= model.created_at),
        or_(LegalHold.created_until.is_(None), LegalHold.created_until > model.created_at),
    )


_IS_ALONE = LegalHold.item_id.is_not(None) & and_(
    *(each.is_(None) for each in (LegalHold.user_id, LegalHold.words, LegalHold.created_from, LegalHold.created_until))
)
"""Whether a hold names one item, and nothing else about it."""


def _held_alone(item_type: str, now: datetime) -> Select[Any]:
    """The ids of a type that are held one by one."""
    return select(LegalHold.item_id).where(in_force(now), _IS_ALONE, LegalHold.item_type == item_type)
