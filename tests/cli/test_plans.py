"""Plans, lineage and rollbacks through the command line."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert

from tests.cli.conftest import Wisqu
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import User, UserStorageQuota
from wisqu_pipelines.cli import runs
from wisqu_pipelines.cli.promote import SHOWN_ITEMS
from wisqu_pipelines.figures import counted
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN
from wisqu_pipelines.promotion import verification
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.results import ITEMS_SHOWN
from wisqu_pipelines.promotion.verification import Verification

DANA = ("--as", DEVELOPER)
AMAL = ("--as", ADMIN)
SORAYA = ("--as", SUPERADMIN)
MANY = ITEMS_SHOWN + 100
"""Items of a plan that is larger than what a preview shows, and than a page of the ledger."""


@pytest.fixture
def world(services: Services) -> World:
    return World(services)


def plan_of(wisqu: Wisqu, *more: object, source: str = "dev", target: str = "stage") -> dict[str, Any]:
    preview = wisqu("promote", "preview", "rag_documents", source, target, *DANA, *more, "--json").json
    plan: dict[str, Any] = preview["preview"]
    return plan


def promote(wisqu: Wisqu, *more: object, source: str = "dev", target: str = "stage") -> UUID:
    promotion = plan_of(wisqu, *more, source=source, target=target)["promotion_id"]
    assert wisqu("approvals", "grant", promotion, *AMAL).code == 0
    done = wisqu("promote", "execute", promotion, *DANA)
    assert done.code == 0, done.err
    return UUID(promotion)


def rows(world: World, environment: str = "stage") -> Mapping[str, Any]:
    found: Mapping[str, Any] = world.state(environment)["rows"]["rag_documents"]
    return found


def test_a_plan_of_any_size_is_written_whole(wisqu: Wisqu, world: World) -> None:
    people = [uuid4() for _ in range(MANY)]
    with world.environment("dev").database.begin() as session:
        session.execute(insert(User), [{"id": each, "email": f"{each}@example.org", "role": "user"} for each in people])
        quota = {"max_bytes": 1, "max_files": 1, "is_promotable": True, "promotion_status": "approved"}
        session.execute(insert(UserStorageQuota), [{"id": uuid4(), "user_id": each, **quota} for each in people])
    made = wisqu("promote", "preview", "user_storage_quotas", "dev", "stage", *DANA, "--json").json["preview"]
    assert len(made["items"]) == ITEMS_SHOWN
    whole = wisqu("promote", "plan", made["promotion_id"], "--json").json
    assert len(whole["items"]) == MANY
    assert {item["label"] for item in whole["items"]} == {str(each) for each in people}
    assert whole["plan_digest"] == made["plan_digest"]
    assert whole["preview"]["totals"]["by_effect"]["blocked"]["items"] == MANY, "nobody of them is in stage"
    shown = wisqu("promote", "plan", made["promotion_id"]).out
    assert f"Blocked ({MANY})" in shown
    assert f"… and {MANY - SHOWN_ITEMS} more: wisqu promote plan {made['promotion_id']} --json" in shown


def test_a_plan_says_why_for_each_item_and_field_by_field_what_an_update_changes(wisqu: Wisqu, world: World) -> None:
    edited, left = world.document("edited.md", "first", chunks=3), world.document("left.md", "left")
    promote(wisqu)
    world.edit(edited, "second", chunks=5)
    world.change(left, "dev", promotion_status="approved")
    new = world.document("new.md", "new")
    plan = plan_of(wisqu)
    why = {(item["item_type"], item["source_id"]): item["reason"] for item in plan["items"]}
    assert why["rag_documents", str(edited)] == "it is there with another point_count, vectors"
    assert why["rag_documents", str(left)] == "it is there already, just so"
    assert why["rag_documents", str(new)] == "it is not there yet"
    assert why["stored_files", str(world.row(new).file_id)] == f"it is not there yet; {new} needs it"
    shown = wisqu("promote", "plan", plan["promotion_id"]).out
    for each in ("point_count: 3 → 5", "file_size_bytes: 5 → 6", "it is not there yet"):
        assert each in shown
    assert plan["items"][0]["effect"] == "update", "what changes is seen first"


def test_the_digest_is_that_of_the_document_that_is_handed_out(wisqu: Wisqu, world: World) -> None:
    world.document()
    plan = plan_of(wisqu)
    written = wisqu("promote", "plan", plan["promotion_id"], "--canonical")
    assert hashlib.sha256(written.out.encode()).hexdigest() == plan["plan_digest"]
    assert len(written.json["items"]) == len(plan["items"])
    both = wisqu("promote", "plan", plan["promotion_id"], "--canonical", "--json")
    assert both.code == 2
    assert "neither --json nor --against" in both.err


def test_a_plan_is_compared_with_an_earlier_one(wisqu: Wisqu, world: World) -> None:
    edited, left = world.document("edited.md", "first"), world.document("left.md", "left")
    before = plan_of(wisqu)["promotion_id"]
    world.edit(edited, "second")
    world.change(left, "dev", promotion_status="draft")
    world.document("new.md", "new")
    now = plan_of(wisqu)["promotion_id"]
    shown = wisqu("promote", "plan", now, "--against", before)
    assert shown.code == 0
    assert f"rag_documents 'edited.md' ({edited}) has changed in dev: its row and vectors" in shown.out
    assert f"rag_documents 'left.md' ({left}) is no longer part of it" in shown.out
    assert "'new.md'" in shown.out
    found = wisqu("promote", "plan", now, "--against", before, "--json").json
    assert counted(len(found), "difference") in shown.out
    assert "The two plans are the same." in wisqu("promote", "plan", now, "--against", now).out
    other_path = plan_of(wisqu, target="prod")["promotion_id"]
    refused = wisqu("promote", "plan", now, "--against", other_path)
    assert refused.code == 2
    assert "dev->prod" in refused.err
    assert wisqu("promote", "plan", now, "--against", uuid4()).code == 2


def test_a_way_through_the_environments_is_told(wisqu: Wisqu, world: World) -> None:
    document = world.document()
    first = promote(wisqu)
    in_stage = world.twin(document)
    world.change(in_stage, "stage", promotion_status="approved", is_promotable=True)
    second = promote(wisqu, source="stage", target="prod")
    in_prod = world.twin(in_stage, "prod")
    hops = wisqu("promote", "lineage", in_prod, "--json").json
    assert [(hop["source_environment"], hop["source_id"], hop["promotion_id"]) for hop in hops] == [
        ("stage", str(in_stage), str(second)),
        ("dev", str(document), str(first)),
    ]
    shown = wisqu("promote", "lineage", in_prod).out
    for each in (in_prod, in_stage, document, first, second):
        assert str(each) in shown
    assert "No promotion brought" in wisqu("promote", "lineage", document).out


def test_lists_say_what_a_plan_takes_and_where_they_end(wisqu: Wisqu, world: World) -> None:
    """A plan that nobody has executed has brought nothing yet, and is not of nothing."""
    for name in ("first.md", "second.md"):
        world.document(name)
    waiting = plan_of(wisqu)["promotion_id"]
    status = re.sub(r"[ │]+", " ", wisqu("promote", "status", waiting).out)
    assert "planned 4 items (" in status
    assert "promoted 0" in status
    listed = next(line for line in wisqu("promote", "list").out.splitlines() if waiting in line)
    assert re.findall(r"\b\d+\b", listed.partition("planned")[2])[:3] == ["4", "0", "0"]
    asked = next(line for line in wisqu("approvals", "list").out.splitlines() if waiting in line)
    assert [cell.strip() for cell in asked.split("│")][4] == "4"
    for command in (("promote", "list"), ("promote", "items", "rag_documents")):
        assert "The list ends at --limit (1); there may be more." in wisqu(*command, "--limit", 1).out
        assert "--limit" not in wisqu(*command).out


def test_a_rollback_is_previewed_rehearsed_and_done_in_parts(
    wisqu: Wisqu, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = world.document("wrong.md", "wrong")
    world.document("right.md", "right")
    promotion = promote(wisqu)
    after = world.state("stage")
    for option, rehearsed in (("--preview", False), ("--rehearse", True)):
        told = wisqu("promote", "rollback", promotion, option, "--json").json
        assert (told["removed"], told["rehearsed"]) == ({"rag_documents": 2, "stored_files": 2}, rehearsed)
        shown = wisqu("promote", "rollback", promotion, option)
        assert shown.code == 0
        assert ("Rehearsed" in shown.out) == rehearsed
        part = wisqu("promote", "rollback", promotion, option, "--item-ids", wrong, "--json").json
        assert part["removed"] == {"rag_documents": 1, "stored_files": 1}
    with monkeypatch.context() as patch:
        patch.setattr(runs, "SHOWN_ITEMS", 3)
        assert "… and 1 more; --json has the first 1000" in wisqu("promote", "rollback", promotion, "--preview").out
    assert "more" not in wisqu("promote", "rollback", promotion, "--preview").out
    assert world.state("stage") == after, "nothing was changed"
    part = wisqu("promote", "rollback", promotion, *DANA, "--item-ids", wrong, "--reason", "wrong text", "--json").json
    assert (part["state"], part["success_count"]) == ("succeeded", 2)
    assert {row["title"] for row in rows(world).values()} == {"right.md"}
    status = wisqu("promote", "status", promotion, "--json").json
    assert status["rolled_back_count"] == 2
    shown = wisqu("promote", "plan", promotion)
    assert shown.out.count("taken back") == 2
    assert wisqu("promote", "plan", promotion, "--json").json["preview"]["outcomes"][str(wrong)] == "taken back"
    stranger = wisqu("promote", "rollback", promotion, *DANA, "--item-ids", uuid4())
    assert stranger.code == 2
    assert "brought no item" in stranger.err
    rest = wisqu("promote", "rollback", promotion, *DANA, "--reason", "all of it", "--json").json
    assert rest["state"] == "rolled_back"
    assert not rows(world)
    assert "was taken back before; nothing was changed" in wisqu("promote", "rollback", promotion, *DANA).out
    status = wisqu("promote", "status", promotion)
    assert DEVELOPER in status.out
    assert "all of it" in status.out


def test_what_cannot_go_back_is_named_and_refused(wisqu: Wisqu, world: World) -> None:
    document = world.document()
    promotion = promote(wisqu)
    world.change(world.twin(document), "stage", title="edited in stage")
    before = world.state("stage")
    for option in ("--preview", "--rehearse"):
        told = wisqu("promote", "rollback", promotion, option)
        assert told.code == 2
        assert str(world.twin(document)) in told.err
        assert "1 item of it in the way" in told.err
        assert f"in the way: rag_documents 'guide.md' ({world.twin(document)}): it was edited since" in told.out
    refused = wisqu("promote", "rollback", promotion, *DANA)
    assert refused.code == 2
    assert world.state("stage") == before
    both = wisqu("promote", "rollback", promotion, *DANA, "--preview", "--request")
    assert both.code == 2
    assert "exclude each other" in both.err


def test_a_rollback_that_is_only_asked_for_waits_for_the_sensor(wisqu: Wisqu, world: World) -> None:
    world.document()
    promotion = promote(wisqu)
    asked = wisqu("promote", "rollback", promotion, *DANA, "--request", "--json").json
    assert asked == {"done": "asked", "promotion_id": str(promotion), "item_ids": None}
    assert world.services.promotions.rollbacks_requested() == [promotion]
    assert len(rows(world)) == 1


def test_the_status_tells_what_was_read_back_and_who_took_back_a_yes(wisqu: Wisqu, world: World) -> None:
    world.document()
    promotion = plan_of(wisqu)["promotion_id"]
    wisqu("approvals", "grant", promotion, *AMAL, "--reason", "looks right")
    wisqu("approvals", "revoke", promotion, *AMAL, "--reason", "read it again")
    wisqu("approvals", "grant", promotion, *SORAYA)
    assert wisqu("promote", "execute", promotion, *DANA).code == 0
    status = wisqu("promote", "status", promotion)
    assert "approve, revoked" in status.out
    assert "read it again" in status.out
    assert "passed (sample): rows 2 of 2, files 1 of 1" in status.out
    told = wisqu("promote", "status", promotion, "--json").json
    assert (told["state"], told["verification"]["outcome"]) == (PromotionState.SUCCEEDED, "passed")
    assert [each["revoked_reason"] for each in told["approvals"]] == ["read it again", None]


def test_what_did_not_pass_its_verification_fails_with_what_was_found(
    wisqu: Wisqu, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken promotion exits with 1, and a refused one with 2."""
    document = world.document()
    promotion = plan_of(wisqu)["promotion_id"]
    wisqu("approvals", "grant", promotion, *AMAL)
    real = Verification.run

    def spoiled(self: Verification, progress: Any) -> Any:
        world.change(world.twin(document), "stage", title="somebody was faster")
        return real(self, progress)

    monkeypatch.setattr(Verification, "run", spoiled)
    failed = wisqu("promote", "execute", promotion, *DANA)
    assert failed.code == 1
    assert failed.err.startswith("failed: ")
    assert "did not pass its verification in stage" in failed.err
    status = wisqu("promote", "status", promotion).out
    assert "failed (sample): rows 1 of 2" in status
    assert f"rag_documents 'guide.md' ({document}) has another row in stage than was planned" in status
    world.document("next.md", "next")
    following = plan_of(wisqu)["promotion_id"]
    assert "is approved, and waits." in wisqu("approvals", "grant", following, *AMAL).out
    waits_for = wisqu("promote", "status", following, "--json").json["waits_for"]
    assert "dev->stage is held since the promotion" in waits_for
    held = wisqu("promote", "execute", following, *DANA)
    assert held.code == 2
    assert 'wisqu freeze release "dev->stage" --as PERSON --reason WHY' in held.err
    assert promotion in held.err


