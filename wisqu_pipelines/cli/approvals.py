"""`wisqu approvals …`: the gate in front of every promotion."""

from typing import Annotated

import typer

from wisqu_pipelines.cli.options import AsJson, Person, PromotionId, Reason, doors, required_person
from wisqu_pipelines.cli.output import OUT, print_done, print_json, table
from wisqu_pipelines.figures import size
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.results import moving

app = typer.Typer(help="Say yes or no to plans.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the plans that wait for a decision, oldest first."""
    with doors() as opened:
        waiting = [opened.promotions.status(each) for each in opened.approvals.pending()]
        standing = {each.promotion_id: len(opened.approvals.standing(each.promotion_id)) for each in waiting}
    if as_json:
        print_json(waiting)
        return
    rows = [
        [
            each.promotion_id,
            each.promotion_type,
            f"{each.source_environment} → {each.target_environment}",
            moving(each.totals, "items"),
            size(moving(each.totals, "bytes")),
            f"{standing[each.promotion_id]} of {each.approvals_needed}",
            each.requested_by or f"unverified ({each.requested_via})",
            each.reason,
        ]
        for each in waiting
    ]
    columns = ("!promotion", "type", "path", "#items", "#bytes", "approvals", "asked for by", "reason")
    OUT.print(table("Waiting for approval", columns, rows))


@app.command()
def grant(promotion: PromotionId, person: Person = None, reason: Reason = None, as_json: AsJson = False) -> None:
    """Say yes to a plan, as a person whose role in the target approves."""
    with doors() as opened:
        state = opened.approvals.grant(promotion, required_person(opened, person), reason)
        waits_for = opened.promotions.status(promotion).waits_for if state == PromotionState.APPROVED else None
    if as_json:
        print_done("granted", promotion_id=promotion, state=state, waits_for=waits_for)
    elif waits_for is not None:
        OUT.print(f"Promotion {promotion} is approved, and waits. {waits_for}", markup=False)
    elif state == PromotionState.APPROVED:
        OUT.print(f"Promotion {promotion} is approved. The sensor runs it, or: wisqu promote execute {promotion}")
    else:
        OUT.print(f"Your yes to promotion {promotion} is kept; it takes more people.")


@app.command()
def reject(
    promotion: PromotionId,
    reason: Annotated[str, typer.Option("--reason", help="Why not; kept in the audit.")],
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Say no to a plan, for good."""
    with doors() as opened:
        state = opened.approvals.reject(promotion, required_person(opened, person), reason)
    if as_json:
        print_done("rejected", promotion_id=promotion, state=state)
        return
    OUT.print(f"Promotion {promotion} is rejected.")


@app.command()
def revoke(
    promotion: PromotionId,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")],
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Take your own yes to a plan back, until a run claims the promotion."""
    with doors() as opened:
        state = opened.approvals.revoke(promotion, required_person(opened, person), reason)
    if as_json:
        print_done("revoked", promotion_id=promotion, state=state)
        return
    OUT.print(f"Your yes is taken back; promotion {promotion} is {state}.")
