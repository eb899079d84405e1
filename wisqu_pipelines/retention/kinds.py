"""What retention sweeps, in the order in which rows can go: nothing refers to what comes later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import InstrumentedAttribute

from wisqu_pipelines.catalog.models import Conversation, EnvironmentRow, Message, RagDocument, StoredFile
from wisqu_pipelines.errors import UnknownType


@dataclass(frozen=True)
class Kind:
    """How the rows of one table are swept."""

    model: type[EnvironmentRow]
    label: ColumnElement[str]
    """What people know a row by."""
    parts: Sequence[tuple[type[EnvironmentRow], InstrumentedAttribute[Any]]] = ()
    """The rows that refer to it: as long as one of them stays, so does it."""

    @property
    def name(self) -> str:
        """The type's name: its table."""
        return str(self.model.__tablename__)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        each.name: each
        for each in (
            Kind(Message, func.left(Message.content, 100)),
            Kind(Conversation, func.coalesce(Conversation.title, ""), ((Message, Message.conversation_id),)),
            Kind(RagDocument, RagDocument.title.expression),
            Kind(StoredFile, StoredFile.filename.expression, ((RagDocument, RagDocument.file_id),)),
        )
    }
)
"""People's accounts and quotas are no data that ages; test accounts end by themselves."""


def chosen(names: Sequence[str] | None) -> list[Kind]:
    """The kinds of those names, or all, in the order in which rows can go.

    Raises:
        UnknownType: there is no such type.
    """
    for name in names or ():
        if name not in KINDS:
            raise UnknownType(name=name, known=sorted(KINDS))
    return [kind for name, kind in KINDS.items() if not names or name in names]
