"""Who may use a route: each has one rule, which its OpenAPI entry tells and its tests are made from."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from wisqu_pipelines.api.problems import documented
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import BadInput, NotPermitted, TokenMissing, printable
from wisqu_pipelines.identity.service import Identity, Origin

EXTENSION = "x-wisqu-rule"
_BEARER = HTTPBearer(auto_error=False, description="The access token of POST /v1/login.")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route asks of whoever calls it."""

    name: str
    roles: tuple[str, ...] | None = None
    """One of these is needed; None: none is."""
    where: str | None = None
    """The path parameter that names the environment in which the role must be held; None: in any."""
    makes_test_accounts: bool = False
    """Whether the access matrix must let the role make test accounts there."""

    def told(self) -> dict[str, Any]:
        """For OpenAPI."""
        return {
            "name": self.name,
            "roles": list(self.roles or ()),
            "where": self.where or "",
            "test_accounts": self.makes_test_accounts,
        }


PUBLIC = Rule("public")
LOGGED_IN = Rule("logged in")
DEVELOPERS = ("developer", "admin", "superadmin")
STAFF = ("tester", *DEVELOPERS)
ADMINS = ("admin", "superadmin")


def in_environment(*roles: str) -> Rule:
    """One of these roles in the environment that the path names."""
    return Rule(f"{', '.join(roles)} in the environment", roles, "environment")


def anywhere(*roles: str) -> Rule:
    """One of these roles in any environment; what the service asks beyond that depends on what is done."""
    return Rule(f"{', '.join(roles)} anywhere", roles)


MAKES_TEST_ACCOUNTS = Rule("makes test accounts in the environment", DEVELOPERS, "environment", True)


def services_of(request: Request) -> Services:
    """The services of the app."""
    opened: Services = request.app.state.services
    return opened


def origin_of(request: Request) -> Origin:
    """Where a request came from."""
    return Origin(None if request.client is None else request.client.host, request.headers.get("user-agent"))


def identity_of(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Identity:
    """Who calls.

    Raises:
        TokenMissing, TokenRefused: there is no token, or it is not valid.
    """
    if bearer is None:
        raise TokenMissing
    who = services_of(request).identity.authenticate(bearer.credentials)
    request.state.person = who.user_id
    return who


Opened = Annotated[Services, Depends(services_of)]
From = Annotated[Origin, Depends(origin_of)]
Who = Annotated[Identity, Depends(identity_of)]


def _guard(rule: Rule) -> Any:
    if rule.roles is None:
        return Depends(identity_of)
    allowed = set(rule.roles)

    def check(request: Request, who: Who) -> None:
        environment = None if rule.where is None else request.path_params[rule.where]
        if environment is not None:
            services_of(request).settings.environment(environment)
        held = {
            each.role
            for each in who.entries
            if environment in {None, each.environment} and (each.test_accounts or not rule.makes_test_accounts)
        }
        if not held & allowed:
            raise NotPermitted(
                person=who.email,
                act="do that",
                environment=environment or "any environment",
                reason=f"it takes one of: {', '.join(rule.roles or ())}",
            )

    return Depends(check)


def _query_names(dependant: Dependant) -> set[str]:
    return {each.alias for each in dependant.query_params}.union(*map(_query_names, dependant.dependencies))


def _only(known: Collection[str]) -> Any:
    """Refuse query parameters of other names: passed over, a misspelt filter would list everything."""

    def check(request: Request) -> None:
        for name in request.query_params:
            if name not in known:
                takes = ", ".join(sorted(known)) or "none"
                raise BadInput(
                    what=f"the query parameter '{printable(name)}'",
                    reason=f"it is not known here; those known: {takes}",
                )

    return Depends(check)


def route(
    router: APIRouter,
    method: str,
    path: str,
    rule: Rule,
    *problems: int,
    openapi_more: Mapping[str, Any] | None = None,
    takes_others: bool = False,
    **more: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a route with its rule.

    Args:
        router: Where.
        method: GET, POST, PUT or DELETE.
        path: Its path.
        rule: Who may use it.
        problems: The statuses of the problems that it can answer with, besides those that its rule brings.
        openapi_more: What OpenAPI says of it besides.
        takes_others: Whether query parameters that it does not know are passed over instead of refused.
        more: For FastAPI.
    """
    private = rule is not PUBLIC
    statuses = {*problems, 422, 503, *((401, 403) if private else ())}
    if "{" in path:
        statuses.add(404)
    if method in {"POST", "PUT", "DELETE"}:
        statuses |= {400, 409, 413}

    known: set[str] = set()

    def add(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            dependencies=[*([_guard(rule)] if private else []), *([] if takes_others else [_only(known)])],
            responses=documented(*statuses),
            openapi_extra={EXTENSION: rule.told(), **(openapi_more or {})},
            **more,
        )
        made = router.routes[-1]
        if isinstance(made, APIRoute):
            known.update(_query_names(made.dependant))
        return endpoint

    return add
