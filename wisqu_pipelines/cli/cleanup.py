"""`wisqu cleanup`: what is kept for how long."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from wisqu_pipelines.cli.options import AsJson, Person, Reason, parse_id, person_id, required_person, services
from wisqu_pipelines.cli.output import OUT, cell, moment, print_json, print_json_list, progress_bar, size, table
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.retention.kinds import KINDS
from wisqu_pipelines.retention.models import SweepItem, SweepState
from wisqu_pipelines.retention.report import SweepReport, told

app = typer.Typer(
    help="Hide what nobody promoted and its time is over, and purge it after a grace time.",
    invoke_without_command=True,
)


def _parse_sweep_id(text: str) -> UUID:
    return parse_id(text, "'wisqu cleanup list ENVIRONMENT' shows the sweeps with theirs")


def _parse_item_id(text: str) -> UUID:
    return parse_id(text, "'wisqu cleanup items ENVIRONMENT SWEEP' shows the items with theirs")


EnvironmentName = Annotated[str, typer.Argument(metavar="ENVIRONMENT")]
SweepId = Annotated[UUID, typer.Argument(metavar="SWEEP_ID", parser=_parse_sweep_id)]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@app.callback()
def cleanup(
    context: typer.Context,
    environment: Annotated[
        list[str] | None,
        typer.Option("--environment", help="Only this one; again for more. [default: those that are cleaned up alone]"),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help=f"Only {', '.join(KINDS)}; again for more. [default: all]")
    ] = None,
    test_data_only: Annotated[bool, typer.Option("--test-data-only", help="Only test data.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and change nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go past the cap; it takes a reason.")] = False,
    person: Person = None,
    reason: Reason = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draw it as well, as a PNG; for one environment.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sweep by each environment's policy: hide what is due, purge what was hidden long enough."""
    if context.invoked_subcommand is not None:
        _refuse_own_options(context)
        return
    reports: list[tuple[SweepReport, Sequence[SweepReport]]] = []
    with services() as opened, progress_bar() as progress:
        settings = opened.settings.environments
        names = environment or [name for name, each in settings.items() if dry_run or each.retention.automatic]
        if picture is not None and len(names) != 1:
            raise BadInput(what="--picture", reason="it draws one environment: name it with --environment")
        for name in names:
            retention = opened.retention(name)
            if dry_run:
                reports.append((retention.foretell(model, test_data_only=test_data_only), ()))
                continue
            who = person_id(opened, person)
            done = retention.run(
                model, test_data_only=test_data_only, person=who, reason=reason, force=force, progress=progress
            )
            reports.append((done.sweep, done.earlier))
    if picture is not None:
        from wisqu_pipelines.jobs.sweep_picture import picture as drawn  # noqa: PLC0415 - drawing is slow to import

        picture.write_bytes(drawn(reports[0][0]))
    if as_markdown:
        OUT.print("\n\n".join(new.as_markdown() for new, _ in reports), markup=False, soft_wrap=True)
    elif as_json:
        print_json([{**new.as_dict(), "earlier": [each.as_dict() for each in earlier]} for new, earlier in reports])
    else:
        _show_all(reports)


def _show_all(reports: Sequence[tuple[SweepReport, Sequence[SweepReport]]]) -> None:
    for new, earlier in reports:
        for each in earlier:
            _show_standing(each)
        _show(new)


@app.command("list")
def list_(environment: EnvironmentName, as_json: AsJson = False) -> None:
    """List an environment's sweeps, newest first."""
    with services() as opened:
        found = opened.retention(environment).list()
    if as_json:
        print_json([each.as_dict() for each in found])
        return
    rows = [
        [each.sweep_id, each.state, each.rows, each.hidden, each.purged, each.restored, moment(each.purge_after)]
        for each in found
    ]
    columns = ("!sweep", "state", "#marked", "#hidden", "#purged", "#restored", "purged after (UTC)")
    OUT.print(table(f"Sweeps of {environment}", columns, rows))


