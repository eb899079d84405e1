"""`wisqu users …`: who is known, and with which roles."""

import sys
from typing import Annotated, Any

import typer

from wisqu_pipelines.cli.options import AsJson, Doors, Email, EnvironmentName, Person, doors, required_person
from wisqu_pipelines.cli.output import OUT, print_done, print_json, table
from wisqu_pipelines.identity import passwords

app = typer.Typer(help="Make people known, and give and take roles.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--reason", help="What for; kept in the audit.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def create(
    email: Email,
    name: Annotated[str | None, typer.Option("--name", help="Their full name.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="What for; kept in the audit.")] = None,
    first_superadmin: Annotated[
        bool, typer.Option("--first-superadmin", help="As the first superadmin, where there is none yet.")
    ] = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="For somebody who logs in through another identity provider.")
    ] = False,
    from_stdin: FromStdin = False,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Make a person known, without any role. Their password is made here and shown once, unless it is given."""
    if first_superadmin and no_password:
        raise typer.BadParameter("the first superadmin logs in with a password")
    password = None if no_password else _password(from_stdin)
    with doors() as opened:
        if first_superadmin:
            made = opened.people.bootstrap(email, name, password or "")
        else:
            by = required_person(opened, person)
            made = opened.people.create(email, name, password, by, reason or "")
    if as_json:
        print_done("created", id=made, email=email, password=None if from_stdin else password)
        return
    OUT.print(f"{email} is known as {made}.", markup=False)
    _show(password, from_stdin)


@app.command()
def grant(
    email: Email,
    environment: EnvironmentName,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="user, tester, developer, admin or superadmin.")],
    reason: Why,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Give a person a lasting role in an environment."""
    with doors() as opened:
        opened.people.grant(email, environment, role, required_person(opened, person), reason)
        if as_json:
            print_done("granted", **_whom(opened, email), environment=environment, role=role)
            return
    OUT.print(f"{email} is {role} in {environment}.", markup=False)


@app.command()
def revoke(
    email: Email, environment: EnvironmentName, reason: Why, person: Person = None, as_json: AsJson = False
) -> None:
    """Take a person's role in an environment away: at once here, and everywhere within a minute."""
    with doors() as opened:
        opened.people.revoke(email, environment, required_person(opened, person), reason)
        if as_json:
            print_done("revoked", **_whom(opened, email), environment=environment)
            return
    OUT.print(f"{email} has no role in {environment} any more.", markup=False)


@app.command()
def disable(email: Email, reason: Why, person: Person = None, as_json: AsJson = False) -> None:
    """Close a person's account; their logins end."""
    with doors() as opened:
        ended = opened.people.disable(email, required_person(opened, person), reason)
        if as_json:
            print_done("disabled", **_whom(opened, email), logins_ended=ended)
            return
    OUT.print(f"The account of {email} is closed ({ended} {'login' if ended == 1 else 'logins'} ended).", markup=False)


@app.command()
def enable(email: Email, reason: Why, person: Person = None, as_json: AsJson = False) -> None:
    """Open a closed account again, with the roles that it had."""
    with doors() as opened:
        opened.people.enable(email, required_person(opened, person), reason)
        if as_json:
            print_done("enabled", **_whom(opened, email))
            return
    OUT.print(f"The account of {email} is open again.", markup=False)


@app.command()
def password(
    email: Email,
    reason: Annotated[str | None, typer.Option("--reason", help="What for; kept in the audit.")] = None,
    from_stdin: FromStdin = False,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Give a person another password; their logins end. It is made here and shown once, unless it is given."""
    new = _password(from_stdin)
    with doors() as opened:
        opened.people.set_password(email, new, required_person(opened, person), reason or "")
        if as_json:
            print_done("changed", **_whom(opened, email), password=None if from_stdin else new)
            return
    OUT.print(f"{email} has another password.", markup=False)
    _show(new, from_stdin)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List everybody, with their roles."""
    with doors() as opened:
        everybody = opened.people.list()
        environments = list(opened.environments)
    if as_json:
        print_json(everybody)
        return
    rows = [
        [
            each.email,
            each.full_name,
            *(each.roles.get(environment) for environment in environments),
            "yes" if each.can_create_test_accounts else "no",
            "open" if each.is_active else "closed",
        ]
        for each in everybody
    ]
    OUT.print(table("People", ("!e-mail", "name", *environments, "test accounts", "account"), rows))


def _whom(opened: Doors, person: str) -> dict[str, Any]:
    """The id and the address of somebody who was named by either."""
    named = person.strip().lower()
    each = next(each for each in opened.people.list() if named in {each.email.lower(), str(each.id)})
    return {"id": each.id, "email": each.email}


def _password(from_stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\r\n") if from_stdin else passwords.generate()


def _show(password: str | None, from_stdin: bool) -> None:
    if password is not None and not from_stdin:
        OUT.print(f"Their password, shown this once: {password}", markup=False, highlight=False)
