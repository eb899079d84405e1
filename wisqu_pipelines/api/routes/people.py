"""People and their roles, and access for a time."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from wisqu_pipelines.api.access import ADMINS, LOGGED_IN, Opened, Who, anywhere, in_environment, route
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import (
    SECRET_ANSWER,
    Done,
    Email,
    EnvironmentName,
    Id,
    LongText,
    Made,
    Password,
    Reason,
    ReasonText,
    Role,
)
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.identity import passwords
from wisqu_pipelines.identity.administration import PersonInfo
from wisqu_pipelines.identity.visits import EntryNotice, Visit

router = APIRouter(prefix="/v1", tags=["people"], route_class=IdempotentRoute)


class NewPerson(BaseModel):
    """A person to be made known."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    full_name: Annotated[LongText, Field(examples=["Eve Example"])] | None = None
    with_password: bool = True
    """Whether they have a password; not those who log in through another provider."""
    password: Password | None = None
    """None: one is made for them."""
    reason: ReasonText


class PersonMade(BaseModel):
    """Their id, and the password that was made for them: it is shown this once."""

    id: UUID
    password: str | None


class PasswordGiven(BaseModel):
    """Another password."""

    model_config = ConfigDict(extra="forbid")

    password: Password
    reason: ReasonText


class Closed(BaseModel):
    """How many logins ended with it."""

    ended: int


class RoleGiven(BaseModel):
    """A role in an environment."""

    model_config = ConfigDict(extra="forbid")

    environment: EnvironmentName
    role: Role
    reason: ReasonText


class VisitRequest(BaseModel):
    """Access for some hours."""

    model_config = ConfigDict(extra="forbid")

    environment: EnvironmentName
    hours: Annotated[int, Field(ge=1, le=10_000, examples=[4])]
    role: Role = "developer"
    reason: ReasonText


class LetIn(BaseModel):
    """Until when."""

    until: datetime


@route(router, "GET", "/users", anywhere(*ADMINS))
def users(services: Opened) -> list[PersonInfo]:
    """Everybody, with their roles."""
    return list(services.people.list())


@route(router, "POST", "/users", anywhere(*ADMINS), status_code=201, openapi_more={SECRET_ANSWER: True})
def create_user(body: NewPerson, services: Opened, who: Who) -> PersonMade:
    """Make a person known, without any role."""
    if body.password is not None and not body.with_password:
        raise BadInput(what="the password", reason="somebody without a password is given none")
    new = passwords.generate() if body.with_password and body.password is None else None
    made = services.people.create(body.email, body.full_name, body.password or new, who.user_id, body.reason)
    return PersonMade(id=made, password=new)


@route(router, "PUT", "/users/{user_id}/role", anywhere(*ADMINS))
def give_role(user_id: Id, body: RoleGiven, services: Opened, who: Who) -> Done:
    """Give a person a lasting role in an environment."""
    services.people.grant(user_id, body.environment, body.role, who.user_id, body.reason)
    return Done()


@route(router, "POST", "/users/{user_id}/revoke/{environment}", in_environment(*ADMINS))
def take_role(user_id: Id, environment: EnvironmentName, body: Reason, services: Opened, who: Who) -> Done:
    """Take a person's role in an environment away, at once."""
    services.people.revoke(user_id, environment, who.user_id, body.reason)
    return Done()


@route(router, "POST", "/users/{user_id}/disable", anywhere(*ADMINS))
def disable(user_id: Id, body: Reason, services: Opened, who: Who) -> Closed:
    """Close a person's account; their logins end."""
    return Closed(ended=services.people.disable(user_id, who.user_id, body.reason))


@route(router, "POST", "/users/{user_id}/enable", anywhere(*ADMINS))
def enable(user_id: Id, body: Reason, services: Opened, who: Who) -> Done:
    """Open a closed account again, with the roles that it had."""
    services.people.enable(user_id, who.user_id, body.reason)
    return Done()


@route(router, "PUT", "/users/{user_id}/password", anywhere(*ADMINS))
def set_password(user_id: Id, body: PasswordGiven, services: Opened, who: Who) -> Done:
    """Give somebody else another password, as somebody who gives each of their roles. Their logins end."""
    services.people.set_password(user_id, body.password, who.user_id, body.reason)
    return Done()


@route(router, "GET", "/access-requests", LOGGED_IN, 404)
def visits(services: Opened, who: Who, environment: Annotated[EnvironmentName | None, Query()] = None) -> list[Visit]:
    """Requests for access for a time, newest first: one's own, and those of environments in which one is an admin."""
    answers_for = {each.environment for each in who.entries if each.role in ADMINS}
    found = services.visits.list(environment)
    return [each for each in found if each.email == who.email or each.environment in answers_for]


@route(router, "POST", "/access-requests", LOGGED_IN, 404, status_code=201)
def request_visit(body: VisitRequest, services: Opened, who: Who) -> Made:
    """Ask to be let into an environment for some hours."""
    return Made(id=services.visits.request(who.user_id, body.environment, body.hours, body.reason, body.role))


@route(router, "POST", "/access-requests/{request_id}/grant", anywhere(*ADMINS))
def grant_visit(request_id: Id, services: Opened, who: Who) -> LetIn:
    """Let the requester in from now on."""
    return LetIn(until=services.visits.grant(request_id, who.user_id))


@route(router, "POST", "/access-requests/{request_id}/refuse", anywhere(*ADMINS))
def refuse_visit(request_id: Id, body: Reason, services: Opened, who: Who) -> Done:
    """Say no to a request."""
    services.visits.refuse(request_id, who.user_id, body.reason)
    return Done()


@route(router, "POST", "/access-requests/{request_id}/end", LOGGED_IN)
def end_visit(request_id: Id, body: Reason, services: Opened, who: Who) -> Done:
    """End access before its time: one's own, or as an admin of the environment."""
    services.visits.end(request_id, who.user_id, body.reason)
    return Done()


@route(router, "GET", "/environments/{environment}/entries", in_environment(*ADMINS))
def entries(environment: EnvironmentName, services: Opened, who: Who) -> list[EntryNotice]:
    """Who entered an environment and why, newest first."""
    return list(services.visits.notices(environment, who.user_id))
