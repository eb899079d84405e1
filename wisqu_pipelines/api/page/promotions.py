"""A promotion's page."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from wisqu_pipelines.api.access import DEVELOPERS, STAFF, Opened
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
from wisqu_pipelines.promotion.approvals import REVOCABLE
from wisqu_pipelines.promotion.models import MOVING, PromotionState
from wisqu_pipelines.promotion.results import PromotionReport
from wisqu_pipelines.settings import path_name

BEGUN = {PromotionState.EXECUTING, PromotionState.PUBLISHED}
HAPPENED = {PromotionState.SUCCEEDED, PromotionState.ROLLING_BACK, PromotionState.ROLLED_BACK}
OFF = {PromotionState.REJECTED, PromotionState.REFUSED}
router = APIRouter(prefix="/promotions/{promotion_id}", route_class=PageRoute)


@router.get("")
def promotion(request: Request, services: Opened, promotion_id: UUID, page: int = 1) -> Response:
    """A promotion's plan, and the forms to decide on it."""
    visit = visit_of(request, services)
    if visit is None:
        return login_form(request)
    if not roles_of(visit) & {*STAFF}:
        return page_for(visit, "nothing.html", FORBIDDEN)
    return _shown(visit, services, promotion_id, page=page, done=request.query_params.get("done"))


@router.post("/{act}")
def decide(request: Request, services: Opened, promotion_id: UUID, act: str, fields: Fields) -> Response:
    """Say yes, say no, take a yes back, or open a closed path: for this promotion, or again."""
    approvals, freezes = services.approvals, services.freezes
    acts: Mapping[str, Act] = {
        "approve": lambda who, reason: approvals.grant(promotion_id, who, reason or None),
        "reject": lambda who, reason: approvals.reject(promotion_id, who, reason),
        "revoke": lambda who, reason: approvals.revoke(promotion_id, who, reason),
        "override": lambda who, reason: freezes.override(promotion_id, who, reason),
        "release": lambda who, reason: freezes.release(_path(services.promotions.status(promotion_id)), who, reason),
    }
    visit = visit_of(request, services)
    if visit is not None and not roles_of(visit) & {*DEVELOPERS}:
        return page_for(visit, "nothing.html", FORBIDDEN)

    def again(visit: Visit, status: int, said: str, reason: str) -> Response:
        return _shown(visit, services, promotion_id, status=status, said=said, reason=reason)

    return taken(request, visit, fields, f"{HOME}/promotions/{promotion_id}", acts.get(act), again)


def _shown(
    visit: Visit,
    services: Services,
    promotion_id: UUID,
    *,
    status: int = 200,
    page: int = 1,
    said: str | None = None,
    reason: str = "",
    done: str | None = None,
) -> Response:
    report = services.promotions.status(promotion_id)
    preview = services.promotions.preview(promotion_id)
    first = (max(1, page) - 1) * ITEMS_ON_A_PAGE
    name = _path(report)
    path = services.settings.paths.get(name)
    return page_for(
        visit,
        "promotion.html",
        status,
        report=report,
        tense=_tense(report.state),
        moving=MOVING,
        preview=preview,
        items=preview.items[first : first + ITEMS_ON_A_PAGE],
        page=max(1, page),
        pages=max(1, -(-len(preview.items) // ITEMS_ON_A_PAGE)),
        total=sum(each["items"] for each in preview.totals["by_effect"].values()),
        roles=", ".join(path.approver_roles) if path else None,
        buttons=_buttons(visit, services, report, name),
        is_nobodys=report.state == PromotionState.PLANNED
        and not report.requested_by
        and path is not None
        and not path.self_approval,
        said=said,
        reason=reason,
        done=DECIDED.get(done or ""),
    )


def _buttons(visit: Visit, services: Services, report: PromotionReport, path: str) -> Sequence[tuple[str, str, str]]:
    """What can be said to a promotion now: the act, what stands on its button, and how that looks."""
    is_open = report.promotion_id in set(services.approvals.pending())
    is_mine = report.state in REVOCABLE and visit.identity.user_id in services.approvals.standing(report.promotion_id)
    waits = report.waits_for is not None
    is_held = waits and bool(services.freezes.holds(path))
    is_frozen = waits and any(each.in_force_until for each in services.freezes.list(path))
    buttons = {
        ("approve", "Approve", ""): is_open and not is_mine and path in services.settings.paths,
        ("reject", "Reject", "no"): is_open,
        ("release", "Open the path again", "quiet"): is_held,
        ("override", "Let it through the freeze", "quiet"): is_frozen and not is_held,
        ("revoke", "Take my approval back", "quiet"): is_mine,
    }
    return [button for button, is_shown in buttons.items() if is_shown]


def _path(report: PromotionReport) -> str:
    """Its path's name, also where that is not configured any more."""
    return path_name(report.source_environment, report.target_environment)


def _tense(state: PromotionState) -> Mapping[str, str]:
    """What stands above a plan, so that nobody takes for a question what is answered."""
    if state in HAPPENED:
        return {"takes": "It took", "written": "Was written", "what": "What happened", "ending": "d"}
    if state in BEGUN:
        return {"takes": "It took", "written": "Is being written", "what": "What is happening", "ending": ""}
    if state in OFF:
        written = "Would have been written"
        return {"takes": "It took", "written": written, "what": "What would have happened", "ending": ""}
    return {"takes": "It takes", "written": "Will be written", "what": "What would happen", "ending": ""}
