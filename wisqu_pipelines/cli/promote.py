"""`wisqu promote …`: from an approved item to a plan, and how a promotion stands."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Annotated, Any

import typer

from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.cli import runs
from wisqu_pipelines.cli.options import (
    AsJson,
    Doors,
    EarlierPromotion,
    ItemId,
    ItemIds,
    Model,
    Person,
    PromotionId,
    Reason,
    SomeItems,
    doors,
    person_id,
    promotion_page,
    required_person,
    services,
)
from wisqu_pipelines.cli.output import OUT, cell, moment, print_done, print_json, print_json_list, progress_bar, table
from wisqu_pipelines.detection import months
from wisqu_pipelines.detection.fields import MODELS, model_named
from wisqu_pipelines.detection.report import ScanReport
from wisqu_pipelines.errors import COMPOSED_CHARACTERS
from wisqu_pipelines.figures import counted, size
from wisqu_pipelines.promotion.models import Decision, Effect, PromotionState, Step
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.results import PromotionPreview, PromotionReport, moving

app = typer.Typer(help="Promote approved items from one environment to the next.", no_args_is_help=True)

EnvironmentName = Annotated[
    str | None, typer.Option("--env", help="Where the item is. By default the first configured.")
]
SHOWN_ITEMS = 25
"""Items of a plan that are shown; `--json` has them all."""


@app.command()
def items(
    model: Model,
    env: EnvironmentName = None,
    status: Annotated[PromotionStatus | None, typer.Option(help="Only items with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List an environment's items of a type, with the ids that the other commands take."""
    with doors() as opened:
        found = opened.candidates(_chosen(opened, env)).list(model, status=status, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[each.id, each.label, each.promotion_status, each.is_test_data, each.source_environment] for each in found]
    OUT.print(table(model, ("!id", "label", "status", "test data", "from"), rows))
    _show_limit(len(rows), limit)


