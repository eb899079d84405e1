"""Sweeps by an environment's retention policy, and legal holds."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import StreamingResponse

from wisqu_pipelines.api.access import ADMINS, DEVELOPERS, STAFF, Opened, Who, in_environment, route
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import (
    Done,
    EnvironmentName,
    Id,
    ItemIds,
    ItemType,
    Keepable,
    Limit,
    OptionalReason,
    Reason,
    ReasonText,
    UserName,
)
from wisqu_pipelines.holds.service import LONGEST_WORDS, Held, Hold
from wisqu_pipelines.retention.report import CleanupReport, RestoreReport, SweepReport, SweptItem
from wisqu_pipelines.settings import RetentionSettings

router = APIRouter(prefix="/v1", tags=["retention"], route_class=IdempotentRoute)
_SWEEPS = "/environments/{environment}/sweeps"
_HOLDS = "/environments/{environment}/holds"
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC), examples=["2026-03-01T12:00:00Z"]),
]


class SweepRequest(BaseModel):
    """What is to be swept."""

    model_config = ConfigDict(extra="forbid")

    types: Annotated[list[ItemType], Field(min_length=1, max_length=20, examples=[["rag_documents"]])] | None = None
    """None: all."""
    test_data_only: bool = False
    force: bool = False
    """Go past the cap; it takes a reason."""
    reason: ReasonText | None = None


class RestoreRequest(BaseModel):
    """What is to be given back, and why."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText
    item_ids: ItemIds | None = None
    """None: all that is hidden."""


class HoldRequest(BaseModel):
    """What is to be held, and why; all that is given counts together."""

    model_config = ConfigDict(extra="forbid")

    item_type: ItemType | None = None
    item_id: Id | None = None
    user: UserName | None = None
    """Everything of that account."""
    words: Annotated[str, Field(max_length=LONGEST_WORDS, examples=["inheritance"]), Keepable] | None = None
    created_from: Moment | None = None
    created_until: Moment | None = None
    until: Moment | None = None
    """When it ends by itself."""
    reason: ReasonText


class HoldMade(BaseModel):
    """The hold's id, and how many rows it holds now."""

    id: UUID
    rows: int


@route(router, "GET", "/environments/{environment}/retention", in_environment(*STAFF))
def policy(environment: EnvironmentName, services: Opened) -> RetentionSettings:
    """How long an environment keeps what nobody promoted."""
    return services.retention(environment).policy


@route(router, "GET", f"{_SWEEPS}/preview", in_environment(*STAFF), 409)
def foretell(
    environment: EnvironmentName,
    services: Opened,
    types: Annotated[list[ItemType] | None, Query(max_length=20, examples=[["rag_documents"]])] = None,
    test_data_only: Annotated[bool, Query()] = False,
    force: Annotated[bool, Query()] = False,
) -> CleanupReport:
    """What a run would do now: the sweep that it would begin, and the earlier ones that it would go on with. Nothing is
    changed.
    """
    return services.retention(environment).rehearse(types, test_data_only=test_data_only, force=force)


@route(router, "GET", _SWEEPS, in_environment(*STAFF))
def sweeps(environment: EnvironmentName, services: Opened, limit: Annotated[Limit, Query()] = 50) -> list[SweepReport]:
    """An environment's sweeps, newest first."""
    return list(services.retention(environment).list(limit))


@route(router, "POST", _SWEEPS, in_environment(*DEVELOPERS))
def sweep(environment: EnvironmentName, body: SweepRequest, services: Opened, who: Who) -> CleanupReport:
    """Go on with earlier sweeps, purge what was hidden long enough, and hide what is due; or ask for approval, where
    nothing is swept by itself.
    """
    return services.retention(environment).run(
        body.types, test_data_only=body.test_data_only, person=who.user_id, reason=body.reason, force=body.force
    )


@route(router, "GET", _SWEEPS + "/{sweep_id}", in_environment(*STAFF))
def one_sweep(environment: EnvironmentName, sweep_id: Id, services: Opened) -> SweepReport:
    """How a sweep stands."""
    return services.retention(environment).status(sweep_id)


@route(router, "GET", _SWEEPS + "/{sweep_id}/items", in_environment(*STAFF), response_class=StreamingResponse)
def sweep_items(environment: EnvironmentName, sweep_id: Id, services: Opened) -> StreamingResponse:
    """Everything that a sweep has marked and what became of it, a line of JSON each."""
    retention = services.retention(environment)
    retention.status(sweep_id)  # one that is not there is a problem, not a broken stream
    adapter = TypeAdapter(SweptItem)
    lines = (adapter.dump_json(each) + b"\n" for each in retention.items(sweep_id))
    return StreamingResponse(lines, media_type="application/x-ndjson")


@route(router, "POST", _SWEEPS + "/{sweep_id}/approve", in_environment(*ADMINS))
def approve_sweep(
    environment: EnvironmentName, sweep_id: Id, body: OptionalReason, services: Opened, who: Who
) -> SweepReport:
    """Let a sweep happen that waits; the next run hides what it lists. The approval is signed."""
    return services.retention(environment).approve(sweep_id, who.user_id, body.reason)


@route(router, "POST", _SWEEPS + "/{sweep_id}/reject", in_environment(*ADMINS))
def reject_sweep(environment: EnvironmentName, sweep_id: Id, body: Reason, services: Opened, who: Who) -> SweepReport:
    """Say no to a sweep that waits."""
    return services.retention(environment).reject(sweep_id, who.user_id, body.reason)


@route(router, "POST", _SWEEPS + "/{sweep_id}/restore", in_environment(*DEVELOPERS))
def restore_sweep(
    environment: EnvironmentName, sweep_id: Id, body: RestoreRequest, services: Opened, who: Who
) -> RestoreReport:
    """Give back what a sweep has hidden and not purged."""
    return services.retention(environment).restore(sweep_id, who.user_id, body.reason, body.item_ids)


@route(router, "GET", _HOLDS, in_environment(*DEVELOPERS))
def holds(environment: EnvironmentName, services: Opened, everything: Annotated[bool, Query()] = False) -> list[Hold]:
    """The holds that count now, or all there ever were, newest first."""
    return list(services.holds(environment).list(everything=everything))


@route(router, "POST", _HOLDS, in_environment(*ADMINS), status_code=201)
def place_hold(environment: EnvironmentName, body: HoldRequest, services: Opened, who: Who) -> HoldMade:
    """Hold an item, a user's rows, or what a query finds."""
    of = Held(body.item_type, body.item_id, None, body.words, body.created_from, body.created_until)
    made, rows = services.holds(environment).place(who.user_id, of, body.reason, body.until, user=body.user)
    return HoldMade(id=made, rows=rows)


@route(router, "POST", _HOLDS + "/{hold_id}/release", in_environment(*ADMINS))
def release_hold(environment: EnvironmentName, hold_id: Id, body: Reason, services: Opened, who: Who) -> Done:
    """End a hold."""
    services.holds(environment).release(hold_id, who.user_id, body.reason)
    return Done()
