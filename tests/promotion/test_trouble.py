"""Trouble while a promotion runs: nothing half-done is visible, nothing is left over, and it can be done again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from qdrant_client.qdrant_remote import QdrantRemote
from sqlalchemy import event, insert, text
from sqlalchemy.orm import Session

from tests.promotion.world import World
from wisqu_pipelines.catalog.models import StoredFile
from wisqu_pipelines.errors import (
    ClaimLost,
    PlanStale,
    PromotionFailed,
    PromotionRefused,
    StoreDenied,
    StoreUnavailable,
)
from wisqu_pipelines.holds.service import Held
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN
from wisqu_pipelines.promotion.execution import Execution
from wisqu_pipelines.promotion.items import PlanItems
from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.plan import ItemName
from wisqu_pipelines.promotion.publishing import publish
from wisqu_pipelines.promotion.results import PromotionResult
from wisqu_pipelines.promotion.rollback import Rollback
from wisqu_pipelines.promotion.sources import hold
from wisqu_pipelines.promotion.work import Work
from wisqu_pipelines.storage.memory import ManualClock

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


OTHER_TITLE = {"title": "Changed behind the hold"}
DELETED = {"is_deleted": True}
TEST_DATA = {"is_test_data": True, "test_data_reason": "a tester's"}


@pytest.mark.parametrize(
    ("where", "is_update", "columns"),
    [
        ("dev", False, OTHER_TITLE),
        ("dev", True, OTHER_TITLE),
        ("stage", True, OTHER_TITLE),
        ("dev", False, DELETED),
        ("dev", True, TEST_DATA),
        ("stage", True, DELETED),
        ("stage", True, TEST_DATA),
        ("stage", True, {}),
    ],
)
def test_what_changes_behind_the_hold_is_not_written(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str, is_update: bool, columns: dict[str, Any]
) -> None:
    document, other = world.document("one.md", "one"), world.document("two.md", "two")
    if is_update:
        world.promote(document)
        world.edit(document, "one, anew")
    changed = document if where == "dev" else world.twin(document)
    before = world.state("stage")

    def late(*arguments: Any) -> None:
        if columns:
            world.change(changed, where, **columns)
        else:
            world.services.holds("stage").place(ADMIN, Held("rag_documents", changed), "Case 4711 before the court")
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


@pytest.mark.parametrize("columns", [DELETED, TEST_DATA])
def test_what_is_not_wanted_any_more_is_not_held(world: World, columns: dict[str, Any]) -> None:
    document = world.document()
    world.change(document, "dev", **columns)
    item = ItemName("rag_documents", document, uuid4(), "approved")
    with pytest.raises(PlanStale):
        hold(world.environment("dev"), uuid4(), [[item]])
    assert world.row(document).promotion_status == "approved"


def test_what_comes_two_ways_at_once_comes_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both plans are right when they are checked; one is published while the other is being staged."""
    document = world.document()
    world.promote(document)
    for id_, env in (document, "dev"), (world.twin(document), "stage"):
        world.change(id_, env, is_promotable=True, promotion_status="approved")
    promotions, plans = world.services.promotions, {}
    for source, people in ("dev", (ADMIN, SUPERADMIN)), ("stage", (ADMIN,)):
        plans[source] = promotions.preview_promotion(
            "rag_documents", source, "prod", requested_by_user_id=world.person()
        ).promotion_id
        for person in people:
            world.services.approvals.grant(plans[source], person)

    def late(*arguments: Any) -> None:
        monkeypatch.undo()
        promotions.execute(plans["stage"], run_id="other")
        publish(*arguments)

    monkeypatch.setattr("wisqu_pipelines.promotion.execution.publish", late)
    with pytest.raises(PlanStale, match="not what was planned in prod any more"):
        promotions.execute(plans["dev"], run_id="test")
    assert len(world.state("prod")["rows"]["rag_documents"]) == 1
    assert world.visible_points("prod") == 3


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
    assert world.services.promotions.status(promotion).steps["revealed"] == 4
    assert world.services.promotions.list()[0].steps == {}, "a list does not count the journals of what is over"