@app.command()
def items(environment: EnvironmentName, sweep: SweepId, as_json: AsJson = False) -> None:
    """List what a sweep has marked."""
    with services() as opened:
        retention = opened.retention(environment)
        if as_json:
            about = retention.status(sweep).as_dict()
            print_json_list(about, "items", map(_item, retention.items(sweep)))
            return
        shown = [
            [each.item_id, each.item_type, each.label, each.state, moment(each.created_at), each.detail]
            for each in retention.items(sweep)
        ]
    OUT.print(table(f"Sweep {sweep}", ("!item", "type", "label", "state", "created (UTC)", "because"), shown))


@app.command()
def approve(environment: EnvironmentName, sweep: SweepId, person: Person = None, reason: Reason = None) -> None:
    """Let a sweep happen in an environment that is not cleaned up by itself; the next run carries it out."""
    with services() as opened:
        report = opened.retention(environment).approve(sweep, required_person(opened, person), reason)
    OUT.print(f"The sweep {sweep} of {report.rows} rows is approved: wisqu cleanup --environment {environment}")


@app.command()
def reject(environment: EnvironmentName, sweep: SweepId, reason: Why, person: Person = None) -> None:
    """Say no to a sweep that waits."""
    with services() as opened:
        opened.retention(environment).reject(sweep, required_person(opened, person), reason)
    OUT.print(f"The sweep {sweep} is rejected; nothing was hidden.")


@app.command()
def restore(
    environment: EnvironmentName,
    sweep: SweepId,
    reason: Why,
    item_ids: Annotated[
        list[UUID] | None,
        typer.Option("--item-ids", metavar="ID", parser=_parse_item_id, help="Only this item; again for more."),
    ] = None,
    person: Person = None,
) -> None:
    """Give back what a sweep has hidden and not purged."""
    with services() as opened:
        report = opened.retention(environment).restore(sweep, required_person(opened, person), reason, item_ids)
    OUT.print(f"{report.restored} rows are given back, {report.hidden} stay hidden.")


def _refuse_own_options(context: typer.Context) -> None:
    """What stands in front of a subcommand would be passed over in silence.

    Raises:
        BadInput: an option of `wisqu cleanup` itself was given.
    """
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = sorted(name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE")
    if given:
        raise BadInput(
            what=", ".join(f"--{name.replace('_', '-')}" for name in given),
            reason=f"'{context.invoked_subcommand}' takes its own options, behind its name",
        )


def _item(item: SweepItem) -> dict[str, Any]:
    names = ("item_type", "item_id", "label", "state", "created_at", "is_test_data", "bytes", "points", "detail")
    return {name: getattr(item, name) for name in names}


def _show(report: SweepReport) -> None:
    would = "would hide" if report.is_dry_run else "marked"
    rows = [
        [name, each.rows, each.test_data, size(each.bytes), each.points, told(each.ages), told(each.stays)]
        for name, each in report.types.items()
    ]
    columns = ("type", "#rows", "#test data", "#bytes", "#vectors", "days old", "due, and stay")
    OUT.print(table(f"{report.environment}: a sweep {would}", columns, rows))
    if report.stopped:
        OUT.print(f"[yellow]The cap stops it:[/] {cell(report.stopped)}")
    if report.sweep_id is None:
        if not report.is_dry_run:
            OUT.print("Nothing is due.")
        return
    _show_standing(report)


def _show_standing(report: SweepReport) -> None:
    told = f"The sweep {report.sweep_id} of {report.environment} is [bold]{report.state}[/]"
    match report.state:
        case SweepState.WAITING:
            told += f". Next, somebody else: wisqu cleanup approve {report.environment} {report.sweep_id}"
        case SweepState.HIDDEN:
            told += f": {report.hidden} rows until {moment(report.purge_after)} UTC. To take it back: "
            told += f"wisqu cleanup restore {report.environment} {report.sweep_id} --reason …"
        case _:
            told += f": {report.purged} rows purged, {report.restored} restored, {report.kept} kept."
    OUT.print(told)
