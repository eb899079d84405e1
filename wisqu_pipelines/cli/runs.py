"""`wisqu promote execute | resume | cancel | rollback`: what changes a target."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID, uuid4

import typer

from wisqu_pipelines.cli.options import (
    AsJson,
    Doors,
    ItemIds,
    Person,
    PromotionId,
    Reason,
    doors,
    parse_promotion_id,
    person_id,
    required_person,
)
from wisqu_pipelines.cli.output import ERR, OUT, cell, print_done, print_json, progress_bar, table
from wisqu_pipelines.errors import RollbackRefused
from wisqu_pipelines.figures import counted, size
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.results import ITEMS_SHOWN, PromotionReport, PromotionResult, RollbackPreview

Preview = Annotated[bool, typer.Option("--preview", help="Only say what it would do.")]
Rehearse = Annotated[bool, typer.Option("--rehearse", help="Try it out in the target's database, and undo that.")]
SHOWN_ITEMS = 25
"""Items of a rollback that are shown; `--json` has more."""


def register(app: typer.Typer) -> None:
    """Put the commands under `wisqu promote`."""
    for command in (execute, resume, cancel, rollback):
        app.command()(command)


def execute(
    promotion: Annotated[
        list[str],
        typer.Argument(
            metavar="PROMOTION_ID | MODEL SOURCE TARGET",
            help="The id, as 'wisqu promote preview' told it; or what that command took.",
        ),
    ],
    item_ids: ItemIds = None,
    person: Person = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Execute an approved promotion: by its id, or the one whose plan is what a preview would say now."""
    with doors() as opened:
        who = required_person(opened, person)
        match promotion:
            case [text]:
                promotion_id = parse_promotion_id(text)
                with _under_way(opened, promotion_id) as progress:
                    done = opened.promotions.execute(
                        promotion_id, run_id=f"cli:{uuid4()}", executed_by_user_id=who, progress=progress
                    )
            case [model, source, target]:
                with _under_way(opened) as progress:
                    done = opened.promotions.execute_promotion(
                        model, source, target, who, reason or "", item_ids, progress=progress
                    )
            case _:
                raise typer.BadParameter("give a promotion's id, or a type, a source and a target")
    _show_result("Promoted", done, as_json)


def resume(promotion: PromotionId, person: Person = None, as_json: AsJson = False) -> None:
    """Go on with a promotion, or a rollback, whose run is gone, from where the stores say it stands."""
    with doors() as opened:
        who = required_person(opened, person)
        with _under_way(opened, promotion) as progress:
            done = opened.promotions.resume(promotion, run_id=f"cli:{uuid4()}", person=who, progress=progress)
    _show_result("Finished:", done, as_json)


