"""What a route asks of whoever calls it: dependencies of FastAPI, and with `guarded` a decorator of any endpoint.

@app.get("/documents", dependencies=[Depends(require_role("user", "admin"))])    # FastAPI
@guarded(require_role("user", "admin"))                                          # Starlette, or FastAPI
"""

import inspect
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar, cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from wisqu_pipelines.entry.entrance import Entrance
from wisqu_pipelines.entry.middleware import USER, EntryMiddleware
from wisqu_pipelines.entry.problems import MEDIA_TYPE, headers_of, problem
from wisqu_pipelines.entry.user import EnvironmentUser

Guard: TypeAlias = Callable[[Request], EnvironmentUser]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class GuardRefused(HTTPException):
    """A guard's refusal; `install` makes a problem of it, and without that it is still of the right status."""

    def __init__(self, status: HTTPStatus, title: str, detail: str) -> None:
        super().__init__(status, detail, dict(headers_of(status)))
        self.title = title


def install(app: Starlette, entrance: Entrance) -> None:
    """Put an entrance before an app, and answer its guards' refusals as problems."""
    app.add_middleware(EntryMiddleware, entrance=entrance)
    app.add_exception_handler(GuardRefused, _answer)


def current_user(request: Request) -> EnvironmentUser:
    """Who calls.

    Raises:
        GuardRefused: nobody whom the entrance knows (401).
    """
    user = getattr(request.state, USER, None)
    if not isinstance(user, EnvironmentUser):
        raise GuardRefused(HTTPStatus.UNAUTHORIZED, "NotLoggedIn", "There is no token.")
    return user


def require_role(*roles: str) -> Guard:
    """A guard that lets only these roles through (401, 403)."""

    def require_one(request: Request) -> EnvironmentUser:
        user = current_user(request)
        if user.role not in roles:
            raise _forbidden("RoleMissing", f"It takes one of the roles: {', '.join(roles)}.")
        return user

    return require_one


def require_non_test_account(request: Request) -> EnvironmentUser:
    """A guard that lets no test account through.

    Raises:
        GuardRefused: there is nobody (401), or it is a test account (403).
    """
    user = current_user(request)
    if user.is_test_account:
        raise _forbidden("TestAccountRefused", "A test account may not do that.")
    return user


def require_reason(request: Request) -> EnvironmentUser:
    """A guard that lets only those through who said why they entered.

    Raises:
        GuardRefused: there is nobody (401), or they gave no reason (403).
    """
    user = current_user(request)
    if user.reason is None:
        raise _forbidden("ReasonMissing", "It takes a login with a reason.")
    return user


def guarded(*guards: Guard) -> Callable[[Endpoint], Endpoint]:
    """Decorate an endpoint that takes a `Request`, by position or by name, with guards."""

    def decorate(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def checked(*args: Any, **kwargs: Any) -> Any:
            request = next(each for each in (*args, *kwargs.values()) if isinstance(each, Request))
            for guard in guards:
                guard(request)
            if inspect.iscoroutinefunction(endpoint):
                return await endpoint(*args, **kwargs)
            return await run_in_threadpool(endpoint, *args, **kwargs)

        return cast("Endpoint", checked)

    return decorate


def _forbidden(title: str, detail: str) -> GuardRefused:
    return GuardRefused(HTTPStatus.FORBIDDEN, title, detail)


def _answer(_request: Request, error: Exception) -> Response:
    refused = cast("GuardRefused", error)
    body = problem(refused.status_code, refused.title, refused.detail)
    return Response(body, refused.status_code, refused.headers, MEDIA_TYPE)