def test_of_much_that_did_not_pass_the_first_is_named_and_the_rest_counted(
    wisqu: Wisqu, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [world.document(f"{name}.md", name) for name in ("first", "second", "third")]
    promotion = plan_of(wisqu)["promotion_id"]
    wisqu("approvals", "grant", promotion, *AMAL)
    real = Verification.run

    def spoiled(self: Verification, progress: Any) -> Any:
        for document in documents:
            world.change(world.twin(document), "stage", title="somebody was faster")
        return real(self, progress)

    monkeypatch.setattr(Verification, "run", spoiled)
    monkeypatch.setattr(verification, "FINDINGS_KEPT", 2)
    monkeypatch.setattr(verification, "FINDINGS_NAMED", 1)
    failed = wisqu("promote", "execute", promotion, *DANA)
    assert failed.err.count("has another row") == 1
    assert "; and 2 more. Nothing more goes along its path" in failed.err
    status = wisqu("promote", "status", promotion).out
    assert status.count("has another row in stage than was planned\n") == 2
    assert "… and 1 more" in status


def test_a_preview_says_where_to_decide_in_the_browser(wisqu: Wisqu, world: World) -> None:
    world.document()
    preview = ("promote", "preview", "rag_documents", "dev", "stage", *DANA)
    page = wisqu(*preview, "--json").json["page"]
    promotion = plan_of(wisqu)["promotion_id"]
    assert page == f"{world.services.settings.api_url}/approvals/promotions/{promotion}"
    assert page in wisqu(*preview).out
