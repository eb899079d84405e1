"""One person's data out of an environment, on their request."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from wisqu_pipelines.api.access import ADMINS, Opened, Who, in_environment, route
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import EnvironmentName, Id, Limit, Reason, ReasonText, UserName
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.erasure.report import ErasedAgain, ErasurePreview, ErasureReport
from wisqu_pipelines.errors import ErasureNotFound

router = APIRouter(prefix="/v1", tags=["erasure"], route_class=IdempotentRoute)
_ALL = "/environments/{environment}/erasures"
_ONE = _ALL + "/{erasure_id}"
_RULE = in_environment(*ADMINS)


class ErasureRequest(BaseModel):
    """Whose data, and for which case."""

    model_config = ConfigDict(extra="forbid")

    user: UserName
    reason: ReasonText
    """The number of the case; it is kept for good, so no names."""


class Certificate(BaseModel):
    """What was erased: hashes and counts, no content."""

    certificate: dict[str, Any]
    digest: str
    """SHA-256 of the certificate's canonical JSON; the environment's audit has it too."""
    again: list[dict[str, Any]]
    """When it was done again after a restore."""


@route(router, "GET", f"{_ALL}/preview", _RULE)
def preview_erasure(
    environment: EnvironmentName, services: Opened, user: Annotated[UserName, Query()]
) -> ErasurePreview:
    """What an erasure would take now, and what would stop it; nothing is changed."""
    return services.erasures.preview(environment, user)


@route(router, "GET", _ALL, _RULE)
def erasures(
    environment: EnvironmentName, services: Opened, limit: Annotated[Limit, Query()] = 50
) -> list[ErasureReport]:
    """An environment's erasures, newest first."""
    return list(services.erasures.list(environment, limit))


@route(router, "POST", _ALL, _RULE, status_code=201)
def request_erasure(environment: EnvironmentName, body: ErasureRequest, services: Opened, who: Who) -> ErasureReport:
    """Ask for an erasure; somebody else approves it."""
    return services.erasures.request(environment, body.user, who.user_id, body.reason)


@route(router, "POST", f"{_ALL}/reapply", _RULE)
def reapply_erasures(environment: EnvironmentName, services: Opened, who: Who) -> list[ErasedAgain]:
    """Erase again what a restore from a backup brought back."""
    return list(services.erasures.reapply(environment, who.user_id))


@route(router, "GET", _ONE, _RULE)
def one_erasure(environment: EnvironmentName, erasure_id: Id, services: Opened) -> ErasureReport:
    """How an erasure stands."""
    return _of(services, environment, erasure_id)


@route(router, "GET", _ONE + "/certificate", _RULE, 409)
def erasure_certificate(environment: EnvironmentName, erasure_id: Id, services: Opened) -> Certificate:
    """The certificate of an erasure that is done."""
    _of(services, environment, erasure_id)
    return Certificate(**services.erasures.certificate(erasure_id))


@route(router, "POST", _ONE + "/approve", _RULE)
def approve_erasure(environment: EnvironmentName, erasure_id: Id, services: Opened, who: Who) -> ErasureReport:
    """Let an erasure happen that somebody else asked for. The approval is signed."""
    _of(services, environment, erasure_id)
    return services.erasures.approve(erasure_id, who.user_id)


@route(router, "POST", _ONE + "/reject", _RULE)
def reject_erasure(
    environment: EnvironmentName, erasure_id: Id, body: Reason, services: Opened, who: Who
) -> ErasureReport:
    """Say no to an erasure that has not begun."""
    _of(services, environment, erasure_id)
    return services.erasures.reject(erasure_id, who.user_id, body.reason)


@route(router, "POST", _ONE + "/run", _RULE)
def run_erasure(environment: EnvironmentName, erasure_id: Id, services: Opened, who: Who) -> ErasureReport:
    """Carry out an approved erasure, or finish one that was interrupted."""
    _of(services, environment, erasure_id)
    return services.erasures.run(erasure_id, who.user_id)


def _of(services: Services, environment: str, erasure_id: UUID) -> ErasureReport:
    """An erasure, if it is of the environment that the address names: that is where the caller's role was looked at.

    Raises:
        ErasureNotFound: it is not.
    """
    found = services.erasures.status(erasure_id)
    if found.environment != environment:
        raise ErasureNotFound(erasure_id=str(erasure_id))
    return found
