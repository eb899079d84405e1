"""POSTs that a client may send again: the same `Idempotency-Key` is done once, and answered again.

As in the IETF's draft-ietf-httpapi-idempotency-key-header: a key belongs to whoever sent it and to that very request.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from wisqu_pipelines.api.access import services_of
from wisqu_pipelines.api.problems import problem
from wisqu_pipelines.api.schemas import SECRET_ANSWER
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import TokenRefused
from wisqu_pipelines.identity.models import IdempotencyKey

HEADER = "idempotency-key"
LONGEST = 255
KEPT = timedelta(hours=24)
"""How long an answer is given again."""
ABANDONED = timedelta(minutes=10)
"""After which a request that was never answered may be sent again: its process is gone."""
REPLAYED = "Idempotent-Replayed"


class IdempotentRoute(APIRoute):
    """A route whose POSTs heed `Idempotency-Key`."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """The handler, with the key looked at before and the answer kept after it."""
        handle = super().get_route_handler()
        is_secret = bool((self.openapi_extra or {}).get(SECRET_ANSWER))

        async def handler(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if request.method != "POST" or key is None:
                return await handle(request)
            return await _once(request, key, is_secret, handle)

        return handler


async def _once(request: Request, key: str, is_secret: bool, handle: Callable[[Request], Any]) -> Response:
    if not 1 <= len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        return problem(request, 400, "BadRequest", f"{HEADER} takes 1 to {LONGEST} printable ASCII characters.")
    services = services_of(request)
    person = await run_in_threadpool(_person, services, request)
    if person is None:
        answer: Response = await handle(request)  # whoever is not logged in has no keys
        return answer
    told = f"{request.method} {request.url.path}\n".encode() + await request.body()
    hashed = hashlib.sha256(told).hexdigest()
    kept = await run_in_threadpool(_begin, services, person, key, hashed)
    if kept is not None:
        return _again(request, kept, hashed)
    try:
        answer = await handle(request)
    except BaseException:
        await run_in_threadpool(_forget, services, person, key)  # a refusal changed nothing: it may be tried again
        raise
    body = bytes(answer.body).decode()
    await run_in_threadpool(_keep, services, person, key, answer.status_code, None if is_secret else body)
    return answer


def _person(services: Services, request: Request) -> UUID | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        return services.identity.authenticate(token.strip()).user_id
    except TokenRefused:
        return None


def _begin(services: Services, person: UUID, key: str, hashed: str) -> IdempotencyKey | None:
    """Claim a key; or what is kept of it."""
    now = services.clock.now()
    with services.control.begin() as session:
        session.execute(
            delete(IdempotencyKey).where(
                (IdempotencyKey.created_at < now - KEPT)
                | (IdempotencyKey.status.is_(None) & (IdempotencyKey.created_at < now - ABANDONED))
            )
        )
        claimed = session.scalar(
            insert(IdempotencyKey)
            .values(user_id=person, key=key, request_hash=hashed, created_at=now)
            .on_conflict_do_nothing()
            .returning(IdempotencyKey.key)
        )
        return None if claimed is not None else session.get_one(IdempotencyKey, (person, key))


def _keep(services: Services, person: UUID, key: str, status: int, body: str | None) -> None:
    with services.control.begin() as session:
        kept = session.get(IdempotencyKey, (person, key))
        if kept is not None:
            kept.status, kept.answer = status, body


def _forget(services: Services, person: UUID, key: str) -> None:
    with services.control.begin() as session:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.user_id == person, IdempotencyKey.key == key))


def _again(request: Request, kept: IdempotencyKey, hashed: str) -> Response:
    if kept.request_hash != hashed:
        return problem(request, 422, "BadRequest", f"This {HEADER} was used for another request.")
    if kept.status is None:
        return problem(request, 409, "InProgress", "The first request with this key is being done; try again later.")
    if kept.answer is None:
        detail = "This was done with the first request; its answer held a secret, which is shown once."
        return problem(request, 409, "ShownOnce", detail)
    answer = JSONResponse(None, kept.status, {REPLAYED: "true"})
    answer.body = kept.answer.encode()
    answer.headers["content-length"] = str(len(answer.body))
    return answer
