"""Errors as problem+json (RFC 9457), from the one table of errors: the same sentence as everywhere else."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from wisqu_pipelines import errors
from wisqu_pipelines.errors import Failed, Refused, WisquError, printable

MEDIA_TYPE = "application/problem+json"
STATUS: Mapping[type[WisquError], int] = {
    errors.LoginFailed: 401,
    errors.ExternalLoginFailed: 401,
    errors.NoSuchProvider: 404,
    errors.TokenRefused: 401,
    errors.TokenMissing: 401,
    errors.NotLoggedIn: 401,
    errors.CiRefused: 401,
    errors.NotPermitted: 403,
    errors.PasswordRefused: 403,
    errors.UnknownEnvironment: 404,
    errors.UnknownPerson: 404,
    errors.UnknownType: 404,
    errors.ItemNotFound: 404,
    errors.PromotionNotFound: 404,
    errors.FreezeNotFound: 404,
    errors.GrantNotFound: 404,
    errors.AccountNotFound: 404,
    errors.RuleNotFound: 404,
    errors.HoldNotFound: 404,
    errors.SweepNotFound: 404,
    errors.ErasureNotFound: 404,
    errors.RestoreNotFound: 404,
    errors.UnknownMetric: 404,
    errors.CiResultNotFound: 404,
    errors.UnknownTarget: 404,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.BadInput: 422,
    errors.PathRefused: 422,
    errors.LoginThrottled: 429,
    errors.StoreUnavailable: 503,
    errors.StoreDenied: 503,
    errors.SchemaDiffers: 503,
}
"""The status of each error that has one of its own; a class counts for those below it."""
REFUSED, FAILED = 409, 500
"""The status of every other rule that said no, and of what broke."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
LOG = structlog.get_logger("wisqu.api")


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(examples=["urn:wisqu:problem:PromotionNotFound"])
    title: str = Field(examples=["PromotionNotFound"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no promotion …; 'wisqu promote list' shows those that there are."])
    request_id: str | None = None


def status_of(error: WisquError) -> int:
    """The HTTP status of an error."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return REFUSED if isinstance(error, Refused) else FAILED


def install(app: FastAPI) -> None:
    """Answer every error of an app as a problem."""

    @app.exception_handler(WisquError)
    async def _ours(request: Request, error: WisquError) -> Response:
        headers = {}
        if status_of(error) == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, errors.LoginThrottled):
            headers["Retry-After"] = str(error.details["seconds"])
        return problem(request, status_of(error), error.code, _told(error), headers)

    @app.exception_handler(RequestValidationError)
    async def _malformed(request: Request, error: RequestValidationError) -> Response:
        found = "; ".join(
            f"{printable('.'.join(str(step) for step in each['loc']))}: {each['msg']}" for each in error.errors()[:8]
        )
        return problem(request, 422, "BadRequest", f"The request is not usable: {printable(found, 1_000)}.")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request))  # the router names those of one route, and there are more
        return problem(request, error.status_code, "HttpError", str(error.detail), headers)

    @app.exception_handler(Exception)
    async def _broken(request: Request, error: Exception) -> Response:
        LOG.error("broken", error=type(error).__name__, exc_info=error)
        return problem(request, 500, "InternalError", "Something broke; the log has more under this request's id.")


def _told(error: WisquError) -> str:
    """What the answer says of an error; the log gets the rest."""
    status, detail = status_of(error), str(error)
    if isinstance(error, errors.TokenRefused):
        LOG.info("token refused", reason=error.details.get("reason"))
        return "The token is not valid."  # why is for the log, not for whoever brought it
    if isinstance(error, Failed) and status == FAILED:
        LOG.error("failed", error=error.code, detail=detail)
        return "Something broke; the log has more under this request's id."
    if status > FAILED:
        LOG.warning("unavailable", error=error.code, detail=detail)
    return detail


def _allowed(request: Request) -> Sequence[str]:
    """The methods that what a request asks for has, by all of its routes (RFC 9110, 15.5.6)."""
    routes = request.app.routes
    scopes = ({**request.scope, "method": each} for each in METHODS)
    return [each["method"] for each in scopes if any(route.matches(each)[0] is Match.FULL for route in routes)]


def problem(
    request: Request, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem as an answer."""
    body = Problem(
        type=f"urn:wisqu:problem:{title}",
        title=title,
        status=status,
        detail=detail,
        request_id=getattr(request.state, "request_id", None),
    )
    return JSONResponse(body.model_dump(), status, dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the problems that a route can answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANING[status], "content": content} for status in sorted(set(statuses))}


_MEANING = {
    400: "The request is malformed.",
    401: "There is no token, or it is not valid.",
    403: "The person may not do that.",
    404: "There is no such thing.",
    405: "There is no such method here.",
    409: "A rule says no, as things stand.",
    412: "It was changed since it was read.",
    413: "The body is too large.",
    422: "Something in the request is not usable.",
    429: "Too many attempts.",
    503: "A store does not answer.",
}
