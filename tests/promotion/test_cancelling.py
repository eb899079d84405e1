"""Cancelling: before the run, while it is at it, after its process is gone; and what has happened stays."""

from datetime import timedelta
from threading import Lock
from typing import Any
from uuid import UUID

import pytest

from tests.promotion.gate import approved, audited, planned, state
from tests.promotion.test_trouble import Crash, clean
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import open_services
from wisqu_pipelines.errors import NotPermitted, PathRefused, PromotionCancelled, PromotionFailed, PromotionRefused
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, TESTER
from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import PromotionState

WHY = "the wrong documents"


def die(*_: Any, **__: Any) -> None:
    raise Crash


def killed(world: World, monkeypatch: pytest.MonkeyPatch, promotion: UUID) -> None:
    """A run of it dies before the receipt, and sweeps nothing."""
    with monkeypatch.context() as patch:
        patch.setattr("wisqu_pipelines.promotion.execution.Execution._publish", die)
        patch.setattr("wisqu_pipelines.promotion.execution.Execution._give_up", die)
        with pytest.raises(Crash):
            world.services.promotions.execute(promotion, run_id="dead")


def test_who_asked_for_it_cancels_what_waits(world: World) -> None:
    promotion = planned(world)
    assert world.services.cancellations.cancel(promotion, DEVELOPER, WHY) == PromotionState.REJECTED
    report = world.services.promotions.status(promotion)
    assert report.state == PromotionState.REJECTED
    assert f"was cancelled by {DEVELOPER} before it happened: {WHY}" in str(report.error)
    (told,) = audited(world, "promotion_cancelled")
    assert (told.user_id, told.reason) == (world.person(), WHY)
    assert told.details is not None
    assert told.details["promotion_id"] == str(promotion)
    with pytest.raises(PromotionRefused, match="it is rejected"):
        world.services.approvals.grant(promotion, ADMIN)


def test_who_decides_on_the_path_cancels_what_is_approved(world: World) -> None:
    promotion = approved(world)
    assert world.services.cancellations.cancel(promotion, ADMIN, WHY) == PromotionState.REJECTED
    with pytest.raises(PromotionRefused, match=f"it was rejected: .*cancelled by {ADMIN}.*: {WHY}"):
        world.services.promotions.execute(promotion, run_id="late")


def test_nobody_else_does_and_nobody_without_a_reason(world: World) -> None:
    promotion = planned(world)
    with pytest.raises(NotPermitted):
        world.services.cancellations.cancel(promotion, TESTER, WHY)
    with pytest.raises(PromotionRefused, match="who cancels says why"):
        world.services.cancellations.cancel(promotion, DEVELOPER, "  ")
    assert state(world, promotion) == PromotionState.PLANNED
    assert not audited(world, "promotion_cancelled")


def test_a_run_stops_with_nothing_visible_and_it_is_never_executed_again(world: World) -> None:
    promotion = approved(world)
    before = world.state("stage")

    def cancel(step: str, *_: Any, **__: Any) -> None:
        if step == "stage" and world.services.promotions.status(promotion).cancel_reason is None:
            assert world.services.cancellations.cancel(promotion, DEVELOPER, WHY) == PromotionState.EXECUTING
            with pytest.raises(PromotionRefused, match="being cancelled already"):
                world.services.cancellations.cancel(promotion, ADMIN, WHY)

    with pytest.raises(PromotionCancelled, match=f"cancelled by {DEVELOPER}.*: {WHY}. Nothing became visible in stage"):
        world.services.promotions.execute(promotion, run_id="cancelled", progress=cancel)
    assert state(world, promotion) == PromotionState.REJECTED
    assert world.state("stage") == before
    assert promotion not in world.services.promotions.ready()
    for act in (world.services.promotions.execute, world.services.promotions.resume):
        with pytest.raises(PromotionRefused, match=f"it was rejected: .*cancelled by {DEVELOPER}"):
            act(promotion, run_id="again")
    (stopped,) = audited(world, "promotion_stopped")
    assert WHY in (stopped.details or {})["error"]


def test_staging_stops_at_the_next_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = approved(world)
    journal, first = Ledger.journal, Lock()

    def cancelled(ledger: Ledger, *arguments: Any) -> None:
        if first.acquire(blocking=False):  # files and vectors are staged by threads of their own
            world.services.cancellations.cancel(promotion, DEVELOPER, WHY)
        journal(ledger, *arguments)

    monkeypatch.setattr(Ledger, "journal", cancelled)
    with pytest.raises(PromotionCancelled):
        world.services.promotions.execute(promotion, run_id="cancelled")
    assert clean(world.state("stage"))


def test_what_a_dead_run_left_is_swept_by_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = approved(world)
    killed(world, monkeypatch, promotion)
    assert world.services.cancellations.cancel(promotion, ADMIN, WHY) == PromotionState.EXECUTING
    with world.services.control.begin() as session:
        held = Ledger(world.services.control, world.services.clock).get(session, promotion)
        held.lease_until = world.services.clock.now() - timedelta(seconds=1)
    assert promotion in world.services.promotions.ready()
    with pytest.raises(PromotionCancelled):
        world.services.promotions.resume(promotion, run_id="next")
    assert state(world, promotion) == PromotionState.REJECTED
    assert clean(world.state("stage"))


