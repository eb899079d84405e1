"""The page for approvers, as a browser without scripts uses it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import update

from tests.promotion.world import World
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.api.page.visit import ACCESS, FORM, REFRESH, own_path
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.identity import passwords, people
from wisqu_pipelines.identity.demo_people import ADMIN, AUTOMATION, DEVELOPER, SUPERADMIN
from wisqu_pipelines.promotion.freezes import FreezeService
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.windows import OneOff

PASSWORD = "correct horse battery staple"
PLACE = "https://auth.wisqu.com"


@pytest.fixture
def browser(services: Services) -> Iterator[TestClient]:
    with TestClient(
        create_app(services), base_url=PLACE, raise_server_exceptions=False, follow_redirects=False
    ) as client:
        yield client


@pytest.fixture
def world(services: Services) -> World:
    return World(services)


def log_in(browser: TestClient, services: Services, email: str = ADMIN, **fields: str) -> Response:
    with services.control.begin() as session:
        people.find(session, email).password_hash = passwords.hash_password(PASSWORD)
    answer: Response = browser.post("/approvals/login", data={"email": email, "password": PASSWORD, **fields})
    return answer


def planned(world: World, by: str = DEVELOPER, **document: Any) -> UUID:
    world.document(env="stage", **document)
    with world.services.control.begin() as session:
        person = people.find(session, by).id
    made = world.services.promotions.preview_promotion(
        "rag_documents", "stage", "prod", requested_by_user_id=person, reason="the week's <b>guides</b>"
    )
    return made.promotion_id


def send(browser: TestClient, promotion: UUID, act: str, **fields: str) -> Response:
    return press(browser, f"/approvals/promotions/{promotion}", act, **fields)


def press(browser: TestClient, place: str, act: str, **fields: str) -> Response:
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get(place).text)
    assert token is not None
    answer: Response = browser.post(f"{place}/{act}", data={"form_token": token[1], **fields})
    return answer


def state(world: World, promotion: UUID) -> PromotionState:
    return world.services.promotions.status(promotion).state


def test_what_changes_is_seen_on_a_telephone_too(browser: TestClient, services: Services, world: World) -> None:
    """Hashes are broken into lines, and on narrow screens the cells stand below each other instead of outside."""
    promotion = planned(world)
    log_in(browser, services)
    assert '<table class="items">' in browser.get(f"/approvals/promotions/{promotion}").text
    style = browser.get("/approvals/style.css").text
    assert "del, ins { overflow-wrap: anywhere; }" in style
    assert re.search(r"@media \(max-width: 36rem\) \{[^@]*\.items td \{ display: block; \}", style)


def test_nobody_sees_anything_without_logging_in(browser: TestClient, world: World) -> None:
    promotion = planned(world)
    for path in ("/approvals", f"/approvals/promotions/{promotion}"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert 'type="password"' in answer.text
        assert "guides" not in answer.text
        assert f'value="{path}"' in answer.text, "and goes on there"
    assert browser.post(f"/approvals/promotions/{promotion}/approve", data={}).status_code == 200
    assert state(world, promotion) == PromotionState.PLANNED


def test_a_wrong_password_is_told_and_keeps_the_address(browser: TestClient, services: Services) -> None:
    log_in(browser, services)
    browser.cookies.clear()
    answer = browser.post("/approvals/login", data={"email": ADMIN, "password": "no"})
    assert answer.status_code == 401
    assert ADMIN in answer.text
    assert not answer.cookies


def test_a_form_with_more_fields_than_any_here_is_refused(browser: TestClient) -> None:
    answer = browser.post("/approvals/login", data={f"field{number}": "x" for number in range(21)})
    assert answer.status_code == 422
    assert "more than 20 fields" in answer.text


def test_cookies_are_for_this_page_alone_and_no_script(browser: TestClient, services: Services) -> None:
    answer = log_in(browser, services, next="/approvals")
    assert (answer.status_code, answer.headers["location"]) == (303, "/approvals")
    given = answer.headers.get_list("set-cookie")
    assert {each.split("=")[0] for each in given} == {ACCESS, REFRESH, FORM}
    for each in given:
        assert {"HttpOnly", "Path=/approvals", "SameSite=strict", "Secure"} <= set(each.split("; ")), each
    page = browser.get("/approvals")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text
    assert browser.get("/approvals/style.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test/approvals",
        "//evil.test/approvals",
        "/\\evil.test",
        "/v1/people",
        "approvals",
        "/approvals\\x",
    ],
)
def test_it_sends_nobody_elsewhere(browser: TestClient, services: Services, wanted: str) -> None:
    assert own_path(wanted) == "/approvals"
    assert log_in(browser, services, next=wanted).headers["location"] == "/approvals"


def test_what_waits_is_listed_and_shown_as_text(browser: TestClient, services: Services, world: World) -> None:
    promotion = planned(world)
    with services.environments["stage"].database.begin() as session:
        session.execute(update(RagDocument).values(title="<script>alert(1)</script>"))
    other = planned(world)
    log_in(browser, services)
    listed = browser.get("/approvals").text
    assert f"/approvals/promotions/{promotion}" in listed
    assert "the week&#39;s &lt;b&gt;guides&lt;/b&gt;" in listed
    shown = browser.get(f"/approvals/promotions/{other}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script" not in shown
    for said in ("create", DEVELOPER, services.promotions.status(other).plan_digest):
        assert said in shown


def test_approving_and_taking_it_back(browser: TestClient, services: Services, world: World) -> None:
    promotion = planned(world)
    log_in(browser, services)
    answer = send(browser, promotion, "approve", reason="looked through it")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/approvals/promotions/{promotion}?done=approve"
    assert "Your decision is kept: approved." in browser.get(answer.headers["location"]).text
    (given,) = services.promotions.status(promotion).approvals
    assert (given.email, given.decision, given.reason) == (ADMIN, "approve", "looked through it")
    assert send(browser, promotion, "revoke", reason="the wrong week").status_code == 303
    assert services.approvals.standing(promotion) == []


def test_what_has_happened_is_told_as_past_and_what_was_taken_back(
    browser: TestClient, services: Services, world: World
) -> None:
    document = world.document(env="stage")
    promotion = planned(world)
    place = f"/approvals/promotions/{promotion}"
    log_in(browser, services)
    asked = browser.get(place).text
    assert ("What would happen" in asked, "Will be written" in asked) == (True, True)
    services.approvals.grant(promotion, ADMIN)
    assert 'formaction="' in browser.get(place).text, "it can be taken back"
    services.promotions.execute(promotion, run_id="run")
    told = browser.get(place).text
    assert ("What happened" in told, "Was written" in told, "Taken back" in told) == (True, True, False)
    assert ("4 created" in told, "formaction" in told) == (True, False)
    assert "would" not in told.lower()
    services.promotions.rollback_promotion(
        promotion, world.person(ADMIN), "the wrong <b>edition</b>", item_ids=[document]
    )
    told = browser.get(place).text
    assert "succeeded, 2 items taken back" in told
    assert "2 of 4 items" in told
    assert f"asked for by {ADMIN}" in told
    assert "the wrong &lt;b&gt;edition&lt;/b&gt;" in told
    of_item = told[told.index(str(document)) :].partition("</tr>")[0]
    assert "taken back" in of_item
    assert told.partition("<tbody>")[2].count("taken back") == 2, "the document and its file, and no other"


def test_a_promotion_along_a_path_that_is_no_more_is_still_shown(
    browser: TestClient, services: Services, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = planned(world)
    log_in(browser, services)
    monkeypatch.delitem(services.settings.paths, "stage->prod")
    answer = browser.get(f"/approvals/promotions/{promotion}")
    assert answer.status_code == 200
    assert "nobody any more: this path is not configured" in answer.text
    assert ('/approve"' in answer.text, '/reject"' in answer.text) == (False, True)
    assert browser.get("/approvals").status_code == 200


def test_a_closed_path_is_opened_for_it(browser: TestClient, services: Services, world: World) -> None:
    promotion = planned(world)
    services.approvals.grant(promotion, ADMIN)
    place = f"/approvals/promotions/{promotion}"
    log_in(browser, services)
    assert ("override" in browser.get(place).text, "release" in browser.get(place).text) == (False, False)
    now = services.clock.now()
    services.freezes.add("stage->prod", OneOff(now, now + timedelta(days=1)), SUPERADMIN, "a long winter")
    with services.control.begin() as session:
        FreezeService.hold(session, "stage->prod", promotion, "two points differ", now)
    held = browser.get(place).text
    assert ("two points differ" in held, "Open the path again" in held, "/override" in held) == (True, True, False)
    assert send(browser, promotion, "release", reason="  ").status_code == 422
    answer = send(browser, promotion, "release", reason="the index was rebuilt")
    assert "the path is open again" in browser.get(answer.headers["location"]).text
    assert "a long winter" in browser.get(place).text
    assert send(browser, promotion, "override", reason="urgent").status_code == 303
    assert f"{ADMIN} has said so (urgent)" in unescape(browser.get(place).text)
    assert send(browser, promotion, "override", reason="urgent").status_code == 409, "it takes a second person"
    log_in(browser, services, SUPERADMIN)
    assert send(browser, promotion, "override", reason="yes").status_code == 303
    assert services.promotions.status(promotion).waits_for is None


def test_a_plan_that_nobody_can_approve_says_so(browser: TestClient, services: Services, world: World) -> None:
    world.document(env="stage")
    made = services.promotions.preview_promotion("rag_documents", "stage", "prod", requested_via="dagster")
    log_in(browser, services)
    told = browser.get(f"/approvals/promotions/{made.promotion_id}").text
    assert ("It is not known who asked for it" in told, "formaction" in told) == (True, False)
    assert str(made.promotion_id) not in browser.get("/approvals").text


def test_rejecting_takes_a_reason(browser: TestClient, services: Services, world: World) -> None:
    promotion = planned(world)
    log_in(browser, services)
    refused = send(browser, promotion, "reject")
    assert 400 <= refused.status_code < 500
    assert 'role="alert"' in refused.text
    assert state(world, promotion) == PromotionState.PLANNED
    assert send(browser, promotion, "reject", reason="not these guides").status_code == 303
    assert state(world, promotion) == PromotionState.REJECTED


def test_what_the_rules_refuse_is_said_and_nothing_typed_is_lost(
    browser: TestClient, services: Services, world: World
) -> None:
    promotion = planned(world, by=ADMIN)
    log_in(browser, services)
    refused = send(browser, promotion, "approve", reason="my own <plan>")
    assert refused.status_code == 403
    assert 'role="alert"' in refused.text
    assert "my own &lt;plan&gt;</textarea>" in refused.text
    assert state(world, promotion) == PromotionState.PLANNED


def test_another_sites_form_decides_nothing(browser: TestClient, services: Services, world: World) -> None:
    promotion = planned(world)
    log_in(browser, services)
    there = f"/approvals/promotions/{promotion}/approve"
    assert browser.post(there, data={}).status_code == 403
    assert browser.post(there, data={"form_token": "x" * 43}).status_code == 403
    token = browser.cookies[FORM]
    foreign = browser.post(there, data={"form_token": token}, headers={"Origin": "https://evil.test"})
    assert foreign.status_code == 403
    assert state(world, promotion) == PromotionState.PLANNED
    assert browser.post(there, data={"form_token": token}, headers={"Origin": PLACE}).status_code == 303


def test_a_login_goes_on_by_its_refresh_token(browser: TestClient, services: Services, world: World) -> None:
    promotion = planned(world)
    log_in(browser, services)
    first = browser.cookies[REFRESH]
    browser.cookies.delete(ACCESS)
    assert browser.get("/approvals").status_code == 200
    assert browser.cookies[REFRESH] != first
    browser.cookies.delete(ACCESS)
    token = browser.cookies[FORM]
    answer = browser.post(f"/approvals/promotions/{promotion}/approve", data={"form_token": token})
    assert answer.status_code == 303
    browser.cookies.delete(ACCESS)
    assert ADMIN in browser.get("/approvals").text, "what a refused or redirected answer renewed is kept as well"


def test_logging_out_ends_it_on_the_server(browser: TestClient, services: Services) -> None:
    log_in(browser, services)
    kept = dict(browser.cookies)
    assert browser.post("/approvals/logout", data={}).status_code == 403
    assert browser.post("/approvals/logout", data={"form_token": browser.cookies[FORM]}).status_code == 303
    assert 'type="password"' in browser.get("/approvals").text
    browser.cookies.update(kept)
    assert 'type="password"' in browser.get("/approvals").text


def test_without_a_role_there_is_nothing_to_see(browser: TestClient, services: Services, world: World) -> None:
    promotion = planned(world)
    services.people.create("eve@example.org", "Eve", None, SUPERADMIN, "joins the team on Monday")
    log_in(browser, services, "eve@example.org")
    for path in ("/approvals", f"/approvals/promotions/{promotion}"):
        answer = browser.get(path)
        assert answer.status_code == 403
        assert "guides" not in answer.text


def test_what_is_not_there_is_a_page(browser: TestClient, services: Services) -> None:
    log_in(browser, services)
    for path in ("promotions/nonsense", f"promotions/{UUID(int=0)}", f"sweeps/nowhere/{UUID(int=0)}"):
        answer = browser.get(f"/approvals/{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
    assert AUTOMATION not in browser.get("/approvals").text
    of_nothing = services.promotions.preview_promotion("rag_documents", "stage", "prod").promotion_id
    assert "There is nothing to approve" in browser.get(f"/approvals/promotions/{of_nothing}").text
