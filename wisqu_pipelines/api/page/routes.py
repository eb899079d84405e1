"""The page's routes: what waits for a decision, one promotion, and what people say to it."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from wisqu_pipelines.api.access import DEVELOPERS, STAFF, From, Opened
from wisqu_pipelines.api.page.visit import (
    HOME,
    TOKEN_FIELD,
    Visit,
    forget,
    is_from_here,
    is_own_form,
    keep,
    own_path,
    visit_of,
)
from wisqu_pipelines.api.problems import status_of
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import WisquError
from wisqu_pipelines.identity.service import Identity

ITEMS_ON_A_PAGE = 100
SECURITY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
DECIDED = {"approve": "approved", "reject": "rejected", "revoke": "taken back"}
FORBIDDEN = 403
NOT_FOUND = 404

_TEMPLATES = Environment(
    loader=PackageLoader("wisqu_pipelines.api.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


class PageRoute(APIRoute):
    """Shows people an error as a page, and keeps a login that was renewed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, with its errors as pages."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                answer = await handler(request)
            except WisquError as error:
                answer = _page("refused.html", status_of(error), said=str(error))
            except RequestValidationError:
                answer = _page("refused.html", NOT_FOUND, said="There is no such page.")
            if (renewed := getattr(request.state, "renewed", None)) is not None:
                keep(answer, renewed, request)
            return answer

        return shown


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form."""
    body = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=20))


router = APIRouter(prefix=HOME, route_class=PageRoute, include_in_schema=False)
Fields = Annotated[dict[str, str], Depends(fields_of)]


@router.get("")
def waiting(request: Request, services: Opened) -> Response:
    """What waits for a decision, or the form to log in."""
    visit = visit_of(request, services)
    if visit is None:
        return _login_form(request)
    if not _roles(visit.identity) & {*STAFF}:
        return _for(visit, "nothing.html", FORBIDDEN)
    promotions = [services.promotions.status(each) for each in services.approvals.pending()]
    return _for(visit, "waiting.html", promotions=promotions)


@router.get("/style.css")
def style() -> Response:
    """How it looks."""
    source = _TEMPLATES.get_template("style.css").render()
    return Response(source, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


@router.post("/login")
def login(request: Request, services: Opened, origin: From, fields: Fields) -> Response:
    """Log in with a password."""
    email, wanted = fields.get("email", ""), own_path(fields.get("next", ""))
    if not is_from_here(request):
        return _page("refused.html", FORBIDDEN, said="This form comes from somewhere else.")
    try:
        given = services.identity.login(email[:320], fields.get("password", "")[:1_024], origin)
    except WisquError as error:
        return _page("login.html", status_of(error), said=str(error), email=email, next=wanted)
    answer = RedirectResponse(wanted, 303)
    keep(answer, given, request, anew=True)
    return answer


@router.post("/logout")
def logout(request: Request, services: Opened, origin: From, fields: Fields) -> Response:
    """End the login."""
    visit = visit_of(request, services)
    if visit is not None:
        if not is_own_form(visit, request, fields):
            return _foreign()
        services.identity.logout(visit.identity, origin=origin)
        request.state.renewed = None
    answer = RedirectResponse(HOME, 303)
    forget(answer)
    return answer


@router.get("/promotions/{promotion_id}")
def promotion(request: Request, services: Opened, promotion_id: UUID, page: int = 1) -> Response:
    """A promotion's plan, and the forms to decide on it."""
    visit = visit_of(request, services)
    if visit is None:
        return _login_form(request)
    if not _roles(visit.identity) & {*STAFF}:
        return _for(visit, "nothing.html", FORBIDDEN)
    return _promotion(visit, services, promotion_id, page=page, done=request.query_params.get("done"))


@router.post("/promotions/{promotion_id}/{act}")
def decide(request: Request, services: Opened, promotion_id: UUID, act: str, fields: Fields) -> Response:
    """Say yes, say no, or take a yes back; what the service refuses is shown beside what was typed."""
    visit = visit_of(request, services)
    if visit is None:
        return _login_form(request, f"{HOME}/promotions/{promotion_id}")
    if act not in DECIDED:
        return _page("refused.html", NOT_FOUND, said="There is no such page.")
    if not is_own_form(visit, request, fields):
        return _foreign()
    if not _roles(visit.identity) & {*DEVELOPERS}:
        return _for(visit, "nothing.html", FORBIDDEN)
    reason = fields.get("reason", "").strip()
    who = visit.identity.user_id
    try:
        if act == "approve":
            services.approvals.grant(promotion_id, who, reason or None)
        elif act == "reject":
            services.approvals.reject(promotion_id, who, reason)
        else:
            services.approvals.revoke(promotion_id, who, reason)
    except WisquError as error:
        said = str(error)
        return _promotion(visit, services, promotion_id, status=status_of(error), said=said, reason=reason)
    return RedirectResponse(f"{HOME}/promotions/{promotion_id}?done={act}", 303)


def _promotion(
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
    path = services.settings.path(report.source_environment, report.target_environment)
    return _for(
        visit,
        "promotion.html",
        status,
        report=report,
        preview=preview,
        items=preview.items[first : first + ITEMS_ON_A_PAGE],
        page=max(1, page),
        pages=max(1, -(-len(preview.items) // ITEMS_ON_A_PAGE)),
        total=sum(each["items"] for each in preview.totals["by_effect"].values()),
        roles=", ".join(path.approver_roles),
        is_open=promotion_id in set(services.approvals.pending()),
        is_approved_by_me=visit.identity.user_id in set(services.approvals.standing(promotion_id)),
        said=said,
        reason=reason,
        done=DECIDED.get(done or ""),
        decided=DECIDED,
    )


def _for(visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
    """A page for somebody who is logged in."""
    return _page(template, status, visit=visit, token_field=TOKEN_FIELD, held=sorted(_roles(visit.identity)), **values)


def _login_form(request: Request, wanted: str | None = None) -> Response:
    return _page("login.html", said=None, email="", next=own_path(wanted or request.url.path))


def _foreign() -> Response:
    return _page("refused.html", FORBIDDEN, said="This form is not from here, or too old; open the page again.")


def _page(template: str, status: int = 200, **values: Any) -> Response:
    text = _TEMPLATES.get_template(template).render({"visit": None, "home": HOME, **values})
    return HTMLResponse(text, status, {"Content-Security-Policy": SECURITY})


def _roles(identity: Identity) -> set[str]:
    return {each.role for each in identity.entries}
