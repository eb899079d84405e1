"""Promotions, from the preview to the rollback, and people's decisions on them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from wisqu_pipelines.api.access import DEVELOPERS, STAFF, Opened, Who, anywhere, route, services_of
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import (
    Cursor,
    EnvironmentName,
    Id,
    ItemIds,
    ItemType,
    Keepable,
    Limit,
    Made,
    OptionalReason,
    Page,
    Reason,
    ReasonText,
    cursor_of,
    id_of,
    position_of,
)
from wisqu_pipelines.errors import WisquError
from wisqu_pipelines.promotion.lineage import Ancestor
from wisqu_pipelines.promotion.models import LEGAL_MOVES, PromotionState
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.results import PromotionPreview, PromotionReport, RollbackPreview

router = APIRouter(prefix="/v1", tags=["promotions"], route_class=IdempotentRoute)
LOG = structlog.get_logger("wisqu.api")
RUNS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="resumed")
"""Promotions that are resumed through the API, so many at a time; one whose process dies is resumed by the next."""
OVER = {PromotionState.SUCCEEDED, PromotionState.FAILED, *(each for each, onward in LEGAL_MOVES.items() if not onward)}
"""The states in which a promotion's events end."""
SECONDS_BETWEEN_EVENTS = 1.0
VIA = "api"


class PreviewRequest(BaseModel):
    """What is to go where."""

    model_config = ConfigDict(extra="forbid")

    promotion_type: ItemType
    source_environment: Annotated[str, Field(max_length=255, examples=["dev"]), Keepable]
    target_environment: EnvironmentName
    item_ids: ItemIds | None = None
    """None: all that are approved."""
    reason: ReasonText | None = None


class RollbackRequest(BaseModel):
    """What is to be taken back, and why."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText
    item_ids: ItemIds | None = None
    """None: all of it."""


class RollbackPreviewRequest(BaseModel):
    """What would be taken back."""

    model_config = ConfigDict(extra="forbid")

    item_ids: ItemIds | None = None
    """None: all of it."""
    rehearse: bool = False
    """Whether its transaction is tried out in the target, and undone."""


class StateAnswer(BaseModel):
    """How the promotion stands now."""

    state: PromotionState


class Started(BaseModel):
    """The run that was started; the promotion tells how it goes."""

    run_id: str


@route(router, "GET", "/promotions", anywhere(*STAFF))
def promotions(
    services: Opened,
    state: Annotated[PromotionState | None, Query()] = None,
    after: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> Page[PromotionReport]:
    """The promotions, newest first."""
    position = position_of(after, 1)
    behind = None if position is None else id_of(position[0])
    found = list(services.promotions.list(state=state, limit=limit, after=behind))
    return Page(items=found, next=cursor_of(str(found[-1].promotion_id)) if len(found) == limit else None)


@route(router, "POST", "/promotions", anywhere(*STAFF), 404, status_code=201)
def preview(body: PreviewRequest, services: Opened, who: Who) -> Made:
    """Make a plan, and keep it for approval."""
    made = services.promotions.preview_promotion(
        body.promotion_type,
        body.source_environment,
        body.target_environment,
        body.item_ids,
        requested_by_user_id=who.user_id,
        requested_via=VIA,
        reason=body.reason,
    )
    return Made(id=made.promotion_id)


@route(router, "GET", "/promotions/{promotion_id}", anywhere(*STAFF))
def promotion(promotion_id: Id, services: Opened) -> PromotionReport:
    """How a promotion stands."""
    return services.promotions.status(promotion_id)


@route(router, "GET", "/promotions/{promotion_id}/preview", anywhere(*STAFF))
def frozen(promotion_id: Id, services: Opened) -> PromotionPreview:
    """A promotion's plan as it was frozen, with the first of its items."""
    return services.promotions.preview(promotion_id)


@route(router, "GET", "/promotions/{promotion_id}/differences", anywhere(*STAFF), 409)
def differences(promotion_id: Id, against: Id, services: Opened) -> list[str]:
    """How a plan differs from an earlier one along the same path, a sentence for each difference."""
    return list(services.promotions.compare(promotion_id, against))


@route(router, "GET", "/promotions/{promotion_id}/approvals", anywhere(*STAFF))
def standing(promotion_id: Id, services: Opened) -> list[UUID]:
    """The people whose approval of a promotion counts now, in the order in which they gave it."""
    return list(services.approvals.standing(promotion_id))


@route(router, "GET", "/lineage/{item_id}", anywhere(*STAFF))
def lineage(item_id: Id, services: Opened) -> list[Ancestor]:
    """Where a promoted item came from, hop by hop, back to its first source; nearest first."""
    return list(services.promotions.lineage(item_id))


