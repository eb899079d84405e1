"""The plan: exact, the same on every machine, complete however large, and comparable with an earlier one."""

import hashlib
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tests.promotion.world import World
from wisqu_pipelines.catalog.models import StoredFile, User, UserStorageQuota
from wisqu_pipelines.errors import PromotionNotFound, PromotionRefused
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.promotion import items, planner, writing
from wisqu_pipelines.promotion.content import canonical
from wisqu_pipelines.promotion.drafts import target_id
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.plan import Hashes, PlanDigest, PlannedItem, canonical_plan

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FLAT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=12,
)


@given(FLAT)
def test_canonical_json_is_rfc_8785(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def _frozen(item: PlannedItem) -> dict[str, Any]:
    """What the digest covers of an item, written down once more."""
    return {
        "type": item.item_type,
        "source_id": str(item.source_id),
        "target_id": str(item.target_id),
        "effect": item.effect.value,
        "blocked_reason": item.blocked_reason,
        "source": {
            "row": item.source_hashes.row,
            "file": item.source_hashes.file,
            "vectors": item.source_hashes.vectors,
        },
        "target": dict(item.target_hashes) if item.target_hashes else None,
        "bytes": item.bytes,
        "points": item.points,
    }


@given(st.none() | TEXT, TEXT, st.none() | TEXT, st.none() | st.dictionaries(TEXT, TEXT | st.none()))
def test_an_item_is_canonical_json_whatever_its_texts_are(
    reason: str | None, row: str, file: str | None, target: dict[str, Any] | None
) -> None:
    item = PlannedItem(
        "rag_documents", UUID(int=1), UUID(int=2), "guide", Effect.BLOCKED, "approved", Hashes(row, file, None),
        blocked_reason=reason, target_hashes=target, bytes=2**40, points=3,
    )  # fmt: skip
    assert item.canonical().encode() == rfc8785.dumps(_frozen(item))


def test_a_twin_has_the_id_that_version_5_gives_it() -> None:
    for each in (UUID(int=0), *(uuid4() for _ in range(100))):
        assert UUID(target_id(str(each), "rag_documents", "stage")) == uuid5(each, "rag_documents@stage")


def test_texts_are_in_the_plan_as_they_are_in_the_rows(world: World) -> None:
    """On their way they are values between tabs, and JSON."""
    odd = 'a\tb\nc\rd \\N \\ "e" \x7f\x01 راهنما'
    document = world.document("guide.md")
    world.promote()
    world.change(document, "dev", title=odd, promotion_status="approved")
    tested = world.document("test.md")
    world.change(tested, "dev", file_id=world.file_of(document).id)
    _change_file(world, world.file_of(document).id, is_test_data=True, test_data_reason=odd)
    planned = world.services.promotions.preview_promotion("rag_documents", "dev", "stage")
    assert {item.blocked_reason for item in planned.items} == {
        f"the stored_files that it belongs to cannot go: it is test data ({odd})"
    }
    assert {item.label for item in planned.items} == {odd, "test.md"}
    _change_file(world, world.file_of(document).id, is_test_data=False)
    planned = world.services.promotions.preview_promotion("rag_documents", "dev", "stage")
    (updated,) = [item for item in planned.items if item.label == odd]
    assert updated.diff == {"title": ["guide.md", odd]}


def test_a_plan_of_rows_alone_has_the_digest_of_its_document(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its digest and totals are made while it is written, and not read back."""
    people = [uuid4() for _ in range(5)]
    for name in ("dev", "stage"):
        with world.environment(name).database.begin() as session:
            session.add_all(
                User(id=each, email=f"{each}@example.org", role="user") for each in people[: 4 + (name == "dev")]
            )
    with world.environment("dev").database.begin() as session:
        session.add_all(
            UserStorageQuota(
                id=uuid4(), user_id=each, max_bytes=1, max_files=1, is_promotable=True, promotion_status="approved"
            )
            for each in people
        )
    monkeypatch.setattr(planner, "ITEMS_AT_ONCE", 2)
    promotions = world.services.promotions
    planned = promotions.preview_promotion("user_storage_quotas", "dev", "stage")
    document = b"".join(promotions.canonical_plan(planned.promotion_id))
    assert hashlib.sha256(document).hexdigest() == planned.plan_digest
    assert planned.total_count == 4
    assert planned.blocked_count == 1
    (error,) = planned.errors
    assert error.endswith(f"stage has no users {people[4]}, which it needs")
    assert [item.effect for item in planned.items] == [Effect.BLOCKED, *[Effect.CREATE] * 4]


def _change_file(world: World, file_id: UUID, **columns: Any) -> None:
    with world.environment("dev").database.begin() as session:
        session.execute(update(StoredFile).where(StoredFile.id == file_id).values(**columns))


def test_the_digest_covers_the_whole_plan_as_one_canonical_document() -> None:
    ids = [UUID(int=number) for number in range(1, 4)]
    items = [
        PlannedItem("rag_documents", each, each, "guide", Effect.CREATE, "approved", Hashes("row", None, "vectors"))
        for each in ids
    ]
    whole: dict[str, Any] = {
        "format": 2,
        "items": [_frozen(item) for item in items],
        "policy": {"approvals": 1},
        "promotion_type": "rag_documents",
        "source": "dev",
        "target": "stage",
    }
    about: tuple[str, str, str, dict[str, Any]] = "rag_documents", "dev", "stage", {"approvals": 1}
    digest = PlanDigest()
    digest.add(item.canonical() for item in items[:1])
    digest.add(item.canonical() for item in items[1:])
    assert b"".join(canonical_plan(*about, (item.canonical() for item in items))) == rfc8785.dumps(whole)
    assert digest.of(*about) == hashlib.sha256(rfc8785.dumps(whole)).hexdigest()
    stays = "14769c8127802cf9d0851c591c1997dd66b56f3330109ada64ad01e42fa0b01f"
    assert digest.of(*about) == stays, "the same on every machine, and in every later version of this format"


def test_a_plan_says_what_an_update_changes_field_by_field(world: World) -> None:
    document = world.document("guide.md", "first", chunks=3)
    world.promote()
    world.edit(document, "second and longer", chunks=5)
    world.change(document, "dev", title="Guide, second edition")
    planned = world.services.promotions.preview_promotion("rag_documents", "dev", "stage")
    by_type = {item.item_type: item for item in planned.items}

    diff = by_type["rag_documents"].diff
    assert diff is not None
    assert diff["title"] == ["guide.md", "Guide, second edition"]
    assert diff["point_count"] == [3, 5]
    assert diff["vectors"][0] != diff["vectors"][1]
    assert "language" not in diff
    assert by_type["stored_files"].diff == {
        "file_size_bytes": [len("first"), len("second and longer")],
        "checksum_sha256": [hashlib.sha256(each).hexdigest() for each in (b"first", b"second and longer")],
    }
    assert {item.effect for item in planned.items} == {Effect.UPDATE}
    created = world.services.promotions.preview_promotion("rag_documents", "dev", "prod")
    assert {item.diff for item in created.items} == {None}


def test_a_plan_of_many_pages_is_one_plan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = world.document("shared.md")
    for number in range(6):
        world.document(f"{number}.md", f"text {number}", chunks=1)
    other = world.document("other.md", chunks=1)
    world.change(other, "dev", file_id=world.file_of(shared).id)  # two documents of one file, on different pages
    whole = world.services.promotions.preview_promotion("rag_documents", "dev", "stage", reason="whole")
    monkeypatch.setattr(planner, "ITEMS_AT_ONCE", 1)
    monkeypatch.setattr(items, "ITEMS_AT_ONCE", 1)
    monkeypatch.setattr(writing, "READ_AT_ONCE", 1)
    paged = world.services.promotions.preview_promotion("rag_documents", "dev", "stage", reason="paged")

    assert paged.promotion_id != whole.promotion_id
    assert paged.plan_digest == whole.plan_digest
    assert whole.total_count == 8 + 7, "the shared file is in it once"
    found = list(world.services.promotions.plan(paged.promotion_id))
    assert [item.key for item in found] == sorted(
        (item.key for item in found), key=lambda key: (key[0] != "stored_files", key[1])
    )
    assert {item.key for item in found} == {item.key for item in whole.items}


def test_two_plans_are_compared(world: World) -> None:
    kept, edited = world.document("kept.md"), world.document("edited.md")
    gone = world.document("gone.md")
    first = world.services.promotions.preview_promotion("rag_documents", "dev", "stage").promotion_id
    world.change(edited, "dev", title="another title")
    world.change(gone, "dev", promotion_status="draft")
    world.document("new.md")
    second = world.services.promotions.preview_promotion("rag_documents", "dev", "stage").promotion_id
    differences = list(world.services.promotions.compare(second, first))

    assert [each for each in differences if f"({edited}) has changed in dev: its row" in each]
    assert [each for each in differences if f"({gone}) is no longer part of it" in each]
    world.services.approvals.grant(second, ADMIN)
    world.services.promotions.execute(second, run_id="test")
    world.change(kept, "dev", promotion_status="approved")
    third = world.services.promotions.preview_promotion("rag_documents", "dev", "stage").promotion_id
    (arrived,) = [each for each in world.services.promotions.compare(third, second) if f"({kept})" in each]
    assert arrived.endswith("has arrived in stage meanwhile (it was create, and is unchanged now)")
    assert [each for each in differences if "'new.md'" in each and "is now part of it (create)" in each]
    assert not [each for each in differences if str(kept) in each]
    assert list(world.services.promotions.compare(second, second)) == []
    other_way = world.services.promotions.preview_promotion("rag_documents", "dev", "prod").promotion_id
    with pytest.raises(PromotionRefused, match="goes dev->prod"):
        list(world.services.promotions.compare(first, other_way))
    with pytest.raises(PromotionNotFound):
        list(world.services.promotions.compare(first, uuid4()))


def test_what_came_another_way_does_not_come_twice(world: World) -> None:
    """Straight from dev, and by way of stage: a reader of prod would find it twice."""
    promotions, both = world.services.promotions, (ADMIN, SUPERADMIN)
    straight, by_stage = world.document("straight.md"), world.document("by stage.md")
    world.promote(straight, target="prod", by=both)
    world.promote(by_stage)
    world.change(straight, "dev", promotion_status="approved")
    world.promote(straight)
    for each in (straight, by_stage):
        world.change(world.twin(each), "stage", is_promotable=True, promotion_status="approved")

    planned = promotions.preview_promotion("rag_documents", "stage", "prod")
    effects = {item.label: item.effect for item in planned.items if item.item_type == "rag_documents"}
    assert effects == {"straight.md": Effect.BLOCKED, "by stage.md": Effect.CREATE}
    assert f"prod has it already, as {world.twin(straight, 'prod')}, which came from dev" in planned.errors[0]

    world.promote(world.twin(by_stage), source="stage", target="prod")
    world.edit(by_stage, "a hotfix")
    world.edit(straight, "another one")
    planned = promotions.preview_promotion("rag_documents", "dev", "prod")
    effects = {item.label: item.effect for item in planned.items if item.item_type == "rag_documents"}
    assert effects == {"straight.md": Effect.UPDATE, "by stage.md": Effect.BLOCKED}
    assert "which came from stage: promote it along that way" in planned.errors[0]
