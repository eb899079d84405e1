"""Trouble while a promotion runs: nothing half-done is visible, nothing is left over, and it can be done again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from tests.promotion.world import World
from wisqu_pipelines.errors import (
    ClaimLost,
    PlanStale,
    PromotionFailed,
    PromotionRefused,
    StoreDenied,
    StoreUnavailable,
)
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER
from wisqu_pipelines.promotion.execution import Execution
from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.publishing import publish
from wisqu_pipelines.promotion.rollback import Rollback

WRITES = (
    ("objects", "create_many"),
    ("objects", "sha256_many"),
    ("vectors", "retrieve"),
    ("vectors", "present"),
    ("vectors", "upsert"),
    ("vectors", "set_payload"),
    ("cache", "delete"),
)


class Crash(BaseException):
    """The process is gone: nothing of the project's own may clean up after it."""


def approved(world: World, target: str = "stage") -> UUID:
    world.document("one.md", "one")
    world.document("two.md", "two")
    planned = world.services.promotions.preview_promotion(
        "rag_documents", "dev", target, requested_by_user_id=world.person()
    )
    world.services.approvals.grant(planned.promotion_id, DEVELOPER if target == "stage" else ADMIN)
    return planned.promotion_id


@contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, world: World, store: str, method: str, error: BaseException, *, after: bool
) -> Iterator[None]:
    """The target's real adapter, whose first call of a method fails before or after it has had its effect."""
    adapter = getattr(world.environment("stage"), store)
    real = getattr(adapter, method)
    failed: list[str] = []

    def once(*arguments: Any, **named: Any) -> Any:
        if failed:
            return real(*arguments, **named)
        failed.append(method)
        if after:
            answer = real(*arguments, **named)
            if isinstance(answer, Iterator):
                list(answer)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(adapter, method, once)
        yield
    assert failed, f"{store}.{method} was never called"


def clean(state: dict[str, Any]) -> bool:
    return not any(state["rows"].values()) and not state["objects"] and not state["points"]


