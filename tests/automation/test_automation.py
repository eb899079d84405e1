"""Requests without anybody at the keyboard: of what has waited for a while, and of what CI's tests let through."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update

from tests.promotion.world import World
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.automation.models import CiResult
from wisqu_pipelines.automation.service import AutomationService, Delivery
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.errors import BadSettings, CiRefused, CiResultNotFound, NotPermitted
from wisqu_pipelines.identity.demo_people import ADMIN, AUTOMATION, SUPERADMIN
from wisqu_pipelines.notifications.events import Event
from wisqu_pipelines.promotion.approvals import ApprovalService
from wisqu_pipelines.promotion.models import Promotion, PromotionState
from wisqu_pipelines.settings import AutomationSettings, Settings, decision_url
from wisqu_pipelines.storage.memory import ManualClock

KEY = "a key that CI knows"
COMMIT = "9afba49c"
Open = Callable[..., World]


@pytest.fixture
def clock() -> ManualClock:
    """Rows say when they were approved by the database's clock, so this one begins there."""
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def opened(services: Services, clock: ManualClock) -> Iterator[Open]:
    """Opens a world with other rules."""
    stack = []

    def made(paths: dict[str, dict[str, Any]] | None = None, **automation: Any) -> World:
        changed = with_rules(services.settings, paths or {}, automation)
        opening = open_services(changed, clock)
        stack.append(opening)
        return World(opening.__enter__())

    yield made
    for each in stack:
        each.__exit__(None, None, None)


def with_rules(settings: Settings, paths: dict[str, dict[str, Any]], automation: dict[str, Any]) -> Settings:
    rules = {"person": AUTOMATION, "preview_after_minutes": 10, "ci_secret": SecretStr(KEY), **automation}
    changed = {name: path.model_copy(update=paths.get(name, {})) for name, path in settings.paths.items()}
    return settings.model_copy(update={"automation": AutomationSettings(**rules), "paths": changed})


def promotions(world: World) -> list[Promotion]:
    with world.services.control.begin() as session:
        return list(session.scalars(select(Promotion).order_by(Promotion.created_at, Promotion.id)))


# What has been approved for a while


def test_what_is_approved_for_ten_minutes_is_wished_for_once(opened: Open, clock: ManualClock) -> None:
    world = opened()
    assert world.services.automation.wishes() == []
    world.document("one.md")
    clock.advance(timedelta(minutes=9))
    assert world.services.automation.wishes() == []
    clock.advance(timedelta(minutes=2))
    (wish,) = world.services.automation.wishes()
    assert (wish.source, wish.target) == ("dev", "stage")

    (preview,) = world.services.automation.request(wish.source, wish.target, "what waits")
    assert preview.promotion_type == "rag_documents"
    assert preview.total_count == 2, "the document brings its file, which is not asked for again"
    assert world.services.automation.wishes() == []
    assert world.services.automation.request("dev", "stage", "what waits") == []
    (asked,) = promotions(world)
    assert (asked.requested_by_user_id, asked.requested_via) == (world.person(AUTOMATION), "automation")
    assert asked.state == PromotionState.PLANNED, "nothing gets round an approval"


def test_while_more_is_approved_it_waits(opened: Open, clock: ManualClock) -> None:
    world = opened()
    first = world.document("one.md")
    clock.advance(timedelta(minutes=11))
    change(world, first, updated_at=clock.now() - timedelta(minutes=5))
    assert world.services.automation.wishes() == []


def change(world: World, item: UUID, **columns: Any) -> None:
    with world.environment("dev").database.begin() as session:
        row = session.merge(world.row(item))
        for name, value in columns.items():
            setattr(row, name, value)


