"""What all pages are made with: templates, the visitor, and how a decision is taken from a form."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from wisqu_pipelines.api.page.visit import HOME, TOKEN_FIELD, Visit, is_own_form, keep, own_path
from wisqu_pipelines.api.problems import status_of
from wisqu_pipelines.errors import BadInput, WisquError
from wisqu_pipelines.figures import counted, plain, size

ITEMS_ON_A_PAGE = 100
MOST_FIELDS = 20
DECIDED = {
    "approve": "approved",
    "reject": "rejected",
    "revoke": "taken back",
    "override": "it may go in spite of the freeze when two people have said so",
    "release": "the path is open again",
}
FORBIDDEN = 403
NOT_FOUND = 404
_SECURITY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_TEMPLATES = Environment(
    loader=PackageLoader("wisqu_pipelines.api.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_TEMPLATES.filters.update(size=size, counted=counted, plain=plain)
Act = Callable[[UUID, str], object]
"""A decision of a person, with their reason."""


class PageRoute(APIRoute):
    """Shows people an error as a page, and keeps a login that was renewed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, with its errors as pages."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                answer = await handler(request)
            except WisquError as error:
                answer = page("refused.html", status_of(error), said=str(error))
            except RequestValidationError:
                answer = page("refused.html", NOT_FOUND, said="There is no such page.")
            if (renewed := getattr(request.state, "renewed", None)) is not None:
                keep(answer, renewed, request)
            return answer

        return shown


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form.

    Raises:
        BadInput: there are more than any form here has.
    """
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise BadInput(what="the form", reason=f"it has more than {MOST_FIELDS} fields") from None


Fields = Annotated[dict[str, str], Depends(fields_of)]


def template(name: str) -> str:
    """A template that needs no values."""
    return _TEMPLATES.get_template(name).render()


def page(name: str, status: int = 200, **values: Any) -> Response:
    """A page for anybody."""
    text = _TEMPLATES.get_template(name).render({"visit": None, "home": HOME, **values})
    return HTMLResponse(text, status, {"Content-Security-Policy": _SECURITY})


def page_for(visit: Visit, name: str, status: int = 200, **values: Any) -> Response:
    """A page for somebody who is logged in."""
    held = sorted(roles_of(visit))
    return page(name, status, visit=visit, token_field=TOKEN_FIELD, held=held, decided=DECIDED, **values)


def login_form(request: Request, wanted: str | None = None) -> Response:
    """The form to log in, which goes on to what was asked for."""
    return page("login.html", said=None, email="", next=own_path(wanted or request.url.path))


def foreign() -> Response:
    """What a form of another site is answered with."""
    return page("refused.html", FORBIDDEN, said="This form is not from here, or too old; open the page again.")


def roles_of(visit: Visit, environment: str | None = None) -> set[str]:
    """The roles that a visitor has in an environment; None: in any."""
    return {each.role for each in visit.identity.entries if environment in {None, each.environment}}


def taken(
    request: Request,
    visit: Visit | None,
    fields: Mapping[str, str],
    place: str,
    act: Act | None,
    shown: Callable[[Visit, int, str, str], Response],
) -> Response:
    """Take a decision from a form; what the service refuses is shown beside what was typed.

    Args:
        request: With the form.
        visit: Whose it is.
        fields: Its fields.
        place: The page that it is on.
        act: What it does; None: there is no such button.
        shown: That page again, with a status, what was refused and the reason as typed.
    """
    if visit is None:
        return login_form(request, place)
    if act is None:
        return page("refused.html", NOT_FOUND, said="There is no such page.")
    if not is_own_form(visit, request, fields):
        return foreign()
    reason = fields.get("reason", "").strip()
    try:
        act(visit.identity.user_id, reason)
    except WisquError as error:
        return shown(visit, status_of(error), str(error), reason)
    return RedirectResponse(f"{place}?done={request.path_params['act']}", 303)
