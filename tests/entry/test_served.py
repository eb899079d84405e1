"""The sample app as it is really served, with an identity service that is really asked."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.entry.sample import Doors, bearer, sample_app
from tests.ports.proxies import HOST, free_port
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.entry.entrance import Entrance
from wisqu_pipelines.entry.feed import IdentityFeed
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, TESTER
from wisqu_pipelines.identity.keys import environment_purpose
from wisqu_pipelines.identity.service import environment_kind
from wisqu_pipelines.ports.clock import SystemClock
from wisqu_pipelines.storage.memory.clock import ManualClock

ENVIRONMENTS = ("dev", "stage", "prod")
SECONDS = 30


@contextmanager
def served(app: Starlette, port: int) -> Iterator[str]:
    """An app on a port of its own, in a thread of its own; with its lifespan."""
    server = uvicorn.Server(uvicorn.Config(app, HOST, port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + SECONDS
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join(SECONDS)


def identity_server(services: Services) -> Starlette:
    """What the API serves to environments, and no more."""

    def keys(request: Request) -> JSONResponse:
        return JSONResponse(services.keys[environment_purpose(request.path_params["name"])].jwks())

    def cutoffs(request: Request) -> JSONResponse:
        found = services.identity.cutoffs(request.path_params["name"])
        told = [
            {"user_id": str(each.user_id), "not_before": each.not_before.isoformat().replace("+00:00", "Z")}
            for each in found
        ]
        return JSONResponse({"cutoffs": told})

    return Starlette(
        routes=[
            Route("/v1/environments/{name}/jwks.json", keys),
            Route("/v1/environments/{name}/cutoffs", cutoffs),
        ]
    )


def app_of(services: Services, environment: str, issuer: str) -> Starlette:
    """An environment's app as it would run: by the machine's clock."""
    feed = IdentityFeed(issuer, environment, every=timedelta(milliseconds=100))
    kind = environment_kind(services.settings, environment)
    return sample_app(Entrance(environment, kind, services.environments[environment].database, feed, SystemClock()))


def wait_for(client: httpx.Client, url: str, token: str, status: int) -> None:
    deadline = time.monotonic() + SECONDS
    while (found := client.get(url, headers=bearer(token)).status_code) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.fixture
def now(services: Services) -> Doors:
    """Tokens of this very moment."""
    return Doors(services, ManualClock(SystemClock().now()))


def test_three_served_environments_and_one_identity_service(services: Services, now: Doors) -> None:
    identity_port = free_port()
    with ExitStack() as opened:
        opened.enter_context(served(identity_server(services), identity_port))
        issuer = f"http://{HOST}:{identity_port}"
        urls = {
            name: opened.enter_context(served(app_of(services, name, issuer), free_port())) for name in ENVIRONMENTS
        }
        client = opened.enter_context(httpx.Client())
        tokens = {name: now.token(DEVELOPER, name) for name in ENVIRONMENTS}

        found = {
            (token, app): client.get(f"{urls[app]}/me", headers=bearer(tokens[token])).status_code
            for token in tokens
            for app in urls
        }
        assert found == {(token, app): 200 if token == app else 401 for token in tokens for app in urls}
        assert sum(thread.name.startswith("feed ") for thread in threading.enumerate()) == 3

        tester = now.token(TESTER, "stage")
        assert client.get(f"{urls['stage']}/me", headers=bearer(tester)).status_code == 200
        services.people.revoke(TESTER, "stage", ADMIN, "left the testing team")
        wait_for(client, f"{urls['stage']}/me", tester, 401)
        assert client.get(f"{urls['stage']}/me", headers=bearer(tokens["stage"])).status_code == 200

        ring = services.keys[environment_purpose("dev")]
        old = ring.signing_key(SystemClock().now())
        ring.rotate(SystemClock().now() - timedelta(minutes=5))  # as if it had been published for long enough
        rotated = now.token(DEVELOPER, "dev")
        wait_for(client, f"{urls['dev']}/me", rotated, 200)
        assert client.get(f"{urls['dev']}/me", headers=bearer(tokens["dev"])).status_code == 200
        ring.revoke(str(old.kid))
        wait_for(client, f"{urls['dev']}/me", tokens["dev"], 401)
        assert client.get(f"{urls['dev']}/me", headers=bearer(rotated)).status_code == 200

    assert not any(thread.name.startswith("feed ") for thread in threading.enumerate()), "the lifespan ended them"


def test_an_app_that_starts_before_the_identity_service_waits_for_it_with_503(services: Services, now: Doors) -> None:
    port, token = free_port(), now.token(ADMIN, "dev")
    with served(app_of(services, "dev", f"http://{HOST}:{port}"), free_port()) as url, httpx.Client() as client:
        answer = client.get(f"{url}/me", headers=bearer(token))
        assert (answer.status_code, answer.json()["title"]) == (503, "EntryUnavailable")
        assert client.get(f"{url}/open").status_code == 200

        with served(identity_server(services), port):
            wait_for(client, f"{url}/me", token, 200)


def test_the_projects_own_api_is_such_an_identity_service(services: Services) -> None:
    services.people.revoke(TESTER, "stage", ADMIN, "left the testing team")
    with served(create_app(services), free_port()) as url:
        feed = IdentityFeed(url, "stage")
        assert feed.refresh()

    ring = services.keys[environment_purpose("stage")]
    assert [each.kid for each in feed.keys().keys] == [each["kid"] for each in ring.jwks()["keys"]]
    (told,) = services.identity.cutoffs("stage")
    assert feed.not_before(told.user_id) == told.not_before
