"""Sweeps and erasures on the page for approvers."""

import socket
from contextlib import ExitStack
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from tests.api.test_page import PLACE, browser, log_in, press
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.api.page.visit import FORM
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.models import Conversation, RagDocument
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER
from wisqu_pipelines.retention.models import SweepState

__all__ = ["browser"]
WHY = "the <b>spring</b> release"


@pytest.fixture
def prod(services: Services) -> Rows:
    return Rows(services, "prod")


def swept(prod: Rows) -> tuple[UUID, str]:
    """A sweep that waits, asked for by an admin, and its page."""
    prod.document(OLD, title="<script>alert(1)</script>")
    sweep = prod.retention.run(person=ADMIN, reason=WHY).sweep.sweep_id
    assert sweep is not None
    return sweep, f"/approvals/sweeps/prod/{sweep}"


def asked_for(prod: Rows) -> tuple[UUID, str]:
    """An erasure that waits, asked for by an admin, and its page."""
    conversation = prod.conversation()
    with prod.environment.database.begin() as session:
        user = session.get_one(Conversation, conversation).user_id
    erasure = prod.services.erasures.request("prod", user, ADMIN, "the request of case 4711").id
    return erasure, f"/approvals/erasures/{erasure}"


def test_they_are_listed_for_whom_they_concern(browser: TestClient, services: Services, prod: Rows) -> None:
    sweep, erasure = swept(prod)[1], asked_for(prod)[1]
    for path in (sweep, erasure):
        assert 'type="password"' in browser.get(path).text
        assert browser.post(f"{path}/approve", data={}).status_code == 200
    log_in(browser, services, SUPERADMIN)
    listed = browser.get("/approvals").text
    assert sweep in listed
    assert erasure in listed
    assert listed.count(f"Asked for by {ADMIN}") == 2
    assert "the &lt;b&gt;spring&lt;/b&gt; release" in listed
    log_in(browser, services, DEVELOPER)
    listed = browser.get("/approvals").text
    assert erasure not in listed
    assert "4711" not in listed
    for person in (DEVELOPER, TESTER):
        log_in(browser, services, person)
        answer = browser.get(erasure)
        assert answer.status_code == 403
        assert "4711" not in answer.text
        assert browser.get(f"/approvals/erasures/{UUID(int=0)}").status_code == 403, "nor what there is"


def test_a_sweep_is_looked_through_and_approved(browser: TestClient, services: Services, prod: Rows) -> None:
    sweep, place = swept(prod)
    log_in(browser, services, SUPERADMIN)
    shown = browser.get(place).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script" not in shown
    for said in (ADMIN, prod.retention.status(sweep).digest, "rag_documents", "stored_files", "365+: 1"):
        assert said in shown
    answer = press(browser, place, "approve", reason="looked through it")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{place}?done=approve")
    after = browser.get(answer.headers["location"]).text
    assert "Your decision is kept: approved." in after
    assert '<button class="no"' not in after
    assert prod.retention.approved() == [sweep]
    assert place not in browser.get("/approvals").text


def test_who_asked_is_not_offered_a_yes(browser: TestClient, services: Services, prod: Rows) -> None:
    log_in(browser, services, ADMIN)
    for place in (swept(prod)[1], asked_for(prod)[1]):
        shown = browser.get(place).text
        assert "You asked for it: somebody else has to say yes." in shown
        assert "/approve" not in shown
        assert f'formaction="{place}/reject"' in shown


def test_a_sweep_is_rejected_with_a_reason(browser: TestClient, services: Services, prod: Rows) -> None:
    sweep, place = swept(prod)
    log_in(browser, services, SUPERADMIN)
    refused = press(browser, place, "reject")
    assert 400 <= refused.status_code < 500
    assert 'role="alert"' in refused.text
    assert press(browser, place, "reject", reason="these are still wanted").status_code == 303
    assert prod.retention.status(sweep).state == SweepState.REJECTED
    shown = browser.get(place).text
    assert all(said in shown for said in (f"rejected by {SUPERADMIN}", "these are still wanted"))
    assert "next run hides" not in shown
    assert len(prod.visible(RagDocument)) == 1


def test_who_asked_does_not_decide_and_others_have_no_form(browser: TestClient, services: Services, prod: Rows) -> None:
    sweep, place = swept(prod)
    _, erasure = asked_for(prod)
    log_in(browser, services)
    for each in (place, erasure):
        refused = press(browser, each, "approve", reason="my own")
        assert refused.status_code == 403
        assert "asked for it themselves" in refused.text
    log_in(browser, services, DEVELOPER)
    assert browser.get(place).status_code in {200, 403}
    assert browser.post(f"{place}/approve", data={"form_token": browser.cookies[FORM]}).status_code == 403
    assert prod.retention.status(sweep).state == SweepState.WAITING


def test_an_erasure_shows_what_would_go_and_is_decided(browser: TestClient, services: Services, prod: Rows) -> None:
    erasure, place = asked_for(prod)
    log_in(browser, services, SUPERADMIN)
    shown = browser.get(place).text
    assert "conversations" in shown
    assert press(browser, place, "approve").status_code == 303
    assert services.erasures.status(erasure).state == "approved"
    late = {"form_token": browser.cookies[FORM]}
    assert browser.post(f"{place}/approve", data=late).status_code == 409, "from a page that is open since before"
    other, place = asked_for(prod)
    assert press(browser, place, "reject", reason="this is the wrong person").status_code == 303
    assert services.erasures.status(other).state == "rejected"


def test_another_sites_form_decides_nothing(browser: TestClient, services: Services, prod: Rows) -> None:
    sweep, place = swept(prod)
    erasure, other = asked_for(prod)
    log_in(browser, services, SUPERADMIN)
    for each in (place, other):
        assert browser.post(f"{each}/approve", data={}).status_code == 403
        assert browser.post(f"{each}/burn", data={}).status_code == 404
    assert prod.retention.status(sweep).state == SweepState.WAITING
    assert services.erasures.status(erasure).state == "requested"


def test_an_environment_that_is_down_hides_nothing_of_the_others(services: Services, prod: Rows) -> None:
    place = swept(prod)[1]
    with socket.socket() as nobody, ExitStack() as opened:
        nobody.bind(("127.0.0.1", 0))  # and listens to nobody
        stage = services.settings.environment("stage")
        database = stage.database.model_copy(update={"port": nobody.getsockname()[1]})
        down = {**services.settings.environments, "stage": stage.model_copy(update={"database": database})}
        settings = services.settings.model_copy(update={"environments": down})
        app = create_app(opened.enter_context(open_services(settings)))
        browser = opened.enter_context(TestClient(app, base_url=PLACE, follow_redirects=False))
        log_in(browser, services, SUPERADMIN)
        listed = browser.get("/approvals")
    assert listed.status_code == 200
    assert place in listed.text
    assert "stage: " in listed.text
