"""What an approver sees of a plan."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid5

import pytest

from wisqu_pipelines.assets.progress import LoggedProgress
from wisqu_pipelines.jobs.picture import picture, reasons_title
from wisqu_pipelines.jobs.report import ITEMS_SHOWN, blocked_reasons, items_table, report
from wisqu_pipelines.promotion.models import MOVING, Effect, PromotionState
from wisqu_pipelines.promotion.plan import Hashes, PlannedItem
from wisqu_pipelines.promotion.results import PromotionPreview
from wisqu_pipelines.settings import PathSettings

SPACE = UUID(int=1)


def path(*, self_approval: bool = True, approvals: int = 1) -> PathSettings:
    return PathSettings(
        source="dev",
        target="stage",
        approver_roles=("admin",),
        approvals=approvals,
        self_approval=self_approval,
        approval_hours=1,
    )


def item(number: int, effect: Effect, label: str = "a.txt", reason: str | None = None) -> PlannedItem:
    own = uuid5(SPACE, str(number))
    return PlannedItem(
        "stored_files", own, own, label, effect, "approved", Hashes("0" * 64), blocked_reason=reason, bytes=1_000
    )


def preview(items: Sequence[PlannedItem], state: PromotionState = PromotionState.PLANNED) -> PromotionPreview:
    by_effect = {effect.value: amounts([item for item in items if item.effect == effect]) for effect in Effect}
    moving = [item for item in items if item.effect in MOVING]
    totals = {"by_effect": by_effect, "by_type": {"stored_files": amounts(moving)} if moving else {}}
    shown = sorted(items, key=lambda item: item.effect != Effect.BLOCKED)
    return PromotionPreview(SPACE, "0" * 64, "stored_files", "dev", "stage", state, shown, totals)


def amounts(items: Sequence[PlannedItem]) -> dict[str, int]:
    return {"items": len(items), "bytes": sum(item.bytes for item in items), "points": 0}


def test_reasons_are_counted_without_their_particulars() -> None:
    gone = "its file is gone: there is no object x/{} in bucket dev-a"
    items = [item(number, Effect.BLOCKED, reason=gone.format(number)) for number in range(3)]
    items.append(item(3, Effect.BLOCKED, reason=f"the stored_files that it belongs to cannot go: {gone.format(1)}"))
    items += [item(9, Effect.BLOCKED, reason=f"its twin {uuid5(SPACE, 'a')} in stage is deleted")]
    assert blocked_reasons(preview(items)) == [("its file is gone", 4), ("its twin … in stage is deleted", 1)]


def test_what_needs_a_look_comes_first_and_the_table_is_bounded() -> None:
    items = [item(number, Effect.CREATE) for number in range(ITEMS_SHOWN)]
    items += [item(900, Effect.UPDATE), item(901, Effect.BLOCKED, reason="its file is gone")]
    records = items_table(preview(items)).records
    assert len(records) == ITEMS_SHOWN
    assert [record.data["effect"] for record in records[:3]] == ["blocked", "update", "create"]


def test_an_update_is_shown_field_by_field() -> None:
    diff = {"title": ["Old", "New"], "checksum_sha256": ["0" * 64, "1" * 64], "language": [None, "fa"]}
    made = preview([replace(item(1, Effect.UPDATE, "guide.md"), diff=diff), item(2, Effect.CREATE)])
    shown = report(made, path(), "")
    assert "### What updates change: 1" in shown
    hashes = ("checksum", "0" * 12, "1" * 12)
    for field, before, after in (("title", "Old", "New"), ("language", "nothing", "fa"), hashes):
        assert re.search(rf"guide.*{field}.*{before}.*{after}", shown), field
    assert "0" * 13 not in shown.partition("### Next")[0], "hashes are told by their beginning"
    assert [record.data["why"] for record in items_table(made).records] == [
        "checksum_sha256: 000000000000… → 111111111111…; language: nothing → 'fa'; title: 'Old' → 'New'",
        "it is not there yet",
    ]


def test_what_is_not_shown_is_counted_all_the_same() -> None:
    """A preview carries the first of its items only; its totals are those of all."""
    blocked = preview([item(number, Effect.BLOCKED, reason="its file is gone") for number in range(40)])
    first = replace(blocked, items=blocked.items[:20])
    assert "### Blocked: 40" in report(first, path(), "")
    assert "… and 30 more" in report(first, path(), "")
    assert (reasons_title(blocked), reasons_title(first)) == (
        "Blocked, and why",
        "Blocked, and why (the first 20 of 40)",
    )


def test_the_report_names_the_next_step() -> None:
    made = preview([item(1, Effect.CREATE)])
    assert f"wisqu approvals grant {SPACE} --as PERSON" in report(made, path(), "")
    assert "2 people approve" in report(made, path(approvals=2), "")
    assert "somebody else" in report(made, path(self_approval=False), "")
    assert "is approved already" in report(preview([item(1, Effect.CREATE)], PromotionState.APPROVED), path(), "")
    assert "There is nothing to approve." in report(preview([item(1, Effect.BLOCKED, reason="x")]), path(), "")


def test_hostile_labels_and_reasons_are_shown_as_they_are() -> None:
    hostile = r"$\frac{1}$ <script>alert(1)</script> | `x` ![a](http://example.org/a.png)"
    made = preview([item(1, Effect.BLOCKED, hostile, hostile)])
    shown = report(made, path(), "")
    assert "<script>" not in shown
    assert "![" not in shown
    assert picture(made).startswith(b"\x89PNG")
    assert items_table(made).records[0].data["item"] == hostile


@pytest.mark.parametrize("items", [[], [item(1, Effect.UNCHANGED)]])
def test_a_plan_without_much_has_a_picture_too(items: Sequence[PlannedItem]) -> None:
    assert picture(preview(items)).startswith(b"\x89PNG")


def test_progress_is_written_at_a_bounded_rate(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress = LoggedProgress(logging.getLogger("test"))
    for done in range(1, 5_001):
        progress("stage", done, 5_000, bytes=done * 1_000, points=done)
    progress("verify", 1, 10)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "stage: 1 of 5000 (1.0 kB, 1 points)"
    assert re.fullmatch(r"stage: 5000 of 5000 \(5\.0 MB, 5,000 points, [\d,]+ items/s\)", lines[-2])
    assert lines[-1] == "verify: 1 of 10"
    assert len(lines) <= 5
