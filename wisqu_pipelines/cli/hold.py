"""`wisqu hold`: legal holds."""

from datetime import UTC, date, datetime, time
from typing import Annotated
from uuid import UUID

import typer

from wisqu_pipelines.cli.options import AsJson, EnvironmentName, Person, doors, parse_id, required_person
from wisqu_pipelines.cli.output import OUT, moment, print_json, table
from wisqu_pipelines.errors import printable
from wisqu_pipelines.figures import counted
from wisqu_pipelines.holds.service import TYPES, Held

app = typer.Typer(help="Keep things from being hidden or purged.", no_args_is_help=True)


def _parse_hold_id(text: str) -> UUID:
    return parse_id(text, "'wisqu hold list ENVIRONMENT' shows the holds with theirs")


def _parse_held_id(text: str) -> UUID:
    return parse_id(text, "it is the row's id in the environment that it is in")


Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


def _parse_day(text: str) -> datetime:
    """The beginning of a day, UTC, as a person wrote it."""
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise typer.BadParameter(f"'{printable(text)}' is no day; write it like 2026-12-31.") from None


Id = Annotated[
    UUID | None, typer.Option(metavar="ID", parser=_parse_held_id, help="The row's id; --type says which table's.")
]


@app.command()
def place(
    environment: EnvironmentName,
    reason: Why,
    item_type: Annotated[str | None, typer.Option("--type", help=f"Only rows of: {', '.join(sorted(TYPES))}.")] = None,
    item: Id = None,
    user: Annotated[
        str | None, typer.Option(metavar="USER", help="Everything of that account: its id there, or its address.")
    ] = None,
    words: Annotated[str | None, typer.Option("--words", help="Rows whose name holds these words.")] = None,
    created_from: Annotated[
        datetime | None, typer.Option(metavar="DATE", parser=_parse_day, help="Rows of that day (UTC) and later ones.")
    ] = None,
    created_until: Annotated[
        datetime | None, typer.Option(metavar="DATE", parser=_parse_day, help="Rows of the days before that one (UTC).")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(metavar="DATE", parser=_parse_day, help="The hold ends by itself as that day begins (UTC)."),
    ] = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Hold an item (--type and --item), a user's rows (--user), or what a query finds (--words, --created-from …)."""
    of = Held(item_type, item, None, words, created_from, created_until)
    with doors() as opened:
        made, rows = opened.holds(environment).place(required_person(opened, person), of, reason, until, user=user)
    if as_json:
        print_json({"id": made, "rows": rows})
        return
    OUT.print(f"The hold {made} keeps {counted(rows, 'row')} of {environment} as of now, and what will match it later.")


@app.command()
def release(
    environment: EnvironmentName,
    hold: Annotated[
        UUID, typer.Argument(metavar="HOLD_ID", parser=_parse_hold_id, help="As 'wisqu hold list' shows it.")
    ],
    reason: Why,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """End a hold."""
    with doors() as opened:
        opened.holds(environment).release(hold, required_person(opened, person), reason)
    if as_json:
        print_json({"id": hold, "released": True})
        return
    OUT.print(f"The hold {hold} is released.")


@app.command("list")
def list_(
    environment: EnvironmentName,
    everything: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """List an environment's holds, newest first."""
    with doors() as opened:
        found = opened.holds(environment).list(everything=everything)
    if as_json:
        print_json(found)
        return
    rows = []
    for each in found:
        state = "in force" if each.is_in_force else "over"
        by = each.placed_by_email or each.placed_by
        rows.append([each.id, _of(each.of), state, moment(each.until), by, moment(each.placed_at), each.reason])
    columns = ("!hold", "of", "state", "until (UTC)", "by", "placed (UTC)", "reason")
    OUT.print(table(f"Holds in {environment}", columns, rows))


def _of(of: Held) -> str:
    """What a hold is of, in one line."""
    given = [(name.replace("_", " "), getattr(of, name)) for name in Held.__slots__]
    shown = [(name, moment(value) if isinstance(value, datetime) else value) for name, value in given if value]
    return ", ".join(f"{name} {value}" for name, value in shown)
