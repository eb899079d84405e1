"""`wisqu hold`: legal holds."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from wisqu_pipelines.cli.options import AsJson, Person, parse_id, required_person, services
from wisqu_pipelines.cli.output import OUT, moment, print_json, table
from wisqu_pipelines.holds.service import TYPES, Held

app = typer.Typer(help="Keep things from being hidden or purged.", no_args_is_help=True)


def _parse_hold_id(text: str) -> UUID:
    return parse_id(text, "'wisqu hold list ENVIRONMENT' shows the holds with theirs")


def _parse_held_id(text: str) -> UUID:
    return parse_id(text, "it is the row's id in the environment that it is in")


EnvironmentName = Annotated[str, typer.Argument(metavar="ENVIRONMENT")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]
Id = Annotated[UUID | None, typer.Option(metavar="ID", parser=_parse_held_id)]
Day = Annotated[datetime | None, typer.Option(metavar="DATE", formats=["%Y-%m-%d"])]


@app.command()
def place(
    environment: EnvironmentName,
    reason: Why,
    item_type: Annotated[str | None, typer.Option("--type", help=f"Only rows of: {', '.join(sorted(TYPES))}.")] = None,
    item: Id = None,
    user: Id = None,
    words: Annotated[str | None, typer.Option("--words", help="Rows whose name holds these words.")] = None,
    created_from: Day = None,
    created_until: Day = None,
    until: Annotated[
        datetime | None, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="Ends by itself.")
    ] = None,
    person: Person = None,
) -> None:
    """Hold an item (--type and --item), a user's rows (--user), or what a query finds (--words, --created-from …)."""
    of = Held(item_type, item, user, words, _utc(created_from), _utc(created_until))
    with services() as opened:
        made, rows = opened.holds(environment).place(required_person(opened, person), of, reason, _utc(until))
    OUT.print(f"The hold {made} keeps {rows} rows of {environment} as of now, and what will match it later.")


@app.command()
def release(
    environment: EnvironmentName,
    hold: Annotated[UUID, typer.Argument(metavar="HOLD_ID", parser=_parse_hold_id)],
    reason: Why,
    person: Person = None,
) -> None:
    """End a hold."""
    with services() as opened:
        opened.holds(environment).release(hold, required_person(opened, person), reason)
    OUT.print(f"The hold {hold} is released.")


@app.command("list")
def list_(
    environment: EnvironmentName,
    everything: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """List an environment's holds, newest first."""
    with services() as opened:
        found = opened.holds(environment).list(everything=everything)
    if as_json:
        print_json(found)
        return
    rows = []
    for each in found:
        of = [f"{name.replace('_', ' ')} {value}" for name in Held.__slots__ if (value := getattr(each.of, name))]
        state = "in force" if each.is_in_force else "over"
        rows.append([each.id, ", ".join(of), state, moment(each.until), moment(each.placed_at), each.reason])
    OUT.print(table(f"Holds in {environment}", ("!hold", "of", "state", "until", "placed (UTC)", "reason"), rows))


def _utc(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)
