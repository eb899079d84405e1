"""A plan as an approver reads it in the Dagster UI: a report in Markdown and a table of its items."""

import re
from collections import Counter
from collections.abc import Sequence

from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

from wisqu_pipelines.assets import markdown
from wisqu_pipelines.errors import printable
from wisqu_pipelines.promotion.models import Effect, PromotionState
from wisqu_pipelines.promotion.results import PromotionPreview
from wisqu_pipelines.settings import PathSettings

ITEMS_SHOWN = 50
"""Rows of the table of items; the plan itself has them all."""
BLOCKED_LISTED = 10
UPDATES_LISTED = 20
_ORDER = (Effect.BLOCKED, Effect.UPDATE, Effect.CREATE, Effect.UNCHANGED)
"""What an approver wants to see first."""
_PARTICULARS = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\d+")
_PASSED_ON = re.compile(r"^(?:the \w+ that it belongs to cannot go: )+")
"""What an item's reason begins with if it is blocked by what it belongs to."""
_COLUMNS = (
    TableColumn("effect", "string"),
    TableColumn("type", "string"),
    TableColumn("item", "string", description="Its filename or title"),
    TableColumn("bytes", "int"),
    TableColumn("points", "int"),
    TableColumn("why", "string", description="Why this is done with it; for an update, what changes"),
    TableColumn("source id", "string"),
)


def report(preview: PromotionPreview, path: PathSettings, picture: str) -> str:
    """What will be done, what will not and why, and what happens next, as Markdown.

    Args:
        preview: The plan.
        path: The policy that it falls under.
        picture: Markdown of the plan's picture.
    """
    ends = f"{markdown.text(preview.source_environment)} → {markdown.text(preview.target_environment)}"
    parts = [
        f"## Promotion of {markdown.text(preview.promotion_type)}, {ends}",
        f"**{markdown.number(preview.total_count)}** items will be written, with "
        f"**{markdown.size(preview.total_size_bytes)}** of files and "
        f"**{markdown.number(preview.total_points)}** vectors.",
        _totals(preview),
        picture,
    ]
    if preview.blocked_count:
        parts += [f"### Blocked: {markdown.number(preview.blocked_count)}", _blocked(preview)]
    if updates := int(preview.totals["by_effect"][Effect.UPDATE.value]["items"]):
        parts += [f"### What updates change: {markdown.number(updates)}", _updates(preview, updates)]
    parts += ["### Next", _next(preview, path)]
    return "\n\n".join(parts)


def items_table(preview: PromotionPreview) -> TableMetadataValue:
    """The first `ITEMS_SHOWN` items, those that need a look first."""
    items = sorted(preview.items, key=lambda item: _ORDER.index(item.effect))[:ITEMS_SHOWN]
    records = [
        TableRecord(
            {
                "effect": item.effect.value,
                "type": item.item_type,
                "item": printable(item.label, markdown.SHOWN_CHARACTERS),
                "bytes": item.bytes,
                "points": item.points,
                "why": printable("; ".join(item.changes) or item.reason, markdown.SHOWN_CHARACTERS),
                "source id": str(item.source_id),
            }
        )
        for item in items
    ]
    return MetadataValue.table(records, TableSchema(list(_COLUMNS)))


def blocked_reasons(preview: PromotionPreview) -> Sequence[tuple[str, int]]:
    """Why the items that are shown are blocked, without the particulars of each, and how many each reason blocks; most
    frequent first.
    """
    roots = (_PASSED_ON.sub("", item.blocked_reason) for item in preview.items if item.blocked_reason)
    return Counter(_PARTICULARS.sub("…", root.partition(":")[0]) for root in roots).most_common()


def _totals(preview: PromotionPreview) -> str:
    by_effect = preview.totals["by_effect"]
    rows = [
        (effect, total["items"], markdown.size(total["bytes"]), total["points"])
        for effect, total in by_effect.items()
        if total["items"]
    ]
    return markdown.table(("effect", "items", "bytes", "points"), rows) if rows else "There is nothing to promote."


def _blocked(preview: PromotionPreview) -> str:
    blocked = [item for item in preview.items if item.effect == Effect.BLOCKED]
    rows = [(item.item_type, item.label, item.blocked_reason) for item in blocked[:BLOCKED_LISTED]]
    listed = markdown.table(("type", "item", "because"), rows)
    more = preview.blocked_count - len(rows)
    return f"{listed}\n\n… and {markdown.number(more)} more" if more > 0 else listed


def _updates(preview: PromotionPreview, count: int) -> str:
    updated = [item for item in preview.items if item.effect == Effect.UPDATE][:UPDATES_LISTED]
    rows = [(item.item_type, item.label, *change) for item in updated for change in item.compared]
    listed = markdown.table(("type", "item", "field", "in the target now", "what comes"), rows)
    more = count - len(updated)
    return f"{listed}\n\n… and {markdown.number(more)} more" if more > 0 else listed


def _next(preview: PromotionPreview, path: PathSettings) -> str:
    if not preview.total_count:
        return "There is nothing to approve."
    digest = f"The plan's digest is `{preview.plan_digest}`."
    if preview.state == PromotionState.APPROVED:
        return f"{digest} This very plan is approved already, and the sensor starts `promotion_execute`."
    if not path.self_approval:
        return (
            f"{digest} It is not known who asked for it here, and {markdown.text(path.name)} takes the yes of somebody "
            "else than who asked: make the plan as a known person, with `wisqu promote preview`."
        )
    people = "a person approves" if path.approvals == 1 else f"{path.approvals} people approve"
    return (
        f"{digest} Nothing moves before {people} it:\n\n"
        f"    wisqu approvals grant {preview.promotion_id} --as PERSON\n\n"
        "Then the sensor starts the job `promotion_execute`."
    )
