"""What CI says of its tests."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from wisqu_pipelines.api.access import PUBLIC, Opened, route
from wisqu_pipelines.api.schemas import Keepable
from wisqu_pipelines.automation.service import Delivery

router = APIRouter(prefix="/v1", tags=["ci"])
SCHEME = "sha256="


class CiResultRequest(BaseModel):
    """One suite's outcome at one commit."""

    model_config = ConfigDict(extra="forbid")

    delivery_id: Annotated[UUID, Field(examples=["7b0c2f9e-6d0b-4a53-9f1c-2f2f5f0f9d11"])]
    """Made by CI for this result; the same one counts once."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$", examples=["9afba49"])]
    suite: Annotated[str, Field(min_length=1, max_length=100, examples=["integration"]), Keepable]
    outcome: Annotated[Literal["passed", "failed"], Field(examples=["passed"])]
    url: Annotated[str, Field(max_length=500, pattern=r"^https?://", examples=["https://ci.example.org/42"])] | None = (
        None
    )
    """Where its report is."""


class CiResultTaken(BaseModel):
    """What became of it."""

    delivery_id: UUID
    is_new: bool
    """False: it came before, and nothing follows from it again."""


async def _body(request: Request) -> bytes:
    return await request.body()


@route(router, "POST", "/ci-results", PUBLIC, 401)
def post_ci_result(
    result: CiResultRequest,
    services: Opened,
    body: Annotated[bytes, Depends(_body)],
    timestamp: Annotated[int, Header(alias="x-wisqu-timestamp", ge=0, le=4_102_444_800, examples=[1_780_000_000])],
    signature: Annotated[
        str, Header(alias="x-wisqu-signature", pattern=r"^sha256=[0-9a-f]{64}$", examples=[SCHEME + "0" * 64])
    ],
) -> CiResultTaken:
    """Take a result from CI.

    It is signed: `sha256=` and the hexadecimal HMAC-SHA-256, under the key that is agreed on, of the timestamp (whole
    seconds since 1970), a dot and the body. It counts within five minutes of the timestamp, and once.
    """
    delivery = Delivery(result.delivery_id, result.commit, result.suite, result.outcome, result.url)
    signed_at = datetime.fromtimestamp(timestamp, UTC)
    is_new = services.automation.receive(delivery, signed_at, signature.removeprefix(SCHEME), body)
    return CiResultTaken(delivery_id=delivery.id, is_new=is_new)
