"""What the entrance adds to a request: one app with it and without it, asked in turn in one loop, without a network."""

import asyncio
import statistics
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import closing
from datetime import timedelta
from time import perf_counter
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI, Request
from starlette.types import ASGIApp

from benchmarks.ratios import Ratio, ratio
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.entry.entrance import Entrance
from wisqu_pipelines.entry.feed import IdentityFeed
from wisqu_pipelines.entry.middleware import EntryMiddleware
from wisqu_pipelines.identity.keys import environment_purpose
from wisqu_pipelines.identity.service import environment_kind
from wisqu_pipelines.identity.tokens import sign
from wisqu_pipelines.settings import Settings

ENVIRONMENT = "dev"
PEOPLE = 100
"""Who are in at the same time; each has made a first request, which is not measured."""
REQUESTS = 3_000
"""Of each side, in each round."""
CUTOFFS = 1_000
"""Other people's tokens that are void."""
MOST_SECONDS = 0.000_3


def measure(settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratio of the goal to the difference of the medians: of the median round."""
    app = FastAPI()

    @app.get("/documents")
    async def documents(request: Request) -> dict[str, str]:
        user = getattr(request.state, "user", None)
        return {"email": "nobody" if user is None else user.email}

    with open_services(settings) as services, closing(_feed(services)) as feed:
        kind = environment_kind(settings, ENVIRONMENT)
        database = services.environments[ENVIRONMENT].database
        entered = EntryMiddleware(app, Entrance(ENVIRONMENT, kind, database, feed, services.clock))
        tokens = [_token(services) for _ in range(PEOPLE)]
        added = asyncio.run(_added(app, entered, tokens, rounds))
    yield ratio("what the entrance adds to a request at the median, against 0.3 ms", 1.0, added, MOST_SECONDS)


async def _added(bare: ASGIApp, entered: ASGIApp, tokens: Sequence[str], rounds: int) -> float:
    for token in tokens:
        await _seconds(entered, token, enters=True)
    found = []
    for _ in range(rounds):
        without: list[float] = []
        with_it: list[float] = []
        for n in range(REQUESTS):
            token = tokens[n % len(tokens)]
            without.append(await _seconds(bare, token, enters=False))
            with_it.append(await _seconds(entered, token, enters=True))
        found.append(statistics.median(with_it) - statistics.median(without))
    return statistics.median(found)


async def _seconds(app: ASGIApp, token: str, *, enters: bool) -> float:
    """How long one request takes that is answered as it must be."""
    answers: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/documents",
        "raw_path": b"/documents",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"dev.wisqu.com"),
            (b"user-agent", b"bench"),
            (b"accept", b"*/*"),
            (b"authorization", f"Bearer {token}".encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    started = perf_counter()
    await app(scope, receive, send)
    took = perf_counter() - started
    assert (answers[0]["status"], b"nobody" in answers[1]["body"]) == (200, not enters), answers
    return took


def _feed(services: Services) -> IdentityFeed:
    """What asks an identity service that needs no network."""
    ring = services.keys[environment_purpose(ENVIRONMENT)]
    cutoffs = [{"user_id": str(uuid4()), "not_before": services.clock.now().isoformat()} for _ in range(CUTOFFS)]

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"cutoffs": cutoffs} if request.url.path.endswith("cutoffs") else ring.jwks())

    return IdentityFeed("https://auth.wisqu.com", ENVIRONMENT, httpx.Client(transport=httpx.MockTransport(answer)))


def _token(services: Services) -> str:
    now = services.clock.now()
    person = uuid4()
    claims = {
        "environment": ENVIRONMENT,
        "email": f"{person.hex}@example.org",
        "name": "Bench",
        "role": "developer",
        "test_accounts": True,
        "reason": "measuring the entrance",
        "sid": str(uuid4()),
    }
    key = services.keys[environment_purpose(ENVIRONMENT)].signing_key(now)
    return sign(key, environment_kind(services.settings, ENVIRONMENT), person, now, timedelta(minutes=15), claims)[0]
