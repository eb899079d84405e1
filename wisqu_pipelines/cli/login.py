"""`wisqu login`, `wisqu logout` and `wisqu whoami`."""

import sys
from typing import Annotated

import typer

from wisqu_pipelines.cli import credentials
from wisqu_pipelines.cli.options import AsJson, services
from wisqu_pipelines.cli.output import OUT, moment, print_json, table
from wisqu_pipelines.identity.service import Identity


def login(
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    from_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Log in. The tokens are kept in a file that nobody else reads, and every command after it is yours."""
    password = (
        sys.stdin.readline().rstrip("\r\n") if from_stdin else typer.prompt("Password", hide_input=True, err=True)
    )
    with services() as opened:
        given = opened.identity.login(email, password)
        credentials.keep(opened.settings.identity.issuer, given)
    OUT.print(f"You are {given.identity.email}; the login lasts until {moment(given.refresh_expires_at)} UTC.")
    _show(given.identity)


def logout(
    everywhere: Annotated[bool, typer.Option("--everywhere", help="End all your logins, on every machine.")] = False,
) -> None:
    """Log out here, or everywhere."""
    with services() as opened:
        who = credentials.identity(opened)
        ended = opened.identity.logout(who, everywhere=everywhere)
        credentials.forget(opened.settings.identity.issuer)
    OUT.print(f"{who.email} is logged out ({ended} {'login' if ended == 1 else 'logins'} ended).")


def whoami(as_json: AsJson = False) -> None:
    """Say who is logged in here, and what they may enter."""
    with services() as opened:
        who = credentials.identity(opened)
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
