"""`wisqu notifications …`: what people were told, and whether it reaches them."""

from typing import Annotated

import typer

from wisqu_pipelines.cli.options import AsJson, services
from wisqu_pipelines.cli.output import OUT, cell, moment, print_json, table
from wisqu_pipelines.figures import counted

app = typer.Typer(help="See what people are told, and try the targets.", no_args_is_help=True)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the messages, newest first, and how far each has come."""
    with services() as opened:
        found = opened.notifications.list(limit)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            moment(each.created_at),
            each.event,
            cell(each.title),
            each.repeats,
            cell(each.address or "all"),
            cell(", ".join(each.delivered_to) or ("waits" if each.next_attempt_at else "nowhere")),
            cell(each.error or ""),
        ]
        for each in found
    ]
    OUT.print(table("Messages", ("at", "event", "title", "#again", "for", "delivered to", "trouble"), rows))


@app.command()
def deliver(as_json: AsJson = False) -> None:
    """Send what is due now; Dagster's sensor does it every 15 seconds."""
    with services() as opened:
        delivered, troubles = opened.notifications.deliver()
    if as_json:
        print_json({"delivered": delivered, "troubles": troubles})
    else:
        OUT.print(f"Delivered: {counted(delivered, 'message')}.")
        for trouble in troubles:
            OUT.print(f"[red]{cell(trouble)}[/]")
    if troubles:
        raise typer.Exit(1)


@app.command("test")
def try_targets(
    target: Annotated[str | None, typer.Argument(metavar="TARGET", help="By default all.")] = None,
    address: Annotated[
        str, typer.Option("--address", help="Whom a target with {address} is to reach.")
    ] = "somebody@example.org",
    as_json: AsJson = False,
) -> None:
    """Send a test message to a target of the settings, or to all."""
    with services() as opened:
        taken = opened.notifications.test(address, target)
    if as_json:
        print_json(taken)
    elif not taken:
        OUT.print("There are no targets: see notifications in wisqu.toml.")
    else:
        rows = [[name, "taken" if each else "not taken"] for name, each in taken.items()]
        OUT.print(table("Targets", ("target", "test message"), rows))
    if not all(taken.values()):
        raise typer.Exit(1)