def test_what_was_approved_anew_is_wished_for_anew(opened: Open, clock: ManualClock) -> None:
    world = opened()
    item = world.document()
    clock.advance(timedelta(minutes=1))  # rows say the database's time
    world.services.automation.request("dev", "stage", "what waits")
    clock.advance(timedelta(minutes=15))
    assert world.services.automation.wishes() == []
    change(world, item, updated_at=clock.now() - timedelta(minutes=11))
    assert len(world.services.automation.wishes()) == 1


@pytest.mark.parametrize("columns", [{"is_test_data": True, "test_data_reason": "a test"}, {"is_promotable": False}])
def test_what_no_plan_would_take_is_not_wished_for(opened: Open, clock: ManualClock, columns: dict[str, Any]) -> None:
    world = opened()
    item = world.document()
    file = world.row(item).file_id
    with world.environment("dev").database.begin() as session:
        for model, id_ in ((RagDocument, item), (StoredFile, file)):
            session.execute(update(model).where(model.id == id_).values(**columns))
    clock.advance(timedelta(minutes=15))
    assert world.services.automation.wishes() == []


def test_without_the_setting_nothing_is_wished_for(opened: Open, clock: ManualClock) -> None:
    world = opened(preview_after_minutes=None)
    world.document()
    clock.advance(timedelta(days=1))
    assert world.services.automation.wishes() == []


# Requests


def test_a_request_tells_those_who_may_approve_it_and_nobody_else(opened: Open) -> None:
    world = opened()
    world.document(env="stage")
    (preview,) = world.services.automation.request("stage", "prod", "the week's")
    told = {each.address: each for each in world.services.notifications.list()}
    assert set(told) == {ADMIN, SUPERADMIN}
    assert str(preview.promotion_id) in told[ADMIN].body
    assert "stage->prod: the week's" in told[ADMIN].body
    assert decision_url(world.services.settings.api_url, "promotions", preview.promotion_id) in told[ADMIN].body
    world.services.approvals.grant(preview.promotion_id, ADMIN, "looked through it")
    assert world.services.promotions.execute(preview.promotion_id, run_id="test").state == PromotionState.SUCCEEDED


def test_who_asks_is_not_told_to_approve_it(opened: Open) -> None:
    world = opened(person=ADMIN)
    world.document(env="stage")
    world.services.automation.request("stage", "prod", "the week's")
    assert {each.address for each in world.services.notifications.list()} == {SUPERADMIN}


def test_the_account_is_held_to_the_rules(opened: Open) -> None:
    world = opened()
    world.document(env="stage")
    (preview,) = world.services.automation.request("stage", "prod", "the week's")
    with pytest.raises(NotPermitted):
        world.services.approvals.grant(preview.promotion_id, AUTOMATION)
    nobody = opened(person=None, preview_after_minutes=None)
    with pytest.raises(BadSettings, match=r"automation\.person"):
        nobody.services.automation.request("stage", "prod", "the week's")


# CI


def deliver(world: World, clock: ManualClock, *, key: str = KEY, at: timedelta = timedelta(), **more: Any) -> bool:
    delivery = Delivery(**{"id": uuid4(), "commit": COMMIT, "suite": "integration", "outcome": "passed", **more})
    body = json.dumps({"commit": delivery.commit}).encode()
    signed_at = (clock.now() + at).replace(microsecond=0)
    signature = hmac.new(key.encode(), f"{int(signed_at.timestamp())}.".encode() + body, hashlib.sha256).hexdigest()
    return world.services.automation.receive(delivery, signed_at, signature, body)


def handle(world: World) -> list[UUID]:
    automation = world.services.automation
    return [promotion for each in automation.unhandled() for promotion in automation.handle(each)]


def test_what_passed_is_promoted_by_the_policy_as_itself(opened: Open, clock: ManualClock) -> None:
    world = opened({"dev->stage": {"auto_promote_after_tests": True}})
    world.document()
    assert deliver(world, clock)
    (promotion,) = handle(world)
    assert handle(world) == []
    status = world.services.promotions.status(promotion)
    assert status.state == PromotionState.APPROVED
    assert world.services.promotions.ready() == [promotion]
    with world.services.control.begin() as session:
        line = session.scalars(select(EnvironmentAccess).where(EnvironmentAccess.action == "promotion_approve")).one()
    assert line.user_id == world.person(AUTOMATION)
    assert COMMIT in (line.reason or "")
    assert world.services.notifications.list() == []


