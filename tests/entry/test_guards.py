"""What routes ask of whoever calls them."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.entry.sample import Doors, bearer, get
from tests.entry.test_test_accounts import login, made
from wisqu_pipelines.entry.guards import current_user, guarded, install, require_non_test_account, require_role
from wisqu_pipelines.entry.middleware import EntryMiddleware
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, TESTER

PATHS = ("/open", "/me", "/admin", "/own", "/reasoned", "/decorated")


def statuses(doors: Doors, token: str | None) -> list[int]:
    app = doors.app("stage")
    return [get(app, path, token).status_code for path in PATHS]


def test_nobody_gets_past_no_guard(doors: Doors) -> None:
    assert statuses(doors, None) == [200, 401, 401, 401, 401, 401]


@pytest.mark.parametrize(
    ("person", "reason", "expected"),
    [
        (ADMIN, None, [200, 200, 200, 200, 403, 403]),
        (ADMIN, "looking after it", [200, 200, 200, 200, 200, 200]),
        (TESTER, None, [200, 200, 403, 200, 403, 403]),
        (DEVELOPER, "looking after it", [200, 200, 403, 200, 200, 403]),
    ],
)
def test_each_guard_asks_for_what_it_says(doors: Doors, person: str, reason: str | None, expected: list[int]) -> None:
    assert statuses(doors, doors.token(person, "stage", reason)) == expected


def test_a_test_account_is_no_person(doors: Doors) -> None:
    assert statuses(doors, login(doors, made(doors))) == [200, 200, 403, 403, 403, 403]


def test_a_refusal_is_a_problem_that_says_what_it_takes(doors: Doors) -> None:
    app, token = doors.app("stage"), doors.token(TESTER, "stage", None)

    answers = {path: get(app, path, token) for path in ("/admin", "/reasoned", "/decorated")}

    assert {each.headers["content-type"] for each in answers.values()} == {"application/problem+json"}
    assert answers["/admin"].json() == {
        "type": "urn:wisqu:problem:RoleMissing",
        "title": "RoleMissing",
        "status": 403,
        "detail": "It takes one of the roles: admin, superadmin.",
    }
    assert answers["/reasoned"].json()["title"] == "ReasonMissing"
    assert answers["/decorated"].json()["title"] == "RoleMissing"


def test_only_the_entrance_says_who_calls(doors: Doors) -> None:
    seen: list[object] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["state"]["user"])

    async def nothing(*_: object) -> Any:
        raise AssertionError("nobody asks, and nobody is told")

    claimed = {"type": "http", "headers": [], "state": {"user": "somebody", "request_id": "1"}}
    asyncio.run(EntryMiddleware(app, doors.entrance("stage"))(claimed, nothing, nothing))

    assert seen == [None]
    assert claimed["state"] == {"user": None, "request_id": "1"}


def test_starlette_endpoints_are_guarded_by_a_decorator(doors: Doors) -> None:
    @guarded(require_role("tester"))
    async def waiting(request: Request) -> PlainTextResponse:
        return PlainTextResponse(current_user(request).email)

    @guarded(require_non_test_account)
    def blocking(request: Request) -> PlainTextResponse:
        return PlainTextResponse(current_user(request).role)

    app = Starlette(routes=[Route("/waiting", waiting), Route("/blocking", blocking)])
    install(app, doors.entrance("stage"))
    tester, admin = doors.token(TESTER, "stage"), doors.token(ADMIN, "stage")

    async def ask() -> list[tuple[int, str]]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            answers = [
                await client.get(path, headers=bearer(token))
                for path in ("/waiting", "/blocking")
                for token in (None, tester, admin)
            ]
        return [(each.status_code, each.text if each.status_code == 200 else each.json()["title"]) for each in answers]

    assert asyncio.run(ask()) == [
        (401, "NotLoggedIn"),
        (200, TESTER),
        (403, "RoleMissing"),
        (401, "NotLoggedIn"),
        (200, "tester"),
        (200, "admin"),
    ]
