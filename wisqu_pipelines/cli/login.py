"""`wisqu login`, `wisqu logout` and `wisqu whoami`."""

import sys
from typing import Annotated

import typer

from wisqu_pipelines.cli import credentials
from wisqu_pipelines.cli.options import AsJson, doors, identity
from wisqu_pipelines.cli.output import OUT, moment, print_done, print_json, table
from wisqu_pipelines.cli.remote.services import RemoteServices
from wisqu_pipelines.figures import counted
from wisqu_pipelines.identity.service import Identity, Origin


def login(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Your e-mail address.")],
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="URL",
            help="Log in at the API of a server; every command after it that can goes through that server.",
        ),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Log in where the stores are, instead of at the server used so far.")
    ] = False,
    from_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Log in. The tokens are kept in a file that nobody else reads, and every command after it is yours."""
    if server and local:
        raise typer.BadParameter("--server and --local exclude each other")
    password = (
        sys.stdin.readline().rstrip("\r\n") if from_stdin else typer.prompt("Password", hide_input=True, err=True)
    )
    with doors(server, is_local=local) as opened:
        if isinstance(opened, RemoteServices):
            given, place = opened.server.login(email, password), opened.server.address
        else:
            given, place = opened.identity.login(email, password), opened.settings.identity.issuer
        credentials.keep(place, given, at_server=isinstance(opened, RemoteServices))
    if as_json:
        print_done("logged in", at=place, until=given.refresh_expires_at, identity=given.identity)
        return
    OUT.print(f"You are {given.identity.email}; the login lasts until {moment(given.refresh_expires_at)} UTC.")
    _show(given.identity)


def logout(
    everywhere: Annotated[bool, typer.Option("--everywhere", help="End all your logins, on every machine.")] = False,
    as_json: AsJson = False,
) -> None:
    """Log out here, or everywhere."""
    with doors() as opened:
        who = identity(opened)
        if isinstance(opened, RemoteServices):
            ended, place = opened.server.logout(everywhere=everywhere), opened.server.address
        else:
            ended, place = opened.identity.logout(who, everywhere=everywhere), opened.settings.identity.issuer
        credentials.forget(place)
    if as_json:
        print_done("logged out", at=place, id=who.user_id, email=who.email, logins_ended=ended)
        return
    OUT.print(f"{who.email} is logged out ({counted(ended, 'login')} ended).")


def password(
    from_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read two lines from standard input: the present one, and the new one."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change your own password. All your logins end, this one too."""
    if from_stdin:
        present, new = (sys.stdin.readline().rstrip("\r\n") for _ in range(2))
    else:
        present = typer.prompt("Present password", hide_input=True, err=True)
        new = typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    with doors() as opened:
        who = identity(opened)
        if isinstance(opened, RemoteServices):
            ended, place = opened.server.change_password(present, new), opened.server.address
        else:
            ended, place = opened.own_password.change(who, present, new, Origin()), opened.settings.identity.issuer
        credentials.forget(place)
    if as_json:
        print_done("changed", at=place, id=who.user_id, email=who.email, logins_ended=ended)
        return
    OUT.print(f"Your password is changed, and {counted(ended, 'login')} ended. Log in again: wisqu login {who.email}")


def whoami(as_json: AsJson = False) -> None:
    """Say who is logged in here, and what they may enter."""
    with doors() as opened:
        who = identity(opened)
    if as_json:
        print_json(who)
        return
    OUT.print(f"You are {who.email}.")
    _show(who)


def _show(who: Identity) -> None:
    rows = [
        [each.environment, each.role, "yes" if each.needs_reason else "no", "yes" if each.test_accounts else "no"]
        for each in who.entries
    ]
    OUT.print(table("Environments", ("environment", "role", "says why", "test accounts"), rows))
