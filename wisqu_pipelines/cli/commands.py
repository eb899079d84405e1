"""All commands of `wisqu`."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from wisqu_pipelines.cli import (
    access,
    accounts,
    api,
    approvals,
    audit,
    cleanup,
    detect,
    documents,
    env,
    erasure,
    freezes,
    hold,
    keys,
    login,
    metrics,
    notifications,
    promote,
    stack,
    storage,
    users,
)
from wisqu_pipelines.cli.demo import command as demo
from wisqu_pipelines.environments.schema import REVISIONS
from wisqu_pipelines.errors import Refused, WisquError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"wisqu_pipelines {version('wisqu_pipelines')}, schema {', '.join(REVISIONS.values())}")
        raise typer.Exit


@app.callback()
def main(
    shows_version: Annotated[
        bool, typer.Option("--version", help="Show the version and its schema.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """The life of data in Wisqu's environments: ingest, promote, verify, take back."""


stack.register(app)
app.add_typer(env.app, name="env")
app.command()(api.api)
app.command()(login.login)
app.command()(login.logout)
app.command()(login.whoami)
app.command()(login.password)
app.add_typer(users.app, name="users")
app.add_typer(access.app, name="access")
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.command()(documents.ingest)
app.command()(documents.search)
app.add_typer(promote.app, name="promote")
app.add_typer(approvals.app, name="approvals")
app.add_typer(freezes.app, name="freeze")
app.add_typer(detect.app, name="detect")
app.add_typer(cleanup.app, name="cleanup")
app.add_typer(erasure.app, name="erasure")
app.add_typer(hold.app, name="hold")
app.add_typer(notifications.app, name="notifications")
app.add_typer(audit.app, name="audit")
app.add_typer(storage.app, name="storage")
app.command()(metrics.metrics)
app.command()(metrics.report)
app.command()(demo.demo)


def run() -> None:
    """Run a command; an error of this project's own is one sentence on stderr and an exit code, never a traceback."""
    try:
        app()
    except WisquError as error:
        outcome = "refused" if isinstance(error, Refused) else "failed"
        Console(stderr=True).print(f"{outcome}: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
