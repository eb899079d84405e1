"""`wisqu audit …`: what was written down, and whether it still says so."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from wisqu_pipelines.audit.anchors import CONTROL
from wisqu_pipelines.audit.verification import AuditReport, Damage
from wisqu_pipelines.checkpoints.restores import LostRows, RestoreReport
from wisqu_pipelines.cli.options import AsJson, Person, doors, parse_id, required_person
from wisqu_pipelines.cli.output import OUT, cell, moment, print_done, print_json, table
from wisqu_pipelines.figures import counted

app = typer.Typer(help="Verify the audit chains, and acknowledge restores.", no_args_is_help=True)


def _parse_restore_id(text: str) -> UUID:
    return parse_id(text, "'wisqu audit restores' shows the restores with theirs")


DatabaseName = Annotated[str, typer.Argument(metavar="DATABASE", help=f"An environment's name, or {CONTROL}.")]
RestoreId = Annotated[
    UUID,
    typer.Argument(metavar="RESTORE_ID", parser=_parse_restore_id, help="As 'wisqu audit restores' shows it."),
]
CUT = {Damage.CUT_OFF, Damage.REWRITTEN}
"""What a restore looks like."""


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="DATABASE", help=f"An environment, or {CONTROL}; by default all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every audit chain from its first row to its last: finds edited, deleted, reordered and cut-off rows."""
    with doors() as opened:
        reports = opened.checkpoints.verify(names or ())
    holds = all(report.holds for report in reports)
    if as_json:
        print_json({"holds": holds, "reports": reports})
    else:
        rows = [
            [report.environment, chain.table, chain.rows, "broken" if chain.findings else "whole"]
            for report in reports
            for chain in report.chains
        ]
        OUT.print(table("Audit chains", ("environment", "table", "#rows", "state"), rows))
        for report in reports:
            _print_findings(report)
    if not holds:
        raise typer.Exit(1)


@app.command()
def restored(
    database: DatabaseName,
    reason: Annotated[str, typer.Option("--reason", help="From which backup and why; kept in the audit.")],
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Say that a database was restored from a backup, which has cut off its audit; a second person confirms it."""
    with doors() as opened:
        made = opened.restores.report(database, required_person(opened, person), reason)
    if as_json:
        print_done("reported", restore=made)
        return
    _print_restores([made])
    OUT.print(f"A second person confirms it: wisqu audit confirm-restore {made.id} --as PERSON --reason WHY")


@app.command()
def confirm_restore(
    restore: RestoreId,
    reason: Annotated[str, typer.Option("--reason", help="Why you say so too; kept in the audit.")],
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Confirm a restore that another person has reported: what it has lost is no finding any more."""
    with doors() as opened:
        done = opened.restores.confirm(restore, required_person(opened, person), reason)
    if as_json:
        print_done("confirmed", restore=done)
        return
    OUT.print(f"Two people have said it: {cell(done.database)} was restored, and its audit is verified from here on.")


@app.command()
def restores(
    database: Annotated[str | None, typer.Argument(metavar="DATABASE", help="Only this one's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the restores that were reported, newest first, with what they lost."""
    with doors() as opened:
        found = opened.restores.list(database)
    if as_json:
        print_json(found)
    else:
        _print_restores(found)


def _print_findings(report: AuditReport) -> None:
    name = cell(report.environment)
    if report.unread is not None:
        OUT.print(f"[red]{name}[/] could not be read: {cell(report.unread)}")
    findings = [finding for chain in report.chains for finding in chain.findings]
    for finding in findings:
        OUT.print(f"[red]{name}[/] {cell(finding)}")
    if any(finding.damage in CUT for finding in findings):
        OUT.print(f"If {name} was restored from a backup: wisqu audit restored {name} --as PERSON --reason WHY")
    if report.restores:
        lost = counted(len(report.restores), "restore")
        OUT.print(f"{name} lost rows by {lost} that two people have acknowledged: wisqu audit restores {name}")


def _lost(rows: LostRows) -> str:
    first = rows.after + 1
    return f"{rows.chain} {first}" if first == rows.until else f"{rows.chain} {first} to {rows.until}"


def _print_restores(found: Sequence[RestoreReport]) -> None:
    columns = ("!restore", "database", "reported (UTC)", "by", "reason", "confirmed by", "lost")
    rows = [
        [
            each.id,
            each.database,
            moment(each.reported_at),
            each.reported_by,
            each.reason,
            each.confirmed_by or "nobody yet",
            ", ".join(map(_lost, each.rows)),
        ]
        for each in found
    ]
    OUT.print(table("Restores", columns, rows))
    for each in found:
        for promotion in each.promotions:
            OUT.print(f"{cell(each.database)} no longer has what promotion {promotion} brought.")
        for promotion in each.rollbacks:
            OUT.print(f"{cell(each.database)} has again what was taken back of promotion {promotion}.")
