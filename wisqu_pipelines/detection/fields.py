"""Which columns detection reads, and what kind of text each holds."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wisqu_pipelines.catalog.models import (
    Conversation,
    EnvironmentRow,
    Message,
    RagDocument,
    StoredFile,
    User,
    UserStorageQuota,
)
from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.errors import UnknownType

FIELDS: Mapping[type[EnvironmentRow], Mapping[str, FieldKind]] = MappingProxyType(
    {
        User: {"email": FieldKind.EMAIL, "full_name": FieldKind.PERSON},
        StoredFile: {"filename": FieldKind.FILENAME, "object_name": FieldKind.FILENAME},
        RagDocument: {"title": FieldKind.TITLE},
        Conversation: {"title": FieldKind.TITLE},
        Message: {"content": FieldKind.PROSE},
        UserStorageQuota: {},  # has no words: its account speaks for it
    }
)
"""The text columns of each type; the first one is what people know an item by."""
_HEX = "[0-9a-f]"
_OWN_NAME = re.compile(rf"[a-z_]+/{_HEX}{{8}}(?:-?{_HEX}{{4}}){{3}}-?{_HEX}{{12}}/[0-9a-f-]{{36}}/{_HEX}{{64}}")
"""What this project calls objects: table, id, version and hash. Nobody typed any of it."""
MODELS: Mapping[str, type[EnvironmentRow]] = MappingProxyType({str(model.__tablename__): model for model in FIELDS})
"""By the names of their tables."""


def model_named(name: str) -> type[EnvironmentRow]:
    """The model of a table.

    Raises:
        UnknownType: detection reads no such table.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise UnknownType(name=name, known=sorted(MODELS)) from None


def text_fields(model: type[EnvironmentRow]) -> Mapping[str, FieldKind]:
    """The text columns of a model, with their kinds.

    Raises:
        UnknownType: detection reads no such model.
    """
    try:
        return FIELDS[model]
    except KeyError:
        name = str(getattr(model, "__tablename__", getattr(model, "__name__", model)))
        raise UnknownType(name=name, known=sorted(MODELS)) from None


def label_of(texts: Mapping[str, Any]) -> str:
    """What people know an item by: the first text that it has."""
    return next((str(text) for text in texts.values() if text), "")


def typed(text: str | None) -> str | None:
    """A text that somebody may have typed; None for one that this project made, which says nothing."""
    return None if text is not None and "/" in text and _OWN_NAME.fullmatch(text) else text