def cancel(
    promotion: PromotionId,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")],
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Cancel a promotion for good: one that waits, has failed, or has a run at it. What has happened is rolled back; a
    rollback that was asked for is withdrawn, until a run begins with it.
    """
    with doors() as opened:
        state = opened.cancellations.cancel(promotion, required_person(opened, person), reason)
    done, told = {
        PromotionState.EXECUTING: (
            "asked",
            f"Its run stops soon, sweeps what it staged, and rejects it: wisqu promote status {promotion}",
        ),
        PromotionState.SUCCEEDED: ("withdrawn", f"Promotion {promotion} stays: it is not taken back."),
    }.get(state, ("cancelled", f"Promotion {promotion} is {state}."))
    if as_json:
        print_done(done, promotion_id=promotion, state=state)
    else:
        OUT.print(told)


def rollback(
    promotion: PromotionId,
    item_ids: ItemIds = None,
    person: Person = None,
    reason: Reason = None,
    preview: Preview = False,
    rehearse: Rehearse = False,
    request: Annotated[bool, typer.Option("--request", help="Only ask; Dagster's sensor carries it out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a promotion back, or some items of it: the target's rows, files and vectors are then what they were."""
    if preview + rehearse + request > 1:
        raise typer.BadParameter("--preview, --rehearse and --request exclude each other")
    with doors() as opened:
        if preview or rehearse:
            by = person_id(opened, person) if rehearse else None
            found = opened.promotions.preview_rollback(promotion, item_ids, rehearse=rehearse, person=by)
            _show_foresight(found, as_json)
            return
        who = required_person(opened, person)
        if request:
            opened.promotions.request_rollback(promotion, who, reason, item_ids)
            if as_json:
                print_done("asked", promotion_id=promotion, item_ids=item_ids)
                return
            OUT.print(f"Asked for. The sensor starts the run; 'wisqu promote status {promotion}' shows it.")
            return
        with _under_way(opened, promotion) as progress:
            done = opened.promotions.rollback_promotion(promotion, who, reason, item_ids=item_ids, progress=progress)
    _show_result("Rolled back", done, as_json)


@contextmanager
def _under_way(opened: Doors, promotion: UUID | None = None) -> Iterator[Progress]:
    """A progress bar; and if a person stops it, a sentence about how it stands then and how to go on."""
    try:
        with progress_bar() as progress:
            yield progress
    except KeyboardInterrupt:
        told = _how_it_stands(opened.promotions.status(promotion)) if promotion else "'wisqu promote list' says more."
        ERR.print(f"stopped: {told}", markup=False, soft_wrap=True)
        raise


def _how_it_stands(report: PromotionReport) -> str:
    match report.state:
        case PromotionState.FAILED | PromotionState.APPROVED:
            return (
                f"Nothing became visible in {report.target_environment}, and nothing is left there. "
                f"To begin again: wisqu promote execute {report.promotion_id} --as PERSON"
            )
        case PromotionState.EXECUTING | PromotionState.PUBLISHED | PromotionState.ROLLING_BACK:
            return f"It is {report.state}. To go on: wisqu promote resume {report.promotion_id} --as PERSON"
        case _:
            return f"The promotion is {report.state}."


def _show_foresight(found: RollbackPreview, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        names = sorted({*found.removed, *found.restored})
        rows = [[name, found.removed.get(name, 0), found.restored.get(name, 0)] for name in names]
        title = f"Taking {found.promotion_id} back from {found.target_environment} would"
        OUT.print(table(title, ("type", "#remove", "#restore"), rows))
        items = [[item.item_type, item.label, item.effect, item.target_id] for item in found.items[:SHOWN_ITEMS]]
        OUT.print(table("Items", ("type", "item", "effect to undo", "!id there"), items))
        if (more := sum(found.removed.values()) + sum(found.restored.values()) - len(items)) > 0:
            OUT.print(f"… and {more} more; --json has the first {ITEMS_SHOWN}")
        OUT.print(f"{size(found.bytes)} of files and {counted(found.points, 'point')} would go.")
        if found.rehearsed and not found.in_the_way:
            OUT.print("Rehearsed: its transaction went through, and was undone. Nothing was changed.")
        for trouble in found.in_the_way:
            OUT.print(f"  [yellow]in the way:[/] {cell(trouble)}")
        if (more := found.in_the_way_count - len(found.in_the_way)) > 0:
            OUT.print(f"  … and {more} more")
    if found.in_the_way:
        reason = f"{counted(found.in_the_way_count, 'item')} of it in the way, the first one: {found.in_the_way[0]}"
        raise RollbackRefused(promotion_id=str(found.promotion_id), reason=reason)


def _show_result(verb: str, done: PromotionResult, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    if done.state == PromotionState.ROLLED_BACK and not (done.by_type or done.duration_seconds):
        OUT.print(f"Promotion {done.promotion_id} was taken back before; nothing was changed.")
        return
    OUT.print(
        f"{verb} {counted(done.success_count, 'item')} ({size(done.bytes)}, {counted(done.points, 'point')}) "
        f"{done.source_environment} → {done.target_environment} in {done.duration_seconds:.1f} s; "
        f"promotion {done.promotion_id} is [bold]{done.state}[/]."
    )
    if done.verification:
        OUT.print(f"Read back ({done.verification['level']}): {done.verification['outcome']}.")
    for error in done.errors:
        OUT.print(f"  [yellow]stayed behind:[/] {cell(error)}")