def test_what_the_database_refuses_is_told_without_its_contents(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver tells the statement, its parameters and the whole row; what is told here stays in the audit."""
    promotion = approved(world)

    def late(work: Work, session: Session, *arguments: Any) -> None:
        values = {"bucket": "documents", "object_name": "x", "content_type": "x/y", "file_size_bytes": -1}
        session.execute(insert(StoredFile).values(filename="words of a row", environment="stage", **values))

    monkeypatch.setattr("wisqu_pipelines.promotion.execution.publish", late)
    with pytest.raises(PromotionFailed, match="violates check constraint"):
        world.services.promotions.execute(promotion, run_id="test")
    told = world.services.promotions.status(promotion).error or ""
    assert "violates check constraint" in told
    assert "words of a row" not in told


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


def test_who_sweeps_and_loses_the_claim_leaves_what_the_next_run_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = approved(world)
    real = PlanItems.pages
    others: list[PromotionResult] = []

    def pages(self: PlanItems, *arguments: Any, **named: Any) -> Iterator[Any]:
        for page in real(self, *arguments, **named):
            yield page
            if not others:  # the first page is swept
                monkeypatch.undo()
                others.append(world.services.promotions.execute(promotion, run_id="first"))

    def fail(self: Execution) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(PlanItems, "pages", pages)
        raise StoreUnavailable(store="database", operation="write", cause="pulled plug")

    monkeypatch.setattr(Execution, "_publish", fail)
    with pytest.raises(ClaimLost):
        world.services.promotions.execute(promotion, run_id="first")
    assert others[0].state == PromotionState.SUCCEEDED
    assert (world.visible_points("stage"), len(world.state("stage")["objects"])) == (6, 2)


def test_who_was_slow_alone_with_the_stores_keeps_the_claim(timed: World, clock: ManualClock) -> None:
    promotion, control = approved(timed), timed.services.control

    def impatient(connection: Any, _: Any) -> None:
        connection.execute("SET idle_in_transaction_session_timeout = '1min'")
        connection.commit()

    event.listen(control.engine, "connect", impatient)
    control.close()  # and open again, as a server would that ends what idles
    ledger = Ledger(control, clock)
    claim = ledger.claim(promotion, "first")
    with ledger.alone(claim) as (session, _):
        assert session.scalar(text("SHOW idle_in_transaction_session_timeout")) == "0"
        clock.advance(timedelta(hours=1))
    with pytest.raises(PromotionRefused, match="the run first is at it"):
        ledger.claim(promotion, "second")


def test_who_stages_and_loses_the_claim_hides_nothing_of_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion, vectors = approved(world), world.environment("stage").vectors
    real = vectors.upsert

    def upsert(*arguments: Any) -> None:
        monkeypatch.undo()
        world.services.promotions.execute(promotion, run_id="first")
        real(*arguments)

    monkeypatch.setattr(vectors, "upsert", upsert)
    with pytest.raises(ClaimLost):
        world.services.promotions.execute(promotion, run_id="first")
    assert world.visible_points("stage") == 6


def test_what_was_to_go_into_a_collection_that_is_gone_is_let_go(world: World) -> None:
    """There is nothing to sweep then, and the source's rows are not held for good."""
    promotion, target = approved(world), world.environment("stage")
    name = target.settings.get_collection_name(world.services.settings.default_collection)
    client = QdrantRemote(
        url=target.settings.vector_index.url,
        headers={"api-key": target.settings.vector_index.api_key.get_secret_value()},
        check_compatibility=False,
    )
    client.delete_collection(name)
    with pytest.raises(PromotionFailed, match=f"There is no vector collection '{name}'"):
        world.services.promotions.execute(promotion, run_id="test")
    assert world.services.promotions.status(promotion).state == PromotionState.FAILED
    rows = world.state("dev")["rows"]["rag_documents"].values()
    assert {row["promotion_status"] for row in rows} == {"approved"}


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
    (left,) = world.services.promotions.preview(promotion).outcomes.values()
    assert left.startswith("stayed behind: ")
    assert "did not arrive whole" in left
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
