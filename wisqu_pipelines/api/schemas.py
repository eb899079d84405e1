"""Pieces of requests and answers that several routes share."""

import base64
import binascii
import json
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wisqu_pipelines.errors import BadInput

SECRET_ANSWER = "x-wisqu-secret-answer"  # noqa: S105 - the name of a mark in OpenAPI
"""Marks a route whose answer holds a secret: it is not kept for a second request with the same idempotency key."""
MOST_ITEMS = 200
"""Of one page."""


def _keepable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise ValueError("it has a NUL, or is no valid Unicode")
    return text


Keepable = AfterValidator(_keepable)
ShortText = Annotated[str, Field(min_length=1, max_length=100), Keepable]
LongText = Annotated[str, Field(max_length=255), Keepable]
Email = Annotated[str, Field(max_length=320, examples=["amal@example.org"]), Keepable]
EnvironmentName = Annotated[str, Field(max_length=255, examples=["stage"]), Keepable]
ItemType = Annotated[str, Field(max_length=255, examples=["rag_documents"]), Keepable]
UserName = Annotated[str, Field(min_length=1, max_length=255, examples=["user@example.com"]), Keepable]
"""An account's id in the environment, or its address."""
Password = Annotated[str, Field(max_length=1_024, examples=["correct horse battery staple"]), Keepable]
Chain = Annotated[str, Field(max_length=255, examples=["developer_actions"], description="An audit table."), Keepable]
Role = Annotated[str, Field(min_length=1, max_length=100, examples=["developer"]), Keepable]
Id = Annotated[UUID, Field(examples=["7d0f6a3e-5b2c-4f8e-9a43-0c9a4f2b1d77"])]
ItemIds = Annotated[
    list[UUID], Field(min_length=1, max_length=10_000, examples=[["7d0f6a3e-5b2c-4f8e-9a43-0c9a4f2b1d77"]])
]
ReasonText = Annotated[str, Field(max_length=500, examples=["Looking into the login issue 4711"]), Keepable]
Limit = Annotated[int, Field(ge=1, le=MOST_ITEMS, description="At most so many.", examples=[50])]
Cursor = Annotated[
    str | None, Field(max_length=500, description="`next` of the page before.", examples=["WyIyMDI2LTAzLTAxIl0"])
]
Item = TypeVar("Item")


class Reason(BaseModel):
    """What for; kept in the audit."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText


class OptionalReason(BaseModel):
    """What for, if there is more to say than what is done; kept in the audit."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText | None = None


class Page(BaseModel, Generic[Item]):
    """Some of a list, and how to ask for the rest."""

    items: list[Item]
    next: str | None = None
    """The cursor of the next page; None: this is the last."""


class Made(BaseModel):
    """The id of what was made."""

    id: UUID


class Done(BaseModel):
    """It is done."""

    done: bool = True


def cursor_of(*position: str | int) -> str:
    """Where the next page begins, as a text that nobody has to read."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def position_of(cursor: str | None, length: int) -> list[str] | None:
    """What a cursor was made from; None for the first page.

    Raises:
        BadInput: it is none of ours.
    """
    if cursor is None:
        return None
    try:
        read = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        read = None
    if not isinstance(read, list) or len(read) != length:
        raise BadInput(what="the cursor", reason="it is not one that this API gave out")
    return [str(each) for each in read]


def id_of(text: str) -> UUID:
    """An id out of a cursor.

    Raises:
        BadInput: it is none.
    """
    try:
        return UUID(text)
    except ValueError:
        raise BadInput(what="the cursor", reason="it is not one that this API gave out") from None