def test_along_a_path_that_was_removed_everything_comes_to_an_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever removes a path in a hurry can still call off and take back what came along it."""
    happened = approved(world)
    world.services.promotions.execute(happened, run_id="test")
    begun = approved(world)
    killed(world, monkeypatch, begun)
    waiting = planned(world)
    paths = {name: path for name, path in world.services.settings.paths.items() if name != "dev->stage"}
    with open_services(world.services.settings.model_copy(update={"paths": paths})) as without:
        with pytest.raises(PathRefused):
            without.approvals.grant(waiting, ADMIN)
        assert without.cancellations.cancel(waiting, ADMIN, WHY) == PromotionState.REJECTED
        with pytest.raises(PromotionRefused, match="dev->stage is no configured path any more"):
            without.promotions.execute(begun, run_id="dead")
        back = without.promotions.rollback_promotion(happened, world.person(ADMIN), WHY)
    assert (state(world, begun), back.state) == (PromotionState.REFUSED, PromotionState.ROLLED_BACK)
    assert clean(world.state("stage"))


def test_what_has_failed_is_cancelled_so_that_nobody_executes_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = approved(world)
    with monkeypatch.context() as patch:
        patch.setattr("wisqu_pipelines.promotion.execution.Execution._publish", _break)
        with pytest.raises(PromotionFailed):
            world.services.promotions.execute(promotion, run_id="broken")
    assert world.services.cancellations.cancel(promotion, ADMIN, WHY) == PromotionState.REJECTED
    with pytest.raises(PromotionRefused, match="it was rejected"):
        world.services.promotions.execute(promotion, run_id="again")


def test_who_cancels_while_the_run_fails_by_itself_is_heeded_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = approved(world)

    def cancelled(*_: Any, **__: Any) -> None:
        world.services.cancellations.cancel(promotion, ADMIN, WHY)
        _break()

    monkeypatch.setattr("wisqu_pipelines.promotion.execution.Execution._publish", cancelled)
    with pytest.raises(PromotionCancelled):
        world.services.promotions.execute(promotion, run_id="broken")
    assert state(world, promotion) == PromotionState.REJECTED


def test_a_word_that_comes_after_the_receipt_comes_too_late(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = approved(world)

    def die(*_: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr("wisqu_pipelines.promotion.execution.move", die)  # the target knows, and the control database not
        with pytest.raises(Crash):
            world.services.promotions.execute(promotion, run_id="dead")
    assert world.services.cancellations.cancel(promotion, ADMIN, WHY) == PromotionState.EXECUTING
    done = world.services.promotions.resume(promotion, run_id="next")
    assert done.state == PromotionState.SUCCEEDED
    assert world.services.promotions.status(promotion).cancel_reason is None


def test_what_has_happened_is_rolled_back_instead(world: World) -> None:
    promotion = approved(world)
    world.services.promotions.execute(promotion, run_id="one")
    with pytest.raises(PromotionRefused, match="it has happened"):
        world.services.cancellations.cancel(promotion, ADMIN, WHY)
    assert state(world, promotion) == PromotionState.SUCCEEDED


def test_a_rollback_that_has_not_begun_is_withdrawn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = approved(world)
    world.services.promotions.execute(promotion, run_id="one")
    there = world.state("stage")
    world.services.promotions.request_rollback(promotion, ADMIN, "the wrong one")
    with pytest.raises(NotPermitted):
        world.services.cancellations.cancel(promotion, TESTER, WHY)
    with pytest.raises(PromotionRefused, match="who cancels says why"):
        world.services.cancellations.cancel(promotion, ADMIN, "")
    assert promotion in world.services.promotions.rollbacks_requested()
    assert world.services.cancellations.cancel(promotion, ADMIN, WHY) == PromotionState.SUCCEEDED
    assert promotion not in world.services.promotions.rollbacks_requested()
    with pytest.raises(PromotionRefused, match="nobody has asked for it"):
        world.services.promotions.rollback(promotion, run_id="late")
    assert world.state("stage") == there
    report = world.services.promotions.status(promotion)
    assert (report.rollback_asked_by, report.rollback_reason, report.cancel_reason) == (None, None, None)
    (told,) = audited(world, "rollback_withdrawn")
    assert (told.user_id, told.reason) == (world.person(ADMIN), WHY)

    world.services.promotions.request_rollback(promotion, ADMIN, "the wrong one after all")
    with monkeypatch.context() as patch:
        patch.setattr("wisqu_pipelines.promotion.rollback.unpublish", _break)
        with pytest.raises(RuntimeError):
            world.services.promotions.rollback(promotion, run_id="broken")
    with pytest.raises(PromotionRefused, match="it is being taken back"):
        world.services.cancellations.cancel(promotion, ADMIN, WHY)
    assert world.services.promotions.resume(promotion, run_id="next").state == PromotionState.ROLLED_BACK


def _break(*_: Any, **__: Any) -> None:
    raise RuntimeError("the disk is full")
