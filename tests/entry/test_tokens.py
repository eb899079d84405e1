"""Which tokens open an environment's app, and what is said to the others."""

import asyncio
import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import OKPKey
from structlog.testing import capture_logs

from tests.entry.sample import REASON, Doors, bearer, get, get_all
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, TESTER
from wisqu_pipelines.identity.keys import ALGORITHM, environment_purpose

ENVIRONMENTS = ("dev", "stage", "prod")
REFUSED = {
    "type": "urn:wisqu:problem:TokenRefused",
    "title": "TokenRefused",
    "status": 401,
    "detail": "The token is not valid.",
}


def assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == REFUSED


def test_the_entrance_knows_no_other_door_of_the_project() -> None:
    script = (
        "import sys, wisqu_pipelines.entry.guards, wisqu_pipelines.entry.entrance\n"
        "foreign = ('bootstrap', 'api', 'cli', 'promotion', 'storage', 'ingest', 'definitions')\n"
        "print([each for each in sys.modules if each == 'dagster' or\n"
        "       each.startswith(tuple(f'wisqu_pipelines.{name}' for name in foreign))\n"
        "       and not each.startswith('wisqu_pipelines.storage_')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_each_token_opens_its_own_environment_and_no_other(doors: Doors) -> None:
    apps = {name: doors.app(name) for name in ENVIRONMENTS}
    tokens = {name: doors.token(DEVELOPER, name) for name in ENVIRONMENTS}

    answers = {(token, app): get(apps[app], "/me", tokens[token]) for token in tokens for app in apps}

    for (token, app), answer in answers.items():
        if token == app:
            assert answer.status_code == 200, (token, app, answer.text)
        else:
            assert_refused(answer)
    assert all(len(doors.logins(name)) == 1 for name in ENVIRONMENTS), "a refused token leaves nothing behind"


def test_the_app_knows_who_calls_and_why(doors: Doors) -> None:
    person = doors.central(DEVELOPER)

    said = get(doors.app("prod"), "/me", doors.token(DEVELOPER, "prod")).json()

    token_id = said.pop("token_id")
    assert said == {
        "id": str(person.id),
        "email": DEVELOPER,
        "role": "developer",
        "is_test_account": False,
        "test_accounts": True,
        "reason": REASON,
        "expires_at": (doors.clock.now() + timedelta(minutes=15)).isoformat().replace("+00:00", "Z"),
    }
    assert token_id == (doors.logins("prod")[0].details or {})["token_id"]


def test_who_brings_no_token_goes_on_as_nobody(doors: Doors) -> None:
    app = doors.app("dev")

    assert get(app, "/open").json() == {"email": None}
    assert get(app, "/open", Authorization="Basic ZGFuYTpwYXNzd29yZA==").json() == {"email": None}
    nobody = get(app, "/me")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
    assert nobody.json()["title"] == "NotLoggedIn"


@pytest.mark.parametrize(
    "given", ["Bearer", "Bearer ", "bearer x", "Bearer a.b.c", "BEARER " + "x" * 9_000, "Bearer é"]
)
def test_what_is_no_token_is_refused_even_where_none_is_needed(doors: Doors, given: str) -> None:
    app = doors.app("dev")

    headers = [(b"authorization", given.encode("latin-1"))]
    with httpx.Client(transport=_Raw(app, headers), base_url="http://app") as client:
        assert_refused(client.get("/open"))


def test_two_tokens_are_none(doors: Doors) -> None:
    app, token = doors.app("dev"), doors.token(ADMIN, "dev")

    with httpx.Client(transport=_Raw(app, [(b"authorization", f"Bearer {token}".encode())] * 2)) as client:
        assert_refused(client.get("http://app/open"))


@pytest.mark.parametrize(
    "claims",
    [
        {"environment": "prod"},
        {"environment": None},
        {"email": None},
        {"email": "a" * 256},
        {"email": "a\0b@example.org"},
        {"role": ["admin"]},
        {"role": ""},
        {"name": 7},
        {"test_accounts": 1},
        {"reason": {"why": "because"}},
        {"sid": None},
    ],
)
def test_a_signed_token_with_claims_that_are_not_ours_is_refused(doors: Doors, claims: dict[str, Any]) -> None:
    assert_refused(get(doors.app("dev"), "/open", doors.signed("dev", **claims)))


def test_forged_tokens_are_refused_and_the_log_says_why_without_the_token(doors: Doors) -> None:
    app = doors.app("dev")
    real = doors.token(DEVELOPER, "dev")
    header, claims, signature = real.split(".")
    stranger = OKPKey.generate_key(ALGORITHM, {"kid": str(doors.ring("dev").signing_key(doors.clock.now()).kid)})
    prod = doors.services.keys[environment_purpose("prod")].signing_key(doors.clock.now())
    forged = {
        "another key under the right id": doors.signed("dev", stranger),
        "another environment's key": doors.signed("dev", prod),
        "another signature": f"{header}.{claims}.{signature[:-4]}AAAA",
        "no signature": f"{header}.{claims}.",
        "other claims": f"{header}.{claims[:-4]}AAAA.{signature}",
        "an access token": doors.services.identity.login_known(doors.central(ADMIN).id, "demo").access_token,
    }

    for what, token in forged.items():
        with capture_logs() as logged:
            answer = get(app, "/me", token)
        assert answer.json() == REFUSED, what
        assert [each["event"] for each in logged] == ["not let in"]
        assert "TokenRefused" in json.dumps(logged)
        assert token not in json.dumps(logged)
        assert token.split(".")[1] not in json.dumps(logged)
    assert doors.logins("dev") == []


def test_a_token_ends_with_its_time_even_if_it_is_remembered(doors: Doors) -> None:
    app, token = doors.app("stage"), doors.token(TESTER, "stage")
    assert get(app, "/me", token).status_code == 200

    doors.clock.advance(timedelta(minutes=15, seconds=-1))
    assert get(app, "/me", token).status_code == 200
    doors.clock.advance(timedelta(seconds=1))
    assert_refused(get(app, "/me", token))


def test_a_taken_role_voids_the_token_that_is_in_use(doors: Doors) -> None:
    app, token = doors.app("stage"), doors.token(TESTER, "stage")
    doors.clock.advance(timedelta(seconds=5))
    assert get(app, "/me", token).status_code == 200

    doors.services.people.revoke(TESTER, "stage", ADMIN, "left the testing team")

    assert_refused(get(app, "/me", token))
    assert get(doors.app("stage"), "/me", token).status_code == 401, "also where it was never seen"
    assert get(app, "/me", doors.token(ADMIN, "stage")).status_code == 200, "others stay"


def test_a_token_of_the_second_of_the_change_is_void_and_one_of_the_next_is_not(doors: Doors) -> None:
    app = doors.app("stage")
    doors.clock.advance(timedelta(milliseconds=700))
    doors.services.people.grant(TESTER, "stage", "developer", ADMIN, "joins the developers")
    doors.clock.advance(timedelta(milliseconds=200))
    same_second = doors.token(TESTER, "stage")
    doors.clock.advance(timedelta(milliseconds=100))
    next_second = doors.token(TESTER, "stage")

    assert_refused(get(app, "/me", same_second))
    assert get(app, "/me", next_second).json()["role"] == "developer"


def test_keys_are_rotated_without_anybody_being_locked_out(doors: Doors) -> None:
    app, ring = doors.app("dev"), doors.ring("dev")
    old = ring.signing_key(doors.clock.now()).kid
    before = doors.token(DEVELOPER, "dev")
    assert get(app, "/me", before).status_code == 200

    doors.clock.advance(timedelta(minutes=1))  # keys know the second in which they were made
    new = ring.rotate(doors.clock.now())
    assert get(app, "/me", before).status_code == 200
    doors.clock.advance(timedelta(minutes=2))
    after = doors.token(DEVELOPER, "dev")
    assert ring.signing_key(doors.clock.now()).kid == new
    assert [each.status_code for each in get_all(app, [("/me", before), ("/me", after)])] == [200, 200]

    ring.revoke(str(old))
    assert_refused(get(app, "/me", before))
    assert get(app, "/me", after).status_code == 200


class _Raw(httpx.BaseTransport):
    """Sends headers to an app as they are; clients put them in order."""

    def __init__(self, app: Any, headers: list[tuple[bytes, bytes]]) -> None:
        self._app = app
        self._headers = headers

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sent: list[dict[str, Any]] = []

        async def run() -> None:
            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            scope = {
                "type": "http",
                "method": request.method,
                "path": request.url.path,
                "raw_path": request.url.raw_path,
                "query_string": b"",
                "headers": self._headers,
                "client": ("203.0.113.7", 1),
                "server": ("app", 80),
                "scheme": "http",
                "http_version": "1.1",
            }
            await self._app(scope, receive, send)

        asyncio.run(run())
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"])


def test_a_websocket_needs_a_token_of_this_environment_too(doors: Doors) -> None:
    app = doors.app("dev")
    foreign = bearer(doors.token(DEVELOPER, "stage"))["Authorization"].encode()
    sent: list[Any] = []

    async def connect(extensions: dict[str, Any]) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"authorization", foreign)]
        scope = {"type": "websocket", "path": "/x", "headers": headers, "client": None, "extensions": extensions}
        await app(scope, receive, send)

    asyncio.run(connect({}))
    asyncio.run(connect({"websocket.http.response": {}}))

    assert sent[0] == {"type": "websocket.close", "code": 1008}
    assert (sent[1]["type"], sent[1]["status"]) == ("websocket.http.response.start", 401)
    assert json.loads(sent[2]["body"]) == REFUSED
