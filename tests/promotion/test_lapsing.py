"""Promotions that nobody decides on, or executes, end by themselves."""

from datetime import timedelta

import pytest

from tests.promotion.gate import approved, audited, planned, state
from tests.promotion.world import World
from wisqu_pipelines.errors import PromotionFailed, PromotionRefused
from wisqu_pipelines.identity.demo_people import ADMIN
from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.storage.memory.clock import ManualClock

MONTH = timedelta(days=30)


def test_what_waits_too_long_is_refused_and_says_why(
    timed: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapsing = timed.services.lapsing
    done = approved(timed)
    timed.services.promotions.execute(done, run_id="one")
    undecided, decided, broken = planned(timed), approved(timed), approved(timed)

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("wisqu_pipelines.promotion.execution.Execution._publish", fail)
        with pytest.raises(PromotionFailed):
            timed.services.promotions.execute(broken, run_id="broken")
    clock.advance(MONTH)
    assert lapsing.over() == lapsing.lapse() == [], "not before its time"
    young = planned(timed)
    clock.advance(timedelta(seconds=1))
    assert set(lapsing.over()) == {undecided, decided, broken}
    assert state(timed, undecided) == PromotionState.PLANNED, "looking changes nothing"

    assert set(lapsing.lapse()) == {undecided, decided, broken}
    for promotion, why in (
        (undecided, "planned 30 days ago, and too few people approved it"),
        (decided, "it was approved, and no run began"),
        (broken, "it had failed, and was not executed again"),
    ):
        assert state(timed, promotion) == PromotionState.REFUSED
        with pytest.raises(PromotionRefused, match=f"it was refused: .*{why}. .* make a new preview"):
            timed.services.promotions.execute(promotion, run_id="late")
        with pytest.raises(PromotionRefused):
            timed.services.approvals.grant(promotion, ADMIN)
    assert state(timed, young) == PromotionState.PLANNED
    assert state(timed, done) == PromotionState.SUCCEEDED
    assert {(told.user_id, (told.details or {})["promotion_id"]) for told in audited(timed, "promotion_lapsed")} == {
        (None, str(each)) for each in (undecided, decided, broken)
    }
    assert lapsing.lapse() == []


def test_what_somebody_decides_on_right_now_is_left_to_them(timed: World, clock: ManualClock) -> None:
    promotion = planned(timed)
    clock.advance(MONTH + timedelta(seconds=1))
    with timed.services.control.begin() as session:
        Ledger(timed.services.control, clock).get(session, promotion, lock=True)
        assert timed.services.lapsing.lapse() == []
    assert timed.services.lapsing.lapse() == [promotion]
