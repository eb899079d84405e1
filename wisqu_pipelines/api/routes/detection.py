"""Asking whether something is test data, and answering for what waits."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from wisqu_pipelines.api.access import DEVELOPERS, LOGGED_IN, STAFF, Opened, Who, in_environment, route
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import Done, EnvironmentName, Id, Limit, ReasonText
from wisqu_pipelines.detection.evidence import Decision, Evidence, FieldKind
from wisqu_pipelines.detection.reviews import Review

router = APIRouter(prefix="/v1", tags=["detection"], route_class=IdempotentRoute)


class TextRequest(BaseModel):
    """A text, the environment by whose rules it is judged, and what kind of text it is."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=100_000, examples=["Test user 12"])]
    environment: EnvironmentName
    kind: FieldKind = FieldKind.PROSE


class Judged(BaseModel):
    """What detection makes of a text."""

    decision: Decision
    is_test_data: bool
    score: float
    reason: str
    evidence: list[Evidence]


class Waiting(BaseModel):
    """The likeliest test data first, and how many wait in all."""

    items: list[Review]
    total: int


class ReviewAnswer(BaseModel):
    """What it is."""

    model_config = ConfigDict(extra="forbid")

    is_test_data: bool
    reason: ReasonText | None = None


@route(router, "POST", "/detect", LOGGED_IN, 404)
def detect(body: TextRequest, services: Opened) -> Judged:
    """Whether a text is test data, and what speaks for and against it."""
    services.settings.environment(body.environment)
    verdict = services.detection(body.environment).judge().judge(body.text, body.kind)
    return Judged(
        decision=verdict.decision,
        is_test_data=verdict.is_test_data,
        score=verdict.score,
        reason=verdict.reason,
        evidence=list(verdict.evidence),
    )


@route(router, "GET", "/environments/{environment}/reviews", in_environment(*STAFF))
def reviews(environment: EnvironmentName, services: Opened, limit: Annotated[Limit, Query()] = 50) -> Waiting:
    """What waits for a person to say whether it is test data."""
    found, total = services.detection(environment).waiting(limit)
    return Waiting(items=found, total=total)


@route(router, "POST", "/environments/{environment}/reviews/{item_id}", in_environment(*DEVELOPERS))
def answer(environment: EnvironmentName, item_id: Id, body: ReviewAnswer, services: Opened, who: Who) -> Done:
    """Say whether an item that waits is test data."""
    services.detection(environment).decide(
        item_id, is_test_data=body.is_test_data, person=who.user_id, reason=body.reason
    )
    return Done()
