"""`wisqu freeze …`: closing paths, opening them, and letting one promotion through."""

from datetime import timedelta
from typing import Annotated

import typer

from wisqu_pipelines.cli.options import AsJson, FreezeId, Person, PromotionId, doors, required_person
from wisqu_pipelines.cli.output import OUT, print_done, print_json, table
from wisqu_pipelines.promotion.freezes import Override
from wisqu_pipelines.promotion.windows import OneOff, Recurring, When, moment

app = typer.Typer(help="Freeze paths, and open them again.", no_args_is_help=True)

Path = Annotated[str, typer.Argument(metavar="PATH", help="In quotes: 'stage->prod'.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@app.command()
def add(
    path: Path,
    reason: Why,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Once, from: 2026-12-20T18:00.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Once, until.")] = None,
    cron: Annotated[
        str | None, typer.Option("--cron", help="Again and again, beginning at: '0 18 * * FRI' (five fields).")
    ] = None,
    hours: Annotated[float | None, typer.Option("--hours", help="How long each time, by the clocks there.")] = None,
    time_zone: Annotated[str, typer.Option("--time-zone", help="IANA name, such as Europe/Berlin.")] = "UTC",
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Freeze a path, once (--from, --until) or again and again (--cron, --hours): nothing is executed along it then."""
    when = _when(start, until, cron, hours, time_zone)
    with doors() as opened:
        made = opened.freezes.add(path, when, required_person(opened, person), reason)
        if as_json:
            print_done("frozen", freeze=opened.freezes.get(made))
            return
    OUT.print(f"{path} is frozen {when}. To end it: wisqu freeze end {made}", markup=False)


@app.command()
def end(
    freeze: FreezeId,
    reason: Why,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Take a freeze away."""
    with doors() as opened:
        opened.freezes.end(freeze, required_person(opened, person), reason)
        if as_json:
            print_done("ended", freeze=opened.freezes.get(freeze))
            return
    OUT.print(f"Freeze {freeze} is ended.")


@app.command("list")
def list_(
    path: Annotated[str | None, typer.Argument(metavar="PATH", help="Only this one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="With those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what closes paths: freezes, and holds after a failed verification."""
    with doors() as opened:
        freezes = opened.freezes.list(path, ended=everything)
        holds = opened.freezes.holds(path)
    if as_json:
        print_json({"freezes": freezes, "holds": holds})
        return
    rows = [
        [
            each.freeze_id,
            each.path,
            each.when,
            f"{each.in_force_until:%Y-%m-%d %H:%M}" if each.in_force_until else "",
            each.reason,
            each.made_by,
            f"{each.ended_by}: {each.end_reason}" if each.ended_at else "",
        ]
        for each in freezes
    ]
    columns = ("!freeze", "path", "when", "in force until (UTC)", "reason", "made by", "ended by")
    OUT.print(table("Freezes", columns, rows))
    if holds:
        held = [[each.path, each.promotion_id, each.reason, f"{each.placed_at:%Y-%m-%d %H:%M}"] for each in holds]
        OUT.print(table("Held after a failed verification", ("path", "!promotion", "found", "since (UTC)"), held))


@app.command()
def override(promotion: PromotionId, reason: Why, person: Person = None, as_json: AsJson = False) -> None:
    """Let one promotion go in spite of a freeze: the first person asks, a second one confirms."""
    with doors() as opened:
        said = opened.freezes.override(promotion, required_person(opened, person), reason)
    if as_json:
        print_done(said, promotion_id=promotion)
    elif said == Override.CONFIRMED:
        OUT.print(f"Two people have said it: promotion {promotion} goes in spite of the freeze.")
    else:
        OUT.print(f"Asked for. A second person confirms it: wisqu freeze override {promotion} --as PERSON --reason WHY")


@app.command()
def release(path: Path, reason: Why, person: Person = None, as_json: AsJson = False) -> None:
    """Open a path that is held since a promotion along it did not pass its verification."""
    with doors() as opened:
        held_by = opened.freezes.release(path, required_person(opened, person), reason)
    if as_json:
        print_done("released", path=path, promotion_ids=held_by)
        return
    OUT.print(f"{path} is open again; it was held by {', '.join(map(str, held_by))}.", markup=False)


def _when(start: str | None, until: str | None, cron: str | None, hours: float | None, time_zone: str) -> When:
    match (start, until, cron, hours):
        case (str(), str(), None, None):
            return OneOff(moment(start, time_zone), moment(until, time_zone), time_zone)
        case (None, None, str(), float()):
            return Recurring(cron, timedelta(minutes=round(hours * 60)), time_zone)
        case _:
            raise typer.BadParameter("give --from and --until, or --cron and --hours")