@app.command()
def approve(
    model: Model,
    item_ids: SomeItems,
    env: EnvironmentName = None,
    person: Person = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that items may go to the next environment."""
    with doors() as opened:
        who, where = required_person(opened, person), _chosen(opened, env)
        done = opened.candidates(where).approve(model, item_ids, who, reason)
    if as_json:
        print_done("approved", environment=where, items=done)
        return
    OUT.print(f"Approved {len(item_ids)} {model} in {where} for promotion.")


@app.command("mark-test-data")
def mark_test_data(
    model: Model,
    item_ids: SomeItems,
    reason: Annotated[str, typer.Option("--reason", help="Why it is test data.")],
    env: EnvironmentName = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Say that items are test data; they can then not be promoted."""
    with doors() as opened:
        who, where = required_person(opened, person), _chosen(opened, env)
        done = opened.candidates(where).mark_as_test_data(model, item_ids, who, reason)
    if as_json:
        print_done("marked as test data", environment=where, items=done)
        return
    OUT.print(f"Marked {len(item_ids)} {model} in {where} as test data.")


@app.command("mark-real")
def mark_real(
    model: Model,
    item_ids: SomeItems,
    env: EnvironmentName = None,
    person: Person = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that items are no test data, whatever they look like; no scan marks them again."""
    with doors() as opened:
        who, where = required_person(opened, person), _chosen(opened, env)
        done = opened.candidates(where).mark_as_real(model, item_ids, who, reason)
    if as_json:
        print_done("marked as real", environment=where, items=done)
        return
    OUT.print(f"{len(item_ids)} {model} in {where} are no test data.")


@app.command("scan-test-data")
def scan_test_data(
    env: Annotated[str, typer.Argument(metavar="ENV", help="The environment.")],
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help=f"{', '.join(MODELS)}. By default all of them.")
    ] = None,
    month: Annotated[
        list[str] | None, typer.Option("--month", metavar="YYYY-MM", help="Only rows of this month; again for more.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read also what has been read before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be marked, and change nothing.")] = False,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Look for test data and mark it. What has not changed since the last scan is not read again."""
    chosen = [model_named(model)] if model else list(MODELS.values())
    wanted = {months.parse(each) for each in month or []}
    with services() as opened, progress_bar() as progress:
        if not dry_run:
            person_id(opened, person)  # marks are the scan's, but somebody has to be there who starts it
        report = opened.detection(env).scan(
            chosen,
            wanted=lambda each: not wanted or each in wanted,
            is_full=full,
            is_dry_run=dry_run,
            progress=progress,
        )
    if as_json:
        print_json(report.as_dict())
    else:
        _show_scan(report)


@app.command()
def preview(
    model: Model,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The environment that the items are in.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The environment that they are to go to.")],
    item_ids: ItemIds = None,
    person: Person = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say what a promotion would do, and keep that plan for approval. Nothing is changed in either environment."""
    with doors() as opened, progress_bar() as progress:
        made = opened.promotions.preview_promotion(
            model,
            source,
            target,
            item_ids,
            requested_by_user_id=person_id(opened, person),
            requested_via="cli",
            reason=reason,
            progress=progress,
        )
        page = promotion_page(opened, made.promotion_id)
    _show_preview(made, page, as_json)


@app.command()
def plan(
    promotion: PromotionId,
    against: EarlierPromotion = None,
    canonical: Annotated[
        bool, typer.Option("--canonical", help="Write the very JSON (RFC 8785) whose SHA-256 is the plan's digest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a promotion's plan as it was frozen; --json writes all of it, item by item."""
    if canonical:
        if as_json or against is not None:
            raise typer.BadParameter("--canonical goes with neither --json nor --against")
        with services() as here:
            for piece in here.promotions.canonical_plan(promotion):
                typer.echo(piece, nl=False)
        return
    with doors() as opened:
        if against is not None:
            _show_differences(list(opened.promotions.compare(promotion, against)), as_json)
            return
        made = opened.promotions.preview(promotion)
        if not as_json:
            _show_preview(made, promotion_page(opened, promotion), as_json)
            return
        about = {"preview": replace(made, items=()), "plan_digest": made.plan_digest}
        print_json_list(about, "items", (_with_reason(item) for item in opened.promotions.plan(promotion)))


@app.command()
def lineage(
    item_id: ItemId,
    as_json: AsJson = False,
) -> None:
    """Show where a promoted item came from, hop by hop, back to its first source."""
    with doors() as opened:
        hops = opened.promotions.lineage(item_id)
    if as_json:
        print_json(hops)
        return
    if not hops:
        OUT.print(f"No promotion brought {item_id}.")
        return
    rows = [
        [hop.target_environment, hop.target_id, hop.source_environment, hop.source_id, hop.promotion_id] for hop in hops
    ]
    OUT.print(table(f"The way of '{hops[0].label}'", ("in", "!as", "from", "!where it was", "!by promotion"), rows))


@app.command()
def status(promotion: PromotionId, as_json: AsJson = False) -> None:
    """Show how a promotion stands: who decided what, and how far it is."""
    with doors() as opened:
        report = opened.promotions.status(promotion)
    if as_json:
        print_json(report)
        return
    facts = table(f"Promotion {report.promotion_id}", ("what", "value"), _facts(report), characters=COMPOSED_CHARACTERS)
    OUT.print(facts)
    if report.approvals:
        rows = [
            [
                each.email,
                each.role,
                f"{each.decision}, revoked" if each.revoked_at else each.decision,
                each.revoked_reason or each.reason,
                moment(each.revoked_at or each.decided_at),
                moment(each.expires_at) if each.decision == Decision.APPROVE and not each.revoked_at else None,
            ]
            for each in report.approvals
        ]
        OUT.print(table("Decisions", ("who", "as", "said", "because", "when (UTC)", "until (UTC)"), rows))
    if report.steps:
        steps = [[step, report.steps[step]] for step in Step if step in report.steps]
        OUT.print(table("Items past each step", ("step", "#items"), steps))
    if report.verification and (found := report.verification["findings"]):
        OUT.print("[yellow]What was read back and is not what was planned:[/]")
        for finding in found:
            OUT.print(f"  {cell(finding)}")
        if (more := sum(each["failed"] for each in report.verification["checks"].values()) - len(found)) > 0:
            OUT.print(f"  … and {more} more")


@app.command("list")
def list_(
    state: Annotated[PromotionState | None, typer.Option(help="Only promotions in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List promotions, newest first."""
    with doors() as opened:
        reports = opened.promotions.list(state=state, limit=limit)
    if as_json:
        print_json(reports)
        return
    rows = [
        [
            each.promotion_id,
            each.promotion_type,
            f"{each.source_environment} → {each.target_environment}",
            each.standing,
            moving(each.totals, "items"),
            each.success_count,
            each.error_count,
            each.requested_by or f"({each.requested_via})",
            moment(each.created_at),
        ]
        for each in reports
    ]
    counts = ("#planned", "#promoted", "#errors")
    OUT.print(table("Promotions", ("!promotion", "type", "path", "state", *counts, "asked by", "made at (UTC)"), rows))
    _show_limit(len(rows), limit)


runs.register(app)


def _show_scan(report: ScanReport) -> None:
    would = "would be " if report.is_dry_run else ""
    OUT.print(
        f"Read {counted(report.scanned, 'row')} of {report.environment} in {report.seconds:.1f} s: "
        f"{report.marked} {would}marked, {report.unmarked} {would}unmarked, {report.to_review} {would}left to people "
        f"(wisqu detect review {report.environment})."
    )
    if report.by_reason:
        reasons = [[reason, column, count] for (reason, column), count in report.by_reason.most_common(SHOWN_ITEMS)]
        OUT.print(table("Test data, by what speaks for it", ("what", "in", "#rows"), reasons))
    if report.examples:
        rows = [[each.item_id, each.item_type, each.label, each.reason] for each in report.examples]
        OUT.print(table(f"The first that {would or 'were '}marked", ("!item", "type", "label", "why"), rows))


def _chosen(opened: Doors, env: str | None) -> str:
    """The environment that `--env` names, or the first one that there is."""
    return env or next(iter(opened.environments))


def _show_preview(made: PromotionPreview, page: str, as_json: bool) -> None:
    if as_json:
        totals = {"total_count": made.total_count, "total_size_bytes": made.total_size_bytes}
        items = [_with_reason(item) for item in made.items]
        preview = {each.name: getattr(made, each.name) for each in fields(made)} | {"items": items}
        further = {"total_points": made.total_points, "errors": made.errors, "page": page}
        print_json({"preview": preview, **totals, **further})
        return
    path = f"{made.source_environment} → {made.target_environment}"
    rows = [
        [effect, total["items"], size(total["bytes"]), total["points"]]
        for effect, total in made.totals["by_effect"].items()
    ]
    OUT.print(table(f"Plan for {made.promotion_type}, {path}", ("effect", "#items", "#bytes", "#points"), rows))
    _show_items([item for item in made.items if item.effect != Effect.BLOCKED], made)
    if made.errors:
        OUT.print(f"[yellow]Blocked ({made.blocked_count}):[/]")
        for error in made.errors[:SHOWN_ITEMS]:
            OUT.print(f"  {cell(error)}")
        _show_more(made, made.blocked_count - SHOWN_ITEMS)
    is_planned = made.state == PromotionState.PLANNED
    if is_planned and not made.total_count:
        OUT.print(f"There is nothing to promote: the plan [bold]{made.promotion_id}[/] waits for nobody.")
        return
    OUT.print(f"Promotion [bold]{made.promotion_id}[/] is {made.state}; plan digest {made.plan_digest}")
    if is_planned:
        OUT.print(f"Next: wisqu approvals grant {made.promotion_id} --as PERSON", soft_wrap=True)
        OUT.print(f"In the browser: {page}", soft_wrap=True)


def _with_reason(item: PlannedItem) -> dict[str, Any]:
    """An item as JSON has it: its fields, and why this will be done with it."""
    return {each.name: getattr(item, each.name) for each in fields(item)} | {"reason": item.reason}


def _show_items(shown: Sequence[Any], made: PromotionPreview) -> None:
    rows = [
        [
            item.item_type,
            item.label,
            item.effect,
            size(item.bytes) if item.bytes else "",
            item.points or "",
            made.outcomes.get(item.source_id) or "; ".join(item.changes) or item.reason,
        ]
        for item in shown[:SHOWN_ITEMS]
    ]
    if rows:
        OUT.print(table("Items", ("type", "item", "effect", "#bytes", "#points", "why"), rows))
    more = sum(int(total["items"]) for total in made.totals["by_effect"].values()) - made.blocked_count - len(rows)
    _show_more(made, more)


def _show_more(made: PromotionPreview, more: int) -> None:
    """Say how many items are not shown, and where they are."""
    if more > 0:
        OUT.print(f"… and {more} more: wisqu promote plan {made.promotion_id} --json")


def _show_limit(shown: int, limit: int) -> None:
    """Say that there may be more than a list shows."""
    if shown == limit:
        OUT.print(f"The list ends at --limit ({limit}); there may be more.")


def _show_differences(found: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for sentence in found:
        OUT.print(cell(sentence))
    OUT.print(f"{counted(len(found), 'difference')}." if found else "The two plans are the same.")


def _facts(report: PromotionReport) -> list[list[Any]]:
    amounts = size(moving(report.totals, "bytes")), counted(moving(report.totals, "points"), "point")
    facts: list[list[Any]] = [
        ["type", report.promotion_type],
        ["path", f"{report.source_environment} → {report.target_environment}"],
        ["state", report.standing],
        ["waits", report.waits_for],
        ["error", report.error],
        ["cancelled", report.cancel_reason],
        ["asked for by", report.requested_by or f"unverified ({report.requested_via})"],
        ["reason", report.reason],
        ["approvals needed", report.approvals_needed],
        ["plan digest", report.plan_digest],
        ["made at (UTC)", moment(report.created_at)],
        ["started at (UTC)", moment(report.started_at)],
        ["finished at (UTC)", moment(report.finished_at)],
        ["seconds", None if report.duration_seconds is None else f"{report.duration_seconds:.1f}"],
        ["planned", f"{counted(moving(report.totals, 'items'), 'item')} ({', '.join(amounts)})"],
        ["promoted", report.success_count],
        ["stayed behind", report.error_count],
        ["taken back", report.rolled_back_count or None],
        ["taken back at (UTC)", moment(report.rolled_back_at)],
        ["taking back asked for by", report.rollback_asked_by],
        ["taken back because", report.rollback_reason],
        ["verification", _verification(report)],
        ["run", report.run_id],
    ]
    return [fact for fact in facts if fact[1] is not None]


def _verification(report: PromotionReport) -> str | None:
    """What reading back came to, in one line."""
    if report.verification is None:
        return None
    checks = {name: each for name, each in report.verification["checks"].items() if each["checked"]}
    counts = ", ".join(
        f"{name} {each['checked'] - each['failed']} of {each['checked']}" for name, each in checks.items()
    )
    return f"{report.verification['outcome']} ({report.verification['level']}): {counts or 'nothing was compared'}"
