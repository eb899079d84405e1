"""`wisqu erasure`: one person's data out of an environment, on their request."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import typer

from wisqu_pipelines.cli.options import AsJson, EnvironmentName, Person, doors, parse_id, required_person
from wisqu_pipelines.cli.output import OUT, cell, moment, print_json, progress_bar, table
from wisqu_pipelines.erasure.report import ErasureReport
from wisqu_pipelines.figures import counted, size

app = typer.Typer(
    help="Erase one person's data from an environment, and again after a restore from a backup.", no_args_is_help=True
)


def _parse_erasure_id(text: str) -> UUID:
    return parse_id(text, "'wisqu erasure list' shows the erasures with theirs")


UserName = Annotated[str, typer.Argument(metavar="USER", help="The account's id there, or its address.")]
ErasureId = Annotated[
    UUID,
    typer.Argument(metavar="ERASURE_ID", parser=_parse_erasure_id, help="As 'wisqu erasure list' shows it."),
]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit for good, so no names.")]


@app.command()
def preview(environment: EnvironmentName, user: UserName, as_json: AsJson = False) -> None:
    """Say what an erasure would take now, and what would stop it."""
    with doors() as opened:
        told = opened.erasures.preview(environment, user)
    if as_json:
        print_json(told.as_dict())
        return
    rows = [[kind, count] for kind, count in told.rows.items()]
    OUT.print(table(f"{environment}: what is erased with the user {told.user_id}", ("type", "#rows"), rows))
    OUT.print(f"{size(told.bytes)} of files and {counted(told.points, 'vector')} go with them.")
    if told.is_held:
        OUT.print("[yellow]A legal hold is on it, or on something of it[/]: it would be refused.")
    for each in told.promotions:
        OUT.print(f"[yellow]The promotion {each} is under way with something of it[/]: it would be refused.")
    for copies in told.copies:
        where = cell(copies.environment)
        OUT.print(f"{copies.rows} {copies.item_type} in {where} are copies by promotion, and stay: ask there as well.")


@app.command()
def request(
    environment: EnvironmentName, user: UserName, reason: Why, person: Person = None, as_json: AsJson = False
) -> None:
    """Ask for an erasure; the reason is the number of the case."""
    with doors() as opened:
        report = opened.erasures.request(environment, user, required_person(opened, person), reason)
    _told(report, as_json, f"is requested. Next, somebody else: wisqu erasure approve {report.id}")


@app.command()
def approve(erasure: ErasureId, person: Person = None, as_json: AsJson = False) -> None:
    """Let an erasure happen that somebody else asked for."""
    with doors() as opened:
        report = opened.erasures.approve(erasure, required_person(opened, person))
    _told(report, as_json, f"is approved. Next: wisqu erasure run {report.id}")


@app.command()
def reject(erasure: ErasureId, reason: Why, person: Person = None, as_json: AsJson = False) -> None:
    """Say no to an erasure."""
    with doors() as opened:
        report = opened.erasures.reject(erasure, required_person(opened, person), reason)
    _told(report, as_json, "is rejected; nothing was changed.")


@app.command()
def run(erasure: ErasureId, person: Person = None, as_json: AsJson = False) -> None:
    """Carry out an approved erasure, or finish one that was interrupted."""
    with doors() as opened, progress_bar() as progress:
        report = opened.erasures.run(erasure, required_person(opened, person), progress=progress)
    told = (
        f"is done: {counted(sum(report.rows.values()), 'row')}. Its certificate: wisqu erasure certificate {report.id}"
    )
    _told(report, as_json, told)


@app.command("list")
def list_(
    environment: Annotated[str | None, typer.Option("--environment", help="Only of this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the erasures, newest first."""
    with doors() as opened:
        found = opened.erasures.list(environment)
    if as_json:
        print_json([each.as_dict() for each in found])
        return
    rows = [
        [each.id, each.environment, each.user_id, each.state, each.reason, moment(each.done_at), each.again]
        for each in found
    ]
    columns = ("!erasure", "environment", "!user", "state", "case", "done (UTC)", "#again")
    OUT.print(table("Erasures", columns, rows))


@app.command()
def certificate(erasure: ErasureId, as_json: AsJson = False) -> None:
    """Print the certificate of an erasure that is done, with its digest: always as JSON, which the digest is of."""
    del as_json
    with doors() as opened:
        told: Mapping[str, object] = opened.erasures.certificate(erasure)
    print_json(dict(told))


@app.command()
def reapply(environment: EnvironmentName, person: Person = None, as_json: AsJson = False) -> None:
    """Erase again what a restore from a backup brought back."""
    with doors() as opened, progress_bar() as progress:
        done = opened.erasures.reapply(environment, required_person(opened, person), progress=progress)
    if as_json:
        print_json([each.as_dict() for each in done])
    elif not done:
        OUT.print(f"Nothing that was erased is in {environment} again.")
    else:
        rows = [[each.erasure_id, each.rows, each.files, each.points, each.refused] for each in done]
        columns = ("!erasure", "#rows", "#files", "#vectors", "refused")
        OUT.print(table(f"{environment}: erased again", columns, rows))
    if any(each.refused for each in done):
        raise typer.Exit(2)


def _told(report: ErasureReport, as_json: bool, told: str) -> None:
    if as_json:
        print_json(report.as_dict())
        return
    OUT.print(f"The erasure {report.id} of {report.environment} {told}")
