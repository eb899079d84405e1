"""A sweep's page."""

from collections.abc import Mapping
from itertools import islice
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from wisqu_pipelines.api.access import STAFF, Opened
from wisqu_pipelines.api.page.pages import (
    DECIDED,
    FORBIDDEN,
    ITEMS_ON_A_PAGE,
    Act,
    Fields,
    PageRoute,
    login_form,
    page_for,
    roles_of,
    taken,
)
from wisqu_pipelines.api.page.visit import HOME, Visit, visit_of
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.identity import people
from wisqu_pipelines.retention.marking import HELD
from wisqu_pipelines.retention.models import SweepState
from wisqu_pipelines.retention.report import told
from wisqu_pipelines.retention.service import APPROVERS

MOST_PAGES = 10
router = APIRouter(prefix="/sweeps/{environment}/{sweep_id}", route_class=PageRoute)


@router.get("")
def sweep(request: Request, services: Opened, environment: str, sweep_id: UUID, page: int = 1) -> Response:
    """What a sweep lists, and the forms to decide on it."""
    visit = visit_of(request, services)
    if visit is None:
        return login_form(request)
    services.settings.environment(environment)  # one that there is not is no matter of roles
    if not roles_of(visit, environment) & {*STAFF}:
        return page_for(visit, "nothing.html", FORBIDDEN)
    return _shown(visit, services, environment, sweep_id, page=page, done=request.query_params.get("done"))


@router.post("/{act}")
def decide(request: Request, services: Opened, environment: str, sweep_id: UUID, act: str, fields: Fields) -> Response:
    """Say yes or no."""
    visit = visit_of(request, services)
    if visit is not None:
        services.settings.environment(environment)
        if not roles_of(visit, environment) & {*STAFF}:
            return page_for(visit, "nothing.html", FORBIDDEN)
    retention = services.retention(environment)
    acts: Mapping[str, Act] = {
        "approve": lambda who, reason: retention.approve(sweep_id, who, reason or None),
        "reject": lambda who, reason: retention.reject(sweep_id, who, reason),
    }

    def again(visit: Visit, status: int, said: str, reason: str) -> Response:
        return _shown(visit, services, environment, sweep_id, status=status, said=said, reason=reason)

    return taken(request, visit, fields, f"{HOME}/sweeps/{environment}/{sweep_id}", acts.get(act), again)


def _shown(
    visit: Visit,
    services: Services,
    environment: str,
    sweep_id: UUID,
    *,
    status: int = 200,
    page: int = 1,
    said: str | None = None,
    reason: str = "",
    done: str | None = None,
) -> Response:
    retention = services.retention(environment)
    report = retention.status(sweep_id)
    page = min(max(1, page), MOST_PAGES)
    first = (page - 1) * ITEMS_ON_A_PAGE
    items = list(islice(retention.items(sweep_id), first, first + ITEMS_ON_A_PAGE))
    return page_for(
        visit,
        "sweep.html",
        status,
        report=report,
        told=told,
        environment=environment,
        requested_by=people.address(services.control, report.requested_by),
        rejected_by=report.rejected_by and people.address(services.control, report.rejected_by),
        is_held=HELD in report.waits,
        items=items,
        page=page,
        pages=min(MOST_PAGES, max(1, -(-report.rows // ITEMS_ON_A_PAGE))),
        shown=MOST_PAGES * ITEMS_ON_A_PAGE,
        grace_days=services.settings.environment(environment).retention.grace_days,
        is_own=report.requested_by == visit.identity.user_id,
        is_open=report.state == SweepState.WAITING and bool(roles_of(visit, environment) & {*APPROVERS}),
        said=said,
        reason=reason,
        done=DECIDED.get(done or ""),
    )