@pytest.fixture
def streaming(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose files go through this process, so that the target's own account writes them."""
    monkeypatch.setattr(world.services.promotions, "_open_transfer", lambda path: None)
    return world


def test_files_that_the_targets_own_account_may_not_read_are_not_published(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Ceph an object belongs to whoever wrote it, and that is the path's account."""
    promotion = approved(world)
    refusal = StoreDenied(store="object store", operation="stat in stage-wisqu-documents", cause="AccessDenied")
    with (
        failing(monkeypatch, world, "objects", "stat", refusal, after=False),
        pytest.raises(PromotionFailed, match=r"AccessDenied; .* or leave 'transfer' out of the path\. Nothing became"),
    ):
        world.services.promotions.execute(promotion, run_id="first")
    assert clean(world.state("stage"))
    assert world.services.promotions.execute(promotion, run_id="first").state == PromotionState.SUCCEEDED


@pytest.mark.parametrize(("where", "is_update"), [("dev", False), ("dev", True), ("stage", True)])
def test_what_changes_behind_the_hold_is_not_written(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str, is_update: bool
) -> None:
    document, other = world.document("one.md", "one"), world.document("two.md", "two")
    if is_update:
        world.promote(document)
        world.edit(document, "one, anew")
    changed = document if where == "dev" else world.twin(document)
    before = world.state("stage")

    def late(*arguments: Any) -> None:
        world.change(changed, where, title="Changed behind the hold")
        publish(*arguments)

    monkeypatch.setattr("wisqu_pipelines.promotion.execution.publish", late)
    with pytest.raises(PlanStale, match=rf"one\.md.*: not what was planned in {where} any more") as refusal:
        world.promote(*([document, other] if is_update else [other, document]))
    assert "two.md" not in str(refusal.value)
    after = world.state("stage")
    assert (after["objects"], after["points"]) == (before["objects"], before["points"]), "what was staged is swept"
    assert {each: row for each, row in after["rows"]["rag_documents"].items() if each != str(changed)} == {
        each: row for each, row in before["rows"]["rag_documents"].items() if each != str(changed)
    }


@pytest.mark.parametrize("after", [False, True], ids=["before", "lost reply"])
@pytest.mark.parametrize(("store", "method"), WRITES, ids=lambda value: value)
def test_a_store_that_fails_leaves_nothing_and_the_next_run_succeeds(
    streaming: World, monkeypatch: pytest.MonkeyPatch, store: str, method: str, after: bool
) -> None:
    world = streaming
    promotion = approved(world)
    trouble = StoreUnavailable(store=store, operation=method, cause="pulled plug")
    with (
        failing(monkeypatch, world, store, method, trouble, after=after),
        pytest.raises((PromotionFailed, StoreUnavailable)),
    ):
        world.services.promotions.execute(promotion, run_id="first")
    state = world.services.promotions.status(promotion).state
    published = (store, method) in {
        ("objects", "sha256_many"),
        ("vectors", "retrieve"),
        ("vectors", "set_payload"),
        ("cache", "delete"),
    }
    assert state == (PromotionState.PUBLISHED if published else PromotionState.FAILED)
    if not published:
        assert clean(world.state("stage")), "what was staged is swept"
        assert {world.row(UUID(each)).promotion_status for each in world.state("dev")["rows"]["rag_documents"]} == {
            "approved"
        }
    done = world.services.promotions.execute(promotion, run_id="first")
    assert done.state == PromotionState.SUCCEEDED
    assert done.success_count == 4
    assert world.visible_points("stage") == 6


def test_a_crash_before_the_receipt_is_resumed_on_the_same_names(
    streaming: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = streaming
    promotion = approved(world)
    with monkeypatch.context() as patch:
        patch.setattr(Execution, "_give_up", lambda self, error: (_ for _ in ()).throw(error))
        with failing(patch, world, "vectors", "upsert", Crash(), after=True), pytest.raises(Crash):
            world.services.promotions.execute(promotion, run_id="first")
    assert world.visible_points("stage") == 0
    assert world.services.promotions.status(promotion).state == PromotionState.EXECUTING
    with pytest.raises(PromotionRefused, match="the run first is at it"):
        world.services.promotions.execute(promotion, run_id="second")
    assert world.services.promotions.execute(promotion, run_id="first").success_count == 4
    assert world.visible_points("stage") == 6
    assert len(world.state("stage")["objects"]) == 2


def test_a_commit_whose_reply_is_lost_has_happened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = approved(world)
    real = Execution._publish

    def publish(self: Execution) -> Any:
        real(self)
        raise StoreUnavailable(store="database", operation="commit", cause="the line went dead")

    monkeypatch.setattr(Execution, "_publish", publish)
    done = world.services.promotions.execute(promotion, run_id="test")
    assert done.state == PromotionState.SUCCEEDED
    assert world.visible_points("stage") == 6


def test_of_two_executions_one_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = approved(world)
    real = Execution._stage
    refusals = []

    def stage(self: Execution, progress: Any) -> Any:
        if self._work.claim.run_id == "first":
            with pytest.raises(PromotionRefused) as refusal:
                world.services.promotions.execute(promotion, run_id="second")
            refusals.append(str(refusal.value))
        return real(self, progress)

    monkeypatch.setattr(Execution, "_stage", stage)
    assert world.services.promotions.execute(promotion, run_id="first").state == PromotionState.SUCCEEDED
    assert "the run first is at it" in refusals[0]


def test_a_run_that_lost_its_claim_changes_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = approved(world)
    real = Execution._publish

    def publish(self: Execution) -> Any:
        run_id = self._work.claim.run_id
        Ledger(world.services.control, world.services.clock).claim(promotion, run_id)  # a newer epoch
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(Execution, "_publish", publish)
        with pytest.raises(ClaimLost):
            world.services.promotions.execute(promotion, run_id="first")
    assert world.visible_points("stage") == 0
    assert world.state("stage")["rows"]["rag_documents"] == {}
    assert world.services.promotions.execute(promotion, run_id="first").state == PromotionState.SUCCEEDED


def spoil_staged_points(world: World, monkeypatch: pytest.MonkeyPatch, env: str) -> None:
    """The target's index loses the first point of what is written to it."""
    vectors = world.environment(env).vectors
    real = vectors.upsert
    monkeypatch.setattr(vectors, "upsert", lambda collection, points: real(collection, list(points)[1:]))


def test_what_did_not_arrive_whole_stays_behind_where_the_policy_lets_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = approved(world)
    spoil_staged_points(world, monkeypatch, "stage")
    done = world.services.promotions.execute(promotion, run_id="test")
    assert (done.success_count, done.error_count) == (3, 1)
    assert "did not arrive whole" in done.errors[0]
    assert world.visible_points("stage") == 3
    statuses = [world.row(UUID(each)).promotion_status for each in world.state("dev")["rows"]["rag_documents"]]
    assert sorted(statuses) == ["approved", "promoted"]
    assert len(world.state("stage")["points"]) == 3, "what stayed behind left nothing"


def test_into_prod_one_bad_item_ends_it_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one.md", "two.md"):
        world.document(name, name, env="stage")
    planned = world.services.promotions.preview_promotion(
        "rag_documents", "stage", "prod", requested_by_user_id=world.person()
    )
    world.services.approvals.grant(planned.promotion_id, ADMIN)
    spoil_staged_points(world, monkeypatch, "prod")
    with pytest.raises(PromotionFailed, match="did not arrive whole"):
        world.services.promotions.execute(planned.promotion_id, run_id="test")
    assert clean(world.state("prod"))


@pytest.mark.parametrize(("store", "method"), [("vectors", "delete"), ("objects", "delete"), ("cache", "delete")])
def test_a_broken_rollback_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, store: str, method: str
) -> None:
    before = world.state("stage")
    promotion = approved(world)
    world.services.promotions.execute(promotion, run_id="test")
    world.services.promotions.request_rollback(promotion, DEVELOPER)
    trouble = StoreUnavailable(store=store, operation=method, cause="pulled plug")
    with failing(monkeypatch, world, store, method, trouble, after=False), pytest.raises(StoreUnavailable):
        world.services.promotions.rollback(promotion, run_id="first")
    assert world.state("stage")["rows"] == before["rows"], "rows went first"
    assert world.services.promotions.rollback(promotion, run_id="first").state == PromotionState.ROLLED_BACK
    assert world.state("stage") == before


def test_a_rollback_that_crashed_is_resumed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.state("stage")
    promotion = approved(world)
    world.services.promotions.execute(promotion, run_id="test")
    world.services.promotions.request_rollback(promotion, DEVELOPER)
    with monkeypatch.context() as patch:
        patch.setattr(Rollback, "_given_back", lambda self: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            world.services.promotions.rollback(promotion, run_id="first")
    assert world.services.promotions.rollback(promotion, run_id="first").state == PromotionState.ROLLED_BACK
    assert world.state("stage") == before
