"""Closed paths: freezes, what lets one promotion through them, and what holds a path after a failed verification."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from wisqu_pipelines.api.access import DEVELOPERS, STAFF, Opened, Who, anywhere, route
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import Id, Keepable, Reason, ReasonText
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.promotion.freezes import Freeze, HeldPath, Override
from wisqu_pipelines.promotion.windows import OneOff, Recurring, When

router = APIRouter(prefix="/v1", tags=["freezes"], route_class=IdempotentRoute)
PathName = Annotated[str, Field(max_length=255, examples=["stage->prod"]), Keepable]
OnePath = Annotated[str | None, Query(max_length=255, description="Only this path's.", examples=["stage->prod"])]


class FreezeRequest(BaseModel):
    """Which path is frozen when: once, or again and again."""

    model_config = ConfigDict(extra="forbid")

    path: PathName
    reason: ReasonText
    starts_at: Annotated[datetime, Field(examples=["2026-12-20T18:00:00+01:00"])] | None = None
    """With an offset, and `ends_at` with it: once."""
    ends_at: Annotated[datetime, Field(examples=["2027-01-04T08:00:00+01:00"])] | None = None
    cron: Annotated[str, Field(max_length=100, examples=["0 18 * * FRI"]), Keepable] | None = None
    """When it begins each time, five fields by the clocks of `time_zone`, and `duration_minutes` with it."""
    duration_minutes: Annotated[int, Field(gt=0, le=1_000_000, examples=[3720])] | None = None
    time_zone: Annotated[str, Field(max_length=100, examples=["Europe/Berlin"]), Keepable] = "UTC"

    def when(self) -> When:
        """Its times.

        Raises:
            BadInput: they are neither those of one time nor those of many.
        """
        match (self.starts_at, self.ends_at, self.cron, self.duration_minutes):
            case (datetime() as start, datetime() as end, None, None):
                return OneOff(start, end, self.time_zone)
            case (None, None, str(cron), int(minutes)):
                return Recurring(cron, timedelta(minutes=minutes), self.time_zone)
            case _:
                raise BadInput(what="the freeze", reason="give starts_at and ends_at, or cron and duration_minutes")


class Release(BaseModel):
    """Which held path is opened, and why."""

    model_config = ConfigDict(extra="forbid")

    path: PathName
    reason: ReasonText


class Said(BaseModel):
    """How far the word of two people is."""

    said: Override


@route(router, "GET", "/freezes", anywhere(*STAFF), 404)
def freezes(services: Opened, path: OnePath = None, ended: bool = False) -> Sequence[Freeze]:
    """The freezes, the oldest first; those that are over only with `ended`."""
    return services.freezes.list(path, ended=ended)


@route(router, "POST", "/freezes", anywhere(*DEVELOPERS), 404, status_code=201)
def freeze(body: FreezeRequest, services: Opened, who: Who) -> Freeze:
    """Freeze a path: nothing is executed along it then. It takes a role that approves on the path."""
    return services.freezes.get(services.freezes.add(body.path, body.when(), who.user_id, body.reason))


@route(router, "GET", "/freezes/{freeze_id}", anywhere(*STAFF))
def one(freeze_id: Id, services: Opened) -> Freeze:
    """A freeze, also one that is over."""
    return services.freezes.get(freeze_id)


@route(router, "POST", "/freezes/{freeze_id}/end", anywhere(*DEVELOPERS))
def end(freeze_id: Id, body: Reason, services: Opened, who: Who) -> Freeze:
    """Take a freeze away."""
    services.freezes.end(freeze_id, who.user_id, body.reason)
    return services.freezes.get(freeze_id)


@route(router, "POST", "/promotions/{promotion_id}/override", anywhere(*DEVELOPERS))
def override(promotion_id: Id, body: Reason, services: Opened, who: Who) -> Said:
    """Let one promotion go in spite of the freezes in force: the first person asks, a second one confirms."""
    return Said(said=services.freezes.override(promotion_id, who.user_id, body.reason))


@route(router, "GET", "/held-paths", anywhere(*STAFF), 404)
def held(services: Opened, path: OnePath = None) -> Sequence[HeldPath]:
    """What holds paths since a promotion did not pass its verification, the oldest first."""
    return services.freezes.holds(path)


@route(router, "POST", "/held-paths/release", anywhere(*DEVELOPERS), 404)
def release(body: Release, services: Opened, who: Who) -> Sequence[UUID]:
    """Open a held path; the answer names the promotions that held it."""
    return services.freezes.release(body.path, who.user_id, body.reason)
