"""`wisqu accounts …`: developers' test accounts."""

from typing import Annotated
from uuid import UUID

import typer

from wisqu_pipelines.cli.options import AsJson, EnvironmentName, Person, doors, parse_id, required_person, services
from wisqu_pipelines.cli.output import OUT, moment, print_json, table
from wisqu_pipelines.figures import counted

app = typer.Typer(help="Make and end test accounts of your own.", no_args_is_help=True)


def _parse_account_id(text: str) -> UUID:
    return parse_id(text, "'wisqu accounts list ENVIRONMENT' shows your test accounts with theirs")


@app.command()
def create(
    environment: EnvironmentName,
    reason: Annotated[str, typer.Option("--reason", help="What for; kept in the audit.")],
    hours: Annotated[int, typer.Option("--hours", help="After how many hours it is deleted: 1 to 168.")] = 24,
    as_json: AsJson = False,
    person: Person = None,
) -> None:
    """Make a test account. Its password is shown this once."""
    with doors() as opened:
        who = opened.developer(required_person(opened, person), environment)
        made = opened.test_accounts(environment).create(who, reason, hours)
    if as_json:
        print_json(made)
        return
    OUT.print(f"Test account {made.id} in {environment}, until {moment(made.expires_at)} UTC.")
    OUT.print(f"  e-mail:   {made.email}", markup=False)
    OUT.print(f"  password: {made.password}   (shown this once)", markup=False)
    OUT.print(made.warning)


@app.command("list")
def list_(environment: EnvironmentName, as_json: AsJson = False, person: Person = None) -> None:
    """List your test accounts, newest first."""
    with doors() as opened:
        who = opened.developer(required_person(opened, person), environment)
        found = opened.test_accounts(environment).list(who)
    if as_json:
        print_json(found)
        return
    rows = [
        [each.id, each.email, moment(each.created_at), moment(each.expires_at), "over" if each.is_expired else "live"]
        for each in found
    ]
    OUT.print(table(f"Your test accounts in {environment}", ("!id", "!e-mail", "made", "until", "state"), rows))


@app.command()
def delete(
    environment: EnvironmentName,
    account: Annotated[
        UUID, typer.Argument(metavar="ACCOUNT_ID", parser=_parse_account_id, help="As 'wisqu accounts list' shows it.")
    ],
    reason: Annotated[str | None, typer.Option("--reason", help="What for; kept in the audit.")] = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Delete a test account of your own, with its sessions, data, files and vectors."""
    with doors() as opened:
        who = opened.developer(required_person(opened, person), environment)
        gone = opened.test_accounts(environment).delete(who, account, reason)
    if as_json:
        print_json(gone)
        return
    OUT.print(
        f"{gone.email} is gone, with {counted(gone.rows, 'row')}, {counted(gone.files, 'file')} and "
        f"{counted(gone.points, 'vector')}.",
        markup=False,
    )


@app.command()
def expire(environment: EnvironmentName, as_json: AsJson = False) -> None:
    """Delete the test accounts of everybody whose time is over. Dagster does it every hour."""
    with services() as opened:
        gone = opened.test_accounts(environment).expire()
    if as_json:
        print_json(gone)
        return
    told = counted(len(gone), "test account")
    OUT.print(f"Deleted from {environment}, with everything of theirs: {told}.")