def test_what_failed_or_goes_another_way_is_left_alone(opened: Open, clock: ManualClock) -> None:
    world = opened({"dev->stage": {"auto_promote_after_tests": True}})
    world.document()
    deliver(world, clock, outcome="failed")
    assert handle(world) == []
    plain = opened()
    deliver(plain, clock)
    assert handle(plain) == []
    assert plain.services.automation.unhandled() == []
    assert promotions(plain) == []


def test_where_people_approve_they_are_told(opened: Open, clock: ManualClock) -> None:
    world = opened({"stage->prod": {"auto_promote_after_tests": True}})
    world.document(env="stage")
    deliver(world, clock)
    (promotion,) = handle(world)
    assert world.services.promotions.status(promotion).state == PromotionState.PLANNED
    assert {each.event for each in world.services.notifications.list()} == {Event.APPROVAL_WANTED}


def test_all_suites_of_a_commit_must_have_passed(opened: Open, clock: ManualClock) -> None:
    world = opened({"dev->stage": {"auto_promote_after_tests": True, "test_suites": ("unit", "integration")}})
    world.document()
    deliver(world, clock, suite="unit", outcome="failed")
    deliver(world, clock, suite="integration")
    assert handle(world) == []
    clock.advance(timedelta(seconds=1))
    deliver(world, clock, suite="unit", commit="0000000")
    assert handle(world) == []
    clock.advance(timedelta(seconds=1))
    deliver(world, clock, suite="unit")
    assert len(handle(world)) == 1


def test_a_delivery_counts_once(opened: Open, clock: ManualClock) -> None:
    world, id_ = opened({"dev->stage": {"auto_promote_after_tests": True}}), uuid4()
    assert deliver(world, clock, id=id_)
    assert not deliver(world, clock, id=id_)
    handle(world)
    assert not deliver(world, clock, id=id_)
    assert world.services.automation.unhandled() == []
    world.document()
    assert world.services.automation.handle(id_) == [], "what is approved later waits for other tests"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"key": "another key"}, "not signed"),
        ({"at": timedelta(minutes=-5, seconds=-2)}, "counts for 5 minutes"),
        ({"at": timedelta(minutes=5, seconds=2)}, "counts for 5 minutes"),
    ],
)
def test_what_is_not_cis_own_and_new_is_refused(
    opened: Open, clock: ManualClock, more: dict[str, Any], said: str
) -> None:
    world = opened()
    with pytest.raises(CiRefused, match=said):
        deliver(world, clock, **more)
    with world.services.control.begin() as session:
        assert session.scalar(select(func.count()).select_from(CiResult)) == 0


def test_without_a_key_none_are_taken(opened: Open, clock: ManualClock) -> None:
    with pytest.raises(CiRefused, match="ci_secret is not set"):
        deliver(opened(ci_secret=None), clock)


def test_what_broke_off_before_the_approval_is_gone_on_with(
    opened: Open, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = opened({"dev->stage": {"auto_promote_after_tests": True}})
    world.document()
    deliver(world, clock)

    def crash(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(ApprovalService, "grant", crash)
        with pytest.raises(KeyboardInterrupt):
            handle(world)
    (promotion,) = handle(world)
    assert world.services.promotions.status(promotion).state == PromotionState.APPROVED
    assert len(promotions(world)) == 1


def test_a_delivery_that_nobody_made_is_named(opened: Open) -> None:
    automation: AutomationService = opened().services.automation
    with pytest.raises(CiResultNotFound):
        automation.handle(uuid4())