@route(router, "GET", "/promotions/{promotion_id}/plan", anywhere(*STAFF), response_class=StreamingResponse)
def plan(promotion_id: Id, services: Opened) -> StreamingResponse:
    """Every item of a promotion's plan, a line of JSON each, in the order in which they are written."""
    found = services.promotions.plan(promotion_id)
    adapter = TypeAdapter(PlannedItem)

    def lines() -> Iterator[bytes]:
        for item in found:
            yield adapter.dump_json(item) + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _standing(promotion_id: Id, services: Opened) -> PromotionReport:
    """How the promotion stands before its events are told: one that is not there is a problem, not a broken stream."""
    return services.promotions.status(promotion_id)


@route(router, "GET", "/promotions/{promotion_id}/events", anywhere(*STAFF), response_class=EventSourceResponse)
async def events(
    promotion_id: Id, request: Request, first: Annotated[PromotionReport, Depends(_standing)]
) -> AsyncIterator[ServerSentEvent]:
    """How a promotion goes on, as server-sent events, until it is over."""
    services = services_of(request)
    report, last = first, None
    while True:
        if report != last:
            yield ServerSentEvent(data=_progress(report), event="progress")
        if report.state in OVER or await request.is_disconnected():
            return
        await asyncio.sleep(SECONDS_BETWEEN_EVENTS)
        last = report
        report = await run_in_threadpool(services.promotions.status, promotion_id)


@route(router, "POST", "/promotions/{promotion_id}/approve", anywhere(*DEVELOPERS))
def approve(promotion_id: Id, body: OptionalReason, services: Opened, who: Who) -> StateAnswer:
    """Say yes to a plan. The approval is signed."""
    return StateAnswer(state=services.approvals.grant(promotion_id, who.user_id, body.reason))


@route(router, "POST", "/promotions/{promotion_id}/reject", anywhere(*DEVELOPERS))
def reject(promotion_id: Id, body: Reason, services: Opened, who: Who) -> StateAnswer:
    """Say no to a plan, for good."""
    return StateAnswer(state=services.approvals.reject(promotion_id, who.user_id, body.reason))


@route(router, "POST", "/promotions/{promotion_id}/revoke", anywhere(*DEVELOPERS))
def revoke(promotion_id: Id, body: Reason, services: Opened, who: Who) -> StateAnswer:
    """Take your own yes to a plan back, until a run claims the promotion."""
    return StateAnswer(state=services.approvals.revoke(promotion_id, who.user_id, body.reason))


@route(router, "POST", "/promotions/{promotion_id}/resume", anywhere(*DEVELOPERS), status_code=202)
def resume(promotion_id: Id, services: Opened, who: Who) -> Started:
    """Execute an approved promotion, or go on with one, or with a rollback, whose run is gone."""
    services.promotions.check_resumable(promotion_id, who.user_id)
    run_id = f"api-{uuid4()}"

    def run() -> None:
        try:
            services.promotions.resume(promotion_id, run_id=run_id, person=who.user_id)
        except WisquError as error:
            LOG.warning("a resumed promotion ended", promotion=str(promotion_id), error=error.code, detail=str(error))

    RUNS.submit(run)
    return Started(run_id=run_id)


@route(router, "POST", "/promotions/{promotion_id}/cancel", anywhere(*STAFF))
def cancel(promotion_id: Id, body: Reason, services: Opened, who: Who) -> StateAnswer:
    """Cancel a promotion for good: one that waits, has failed, or has a run at it, which sweeps what it staged. It is
    `rejected` then, and never executed. What has happened is rolled back instead; one that is to be taken back and has
    no run at it yet stays `succeeded`.
    """
    return StateAnswer(state=services.cancellations.cancel(promotion_id, who.user_id, body.reason))


@route(router, "POST", "/promotions/{promotion_id}/rollback", anywhere(*DEVELOPERS), status_code=202)
def rollback(promotion_id: Id, body: RollbackRequest, services: Opened, who: Who) -> StateAnswer:
    """Ask that a promotion, or a part of it, be taken back; the sensor does it."""
    services.promotions.request_rollback(promotion_id, who.user_id, body.reason, body.item_ids)
    return StateAnswer(state=services.promotions.status(promotion_id).state)


@route(router, "POST", "/promotions/{promotion_id}/rollback/preview", anywhere(*DEVELOPERS))
def foresee(promotion_id: Id, body: RollbackPreviewRequest, services: Opened, who: Who) -> RollbackPreview:
    """What taking a promotion, or a part of it, back would do; nothing is changed. To rehearse that holds locks in the
    target, so it takes a role that could take the promotion back.
    """
    return services.promotions.preview_rollback(promotion_id, body.item_ids, rehearse=body.rehearse, person=who.user_id)


@route(router, "GET", "/approvals", anywhere(*STAFF))
def waiting(services: Opened) -> list[PromotionReport]:
    """The plans that wait for a decision, oldest first."""
    return [services.promotions.status(each) for each in services.approvals.pending()]


def _progress(report: PromotionReport) -> dict[str, Any]:
    return {
        "promotion_id": str(report.promotion_id),
        "state": report.state,
        "steps": dict(report.steps),
        "totals": dict(report.totals),
        "success_count": report.success_count,
        "error_count": report.error_count,
        "error": report.error,
    }
