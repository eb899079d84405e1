"""An erasure's page."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from wisqu_pipelines.api.access import ADMINS, Opened
from wisqu_pipelines.api.page.pages import (
    DECIDED,
    FORBIDDEN,
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
from wisqu_pipelines.erasure.models import ErasureState
from wisqu_pipelines.identity import people

router = APIRouter(prefix="/erasures/{erasure_id}", route_class=PageRoute)


@router.get("")
def erasure(request: Request, services: Opened, erasure_id: UUID) -> Response:
    """What an erasure would take now, and the forms to decide on it."""
    visit = visit_of(request, services)
    if visit is None:
        return login_form(request)
    if not _may_look(visit, services, erasure_id):
        return page_for(visit, "nothing.html", FORBIDDEN)
    return _shown(visit, services, erasure_id, done=request.query_params.get("done"))


@router.post("/{act}")
def decide(request: Request, services: Opened, erasure_id: UUID, act: str, fields: Fields) -> Response:
    """Say yes or no."""
    visit = visit_of(request, services)
    if visit is not None and not _may_look(visit, services, erasure_id):
        return page_for(visit, "nothing.html", FORBIDDEN)
    erasures = services.erasures
    acts: Mapping[str, Act] = {
        "approve": lambda who, _reason: erasures.approve(erasure_id, who),
        "reject": lambda who, reason: erasures.reject(erasure_id, who, reason),
    }

    def again(visit: Visit, status: int, said: str, reason: str) -> Response:
        return _shown(visit, services, erasure_id, status=status, said=said, reason=reason)

    return taken(request, visit, fields, f"{HOME}/erasures/{erasure_id}", acts.get(act), again)


def _may_look(visit: Visit, services: Services, erasure_id: UUID) -> bool:
    """Whether the visitor has the role in its environment. Somebody who has it nowhere is not told what there is."""
    return bool(roles_of(visit) & {*ADMINS}) and bool(
        roles_of(visit, services.erasures.status(erasure_id).environment) & {*ADMINS}
    )


def _shown(
    visit: Visit,
    services: Services,
    erasure_id: UUID,
    *,
    status: int = 200,
    said: str | None = None,
    reason: str = "",
    done: str | None = None,
) -> Response:
    report = services.erasures.status(erasure_id)
    is_open = report.state == ErasureState.REQUESTED
    return page_for(
        visit,
        "erasure.html",
        status,
        report=report,
        requested_by=people.address(services.control, report.requested_by),
        preview=services.erasures.preview(report.environment, report.user_id) if is_open else None,
        is_own=report.requested_by == visit.identity.user_id,
        is_open=is_open,
        said=said,
        reason=reason,
        done=DECIDED.get(done or ""),
    )
