"""Why somebody is not let in, and what they are told of it: which of the refusals it is, and nothing more."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from wisqu_pipelines.errors import NotLoggedIn, Refused, TokenRefused, WisquError

MEDIA_TYPE = "application/problem+json"
"""RFC 9457."""


_TOLD: Mapping[HTTPStatus, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: ("TokenRefused", "The token is not valid."),
    HTTPStatus.FORBIDDEN: ("EntryRefused", "The token is valid, but its person may not enter this environment."),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "EntryUnavailable",
        "Whether the token is valid cannot be told right now; try again later.",
    ),
}
_HEADERS: Mapping[HTTPStatus, Mapping[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "5"},
}


def status_of(error: WisquError) -> HTTPStatus:
    """The status of a refusal at the door. What broke lets nobody in."""
    if isinstance(error, TokenRefused | NotLoggedIn):
        return HTTPStatus.UNAUTHORIZED
    return HTTPStatus.FORBIDDEN if isinstance(error, Refused) else HTTPStatus.SERVICE_UNAVAILABLE


def answer_to(error: WisquError) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a refusal at the door."""
    status = status_of(error)
    title, detail = _TOLD[status]
    body = problem(status, title, detail)
    return status, {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **headers_of(status)}, body


def problem(status: int, title: str, detail: str) -> bytes:
    """The body of a problem."""
    told = {"type": f"urn:wisqu:problem:{title}", "title": title, "status": int(status), "detail": detail}
    return json.dumps(told, ensure_ascii=False).encode()


def headers_of(status: HTTPStatus) -> Mapping[str, str]:
    """What a status says in headers as well."""
    return _HEADERS.get(status, {})
