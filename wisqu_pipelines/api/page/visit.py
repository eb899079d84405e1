"""Who looks at the page: a login in cookies that no script reads and no other site sends along."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from wisqu_pipelines.api.access import origin_of, services_of
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import TokenRefused
from wisqu_pipelines.identity.service import Identity, Login
from wisqu_pipelines.settings import APPROVALS

HOME = APPROVALS
ACCESS, REFRESH, FORM = "wisqu_access", "wisqu_refresh", "wisqu_form"
TOKEN_FIELD = "form_token"  # noqa: S105 - the name of a field


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is logged in."""

    identity: Identity
    form_token: str
    """In every form: what another site lets a browser send has none."""


def visit_of(request: Request, services: Services) -> Visit | None:
    """Who asks, by the cookies; None: nobody is logged in.

    An access token that has ended is renewed. The refresh token is used up by that: `PageRoute` sees to it that every
    answer brings the new one.
    """
    form_token = request.cookies.get(FORM, "")
    try:
        who = services.identity.authenticate(request.cookies.get(ACCESS, ""))
        request.state.person = who.user_id
        return Visit(who, form_token)
    except TokenRefused:
        refresh = request.cookies.get(REFRESH)
    if not refresh:
        return None
    try:
        login = services.identity.refresh(refresh, origin_of(request))
    except TokenRefused:
        return None
    request.state.renewed = login
    request.state.person = login.identity.user_id
    return Visit(login.identity, form_token)


def is_from_here(request: Request) -> bool:
    """Whether a form was sent from a page of this host: browsers say where one comes from."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def is_own_form(visit: Visit, request: Request, fields: Mapping[str, str]) -> bool:
    """Whether a form is one that this visitor was given."""
    given = fields.get(TOKEN_FIELD, "")
    return bool(given) and secrets.compare_digest(given.encode(), visit.form_token.encode()) and is_from_here(request)


def keep(response: Response, login: Login, request: Request, *, anew: bool = False) -> None:
    """Keep a login in the browser, as long as it can be renewed."""
    services = services_of(request)
    # A proxy may end TLS before the request comes here.
    secure = request.url.scheme == "https" or services.settings.api_url.startswith("https:")
    lasts = max(0, int((login.refresh_expires_at - services.clock.now()).total_seconds()))
    values = {ACCESS: login.access_token, REFRESH: login.refresh_token}
    if anew:
        values[FORM] = secrets.token_urlsafe(32)
    for name, value in values.items():
        response.set_cookie(name, value, max_age=lasts, path=HOME, httponly=True, secure=secure, samesite="strict")


def forget(response: Response) -> None:
    """Take the login out of the browser."""
    for name in (ACCESS, REFRESH, FORM):
        response.delete_cookie(name, path=HOME, httponly=True, samesite="strict")


def own_path(wanted: str) -> str:
    """Where to go on after logging in: a path of the page, whatever the form says."""
    parts = urlsplit(wanted)
    is_own = not parts.scheme and not parts.netloc and (parts.path == HOME or parts.path.startswith(f"{HOME}/"))
    return parts.path if is_own and "\\" not in wanted else HOME
