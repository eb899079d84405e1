"""The page's routes: what waits for a decision, and logging in and out."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from wisqu_pipelines.api.access import ADMINS, STAFF, From, Opened
from wisqu_pipelines.api.page import erasures, promotions, sweeps
from wisqu_pipelines.api.page.pages import (
    FORBIDDEN,
    Fields,
    PageRoute,
    foreign,
    login_form,
    page,
    page_for,
    roles_of,
    template,
)
from wisqu_pipelines.api.page.visit import HOME, Visit, forget, is_from_here, is_own_form, keep, own_path, visit_of
from wisqu_pipelines.api.problems import status_of
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import WisquError
from wisqu_pipelines.identity import people
from wisqu_pipelines.retention.report import SweepReport

router = APIRouter(prefix=HOME, route_class=PageRoute, include_in_schema=False)


@router.get("")
def waiting(request: Request, services: Opened) -> Response:
    """What waits for a decision, or the form to log in."""
    visit = visit_of(request, services)
    if visit is None:
        return login_form(request)
    if not roles_of(visit) & {*STAFF}:
        return page_for(visit, "nothing.html", FORBIDDEN)
    swept, unread = _sweeps(services, visit)
    erased = [each for each in services.erasures.waiting() if roles_of(visit, each.environment) & {*ADMINS}]
    asked = {each.requested_by for each in erased} | {each.requested_by for each in swept if each.requested_by}
    return page_for(
        visit,
        "waiting.html",
        promotions=[services.promotions.status(each) for each in services.approvals.pending()],
        sweeps=swept,
        erasures=erased,
        people=people.addresses(services.control, asked),
        unread=unread,
    )


@router.get("/style.css")
def style() -> Response:
    """How it looks."""
    return Response(template("style.css"), media_type="text/css", headers={"Cache-Control": "max-age=3600"})


@router.post("/login")
def login(request: Request, services: Opened, origin: From, fields: Fields) -> Response:
    """Log in with a password."""
    email, wanted = fields.get("email", ""), own_path(fields.get("next", ""))
    if not is_from_here(request):
        return page("refused.html", FORBIDDEN, said="This form comes from somewhere else.")
    try:
        given = services.identity.login(email[:320], fields.get("password", "")[:1_024], origin)
    except WisquError as error:
        return page("login.html", status_of(error), said=str(error), email=email, next=wanted)
    answer = RedirectResponse(wanted, 303)
    keep(answer, given, request, anew=True)
    return answer


@router.post("/logout")
def logout(request: Request, services: Opened, origin: From, fields: Fields) -> Response:
    """End the login."""
    visit = visit_of(request, services)
    if visit is not None:
        if not is_own_form(visit, request, fields):
            return foreign()
        services.identity.logout(visit.identity, origin=origin)
        request.state.renewed = None
    answer = RedirectResponse(HOME, 303)
    forget(answer)
    return answer


def _sweeps(services: Services, visit: Visit) -> tuple[Sequence[SweepReport], Sequence[str]]:
    """The sweeps that wait where the visitor has a role, and what is wrong with environments that cannot be read: one
    that is down hides nothing of the others.
    """
    found: list[SweepReport] = []
    unread: list[str] = []
    for name in services.environments:
        if not roles_of(visit, name) & {*STAFF}:
            continue
        try:
            found += services.retention(name).waiting()
        except WisquError as error:
            unread.append(f"{name}: {error}")
    return found, unread


for _part in (promotions, sweeps, erasures):
    router.include_router(_part.router)
