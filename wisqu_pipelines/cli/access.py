"""`wisqu access …`: into an environment for a time."""

import re
from typing import Annotated
from uuid import UUID

import typer

from wisqu_pipelines.cli.options import AsJson, EnvironmentName, Person, doors, parse_id, required_person
from wisqu_pipelines.cli.output import OUT, moment, print_done, print_json, table

app = typer.Typer(help="Ask for access for a time, and answer such requests.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--reason", help="What for; kept in the audit.")]


def _parse_grant_id(text: str) -> UUID:
    return parse_id(text, "'wisqu access list' shows the requests with theirs")


def _parse_hours(text: str) -> int:
    if (found := re.fullmatch(r"([0-9]{1,4})\s*h?", text.strip().lower())) is None:
        raise typer.BadParameter("say it in whole hours: 4h")
    return int(found[1])


GrantId = Annotated[
    UUID, typer.Argument(metavar="REQUEST_ID", parser=_parse_grant_id, help="As 'wisqu access list' shows it.")
]


@app.command()
def request(
    environment: EnvironmentName,
    hours: Annotated[int, typer.Option("--for", metavar="HOURS", parser=_parse_hours, help="How long: 4h.")],
    reason: Why,
    role: Annotated[str, typer.Option("--role", help="As what.")] = "developer",
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Ask to be let into an environment for some hours."""
    with doors() as opened:
        made = opened.visits.request(required_person(opened, person), environment, hours, reason, role)
    if as_json:
        print_done("asked", id=made, environment=environment, role=role, hours=hours)
        return
    OUT.print(f"Asked. Somebody who gives roles in {environment} lets you in with: wisqu access grant {made}")


@app.command()
def grant(request_id: GrantId, person: Person = None, as_json: AsJson = False) -> None:
    """Let the requester in, from now on."""
    with doors() as opened:
        until = opened.visits.grant(request_id, required_person(opened, person))
    if as_json:
        print_done("granted", id=request_id, until=until)
        return
    OUT.print(f"They are let in until {moment(until)} UTC; it ends by itself.")


@app.command()
def refuse(request_id: GrantId, reason: Why, person: Person = None, as_json: AsJson = False) -> None:
    """Say no to a request."""
    with doors() as opened:
        opened.visits.refuse(request_id, required_person(opened, person), reason)
    if as_json:
        print_done("refused", id=request_id)
        return
    OUT.print(f"The request {request_id} is refused.")


@app.command()
def end(request_id: GrantId, reason: Why, person: Person = None, as_json: AsJson = False) -> None:
    """End access before its time."""
    with doors() as opened:
        opened.visits.end(request_id, required_person(opened, person), reason)
    if as_json:
        print_done("ended", id=request_id)
        return
    OUT.print("The access has ended.")


@app.command("list")
def list_(
    environment: Annotated[
        str | None, typer.Argument(metavar="ENVIRONMENT", help="Only this one. By default all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the requests, newest first."""
    with doors() as opened:
        visits = opened.visits.list(environment)
    if as_json:
        print_json(visits)
        return
    rows = [
        [
            each.id,
            each.email,
            each.environment,
            each.role,
            each.hours,
            each.state,
            moment(each.expires_at),
            each.decided_by,
            each.reason,
        ]
        for each in visits
    ]
    columns = ("!request", "who", "environment", "role", "#hours", "state", "until", "answered by", "reason")
    OUT.print(table("Access for a time", columns, rows))


@app.command()
def entries(environment: EnvironmentName, person: Person = None, as_json: AsJson = False) -> None:
    """List who entered an environment and why, newest first: for those who give roles there."""
    with doors() as opened:
        found = opened.visits.notices(environment, required_person(opened, person))
    if as_json:
        print_json(found)
        return
    rows = [[moment(each.occurred_at), each.email, each.role, each.reason] for each in found]
    OUT.print(table(f"Entries into {environment}", ("when", "who", "as", "reason"), rows))
