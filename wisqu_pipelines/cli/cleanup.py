"""`wisqu cleanup`: what is kept for how long."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from wisqu_pipelines.cli.options import AsJson, Doors, Person, Reason, doors, parse_id, person_id, required_person
from wisqu_pipelines.cli.output import OUT, cell, moment, print_json, print_json_list, progress_bar, table
from wisqu_pipelines.cli.remote.finding import where
from wisqu_pipelines.errors import BadInput, Refused, SweepNotFound
from wisqu_pipelines.figures import counted, number, size
from wisqu_pipelines.retention.kinds import KINDS
from wisqu_pipelines.retention.marking import HELD
from wisqu_pipelines.retention.models import SweepState
from wisqu_pipelines.retention.report import CleanupReport, SweepReport, told

if TYPE_CHECKING:
    from wisqu_pipelines.cli.remote.removals import RemoteRetention
    from wisqu_pipelines.retention.service import RetentionService

app = typer.Typer(
    help="Hide what nobody promoted and its time is over, and purge it after a grace time.",
    invoke_without_command=True,
)


def _parse_sweep_id(text: str) -> UUID:
    return parse_id(text, "'wisqu cleanup list' shows the sweeps with theirs")


def _parse_item_id(text: str) -> UUID:
    return parse_id(text, "'wisqu cleanup items SWEEP_ID' shows the items with theirs")


SweepId = Annotated[
    UUID, typer.Argument(metavar="SWEEP_ID", parser=_parse_sweep_id, help="As 'wisqu cleanup list' shows it.")
]
Where = Annotated[
    str | None, typer.Option("--environment", help="Where the sweep is. By default wherever it is found.")
]
OfOne = Annotated[str | None, typer.Argument(metavar="ENVIRONMENT", help="Only of this one. By default all.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@app.callback()
def cleanup(
    context: typer.Context,
    environment: Annotated[
        list[str] | None,
        typer.Option(
            "--environment", help="Only this one; again for more. By default those that are cleaned up alone."
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help=f"Only {', '.join(KINDS)}; again for more. By default all.")
    ] = None,
    test_data_only: Annotated[bool, typer.Option("--test-data-only", help="Only test data.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and change nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go past the cap; it takes a reason.")] = False,
    person: Person = None,
    reason: Reason = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="FILE",
            dir_okay=False,
            help="Draw what would go as well, as a PNG: with --dry-run and one environment.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sweep by each environment's policy: hide what is due, purge what was hidden long enough."""
    if context.invoked_subcommand is not None:
        _refuse_own_options(context)
        return
    if as_markdown and as_json:
        raise BadInput(what="--markdown with --json", reason="it prints one or the other")
    if picture is not None and not dry_run:
        raise BadInput(what="--picture", reason="it draws what a dry run tells: add --dry-run")
    with doors() as opened, progress_bar() as progress:

        def swept(name: str) -> CleanupReport:
            retention = opened.retention(name)
            if dry_run:
                return retention.rehearse(model, test_data_only=test_data_only, force=force)
            who = person_id(opened, person)
            return retention.run(
                model, test_data_only=test_data_only, person=who, reason=reason, force=force, progress=progress
            )

        names = environment or _all(opened, dry_run=dry_run)
        if picture is not None and len(names) != 1:
            raise BadInput(what="--picture", reason="it draws one environment: name it with --environment")
        reports, refusal = _each(swept, names)
    if refusal and not reports:
        raise refusal
    if picture is not None:
        _draw(reports[0].sweep, picture)
    _show_all(reports, as_markdown=as_markdown, as_json=as_json)
    if refusal:
        raise refusal


def _each(act: Callable[[str], CleanupReport], names: Sequence[str]) -> tuple[Sequence[CleanupReport], Refused | None]:
    """What came of each environment that did not refuse, and the refusals as one: what is due elsewhere goes all the
    same.
    """
    reports, refused = [], []
    for name in names:
        try:
            reports.append(act(name))
        except Refused as error:
            refused.append(str(error))
    return reports, Refused(message=" ".join(dict.fromkeys(refused))) if refused else None


def _draw(report: SweepReport, file: Path) -> None:
    from wisqu_pipelines.jobs.sweep_picture import picture  # noqa: PLC0415 - drawing is slow to import

    try:
        file.write_bytes(picture(report))
    except OSError as error:
        raise BadInput(what="--picture", reason=f"{error.strerror}: {file}") from None


def _show_all(reports: Sequence[CleanupReport], *, as_markdown: bool, as_json: bool) -> None:
    if as_markdown:
        OUT.print("\n\n".join(each.as_markdown() for each in reports), markup=False, soft_wrap=True)
    elif as_json:
        print_json([each.as_dict() for each in reports])
    else:
        for report in reports:
            for each in report.earlier:
                _show_standing(each)
            _show(report.sweep)


@app.command()
def policy(environment: OfOne = None, as_json: AsJson = False) -> None:
    """Show how long environments keep what nobody promoted."""
    with doors() as opened:
        names = [environment] if environment else list(opened.environments)
        found = {name: opened.retention(name).policy for name in names}
    if as_json:
        print_json({name: each.model_dump() for name, each in found.items()})
        return
    columns = ("environment", "#days", "but", "#days of test data", "#days to restore", "swept", "at most")
    rows = [
        [
            name,
            each.days,
            ", ".join(f"{kind} {days}" for kind, days in each.types.items()),
            each.test_data_days,
            each.grace_days,
            "by itself" if each.automatic else "by two people",
            f"{counted(each.most_rows, 'row')} of a type, {each.most_share:.0%} of them",
        ]
        for name, each in found.items()
    ]
    OUT.print(table("What is kept for how long", columns, rows))


@app.command("list")
def list_(
    environment: OfOne = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many of each environment.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the sweeps of one environment or of all, newest first."""
    with doors() as opened:
        names = [environment] if environment else list(opened.environments)
        found = {name: opened.retention(name).list(limit) for name in names}
    if as_json:
        print_json([each.as_dict() for sweeps in found.values() for each in sweeps])
        return
    amounts = ("#marked", "#hidden", "#purged", "#restored")
    columns = ("!sweep", "state", "begun (UTC)", *amounts, "purged after (UTC)", "because")
    for name, sweeps in found.items():
        rows = []
        for each in sweeps:
            counts = (each.rows, each.hidden, each.purged, each.restored)
            begun, purged = moment(each.created_at), moment(each.purge_after)
            rows.append([each.sweep_id, each.state, begun, *counts, purged, each.because])
        OUT.print(table(f"Sweeps of {name}", columns, rows) if rows else f"There are no sweeps of {cell(name)}.")
        if len(rows) == limit:
            OUT.print(f"Those are the newest {limit}; if there are more, --limit shows them.")


@app.command()
def items(sweep: SweepId, environment: Where = None, as_json: AsJson = False) -> None:
    """List what a sweep has marked."""
    with doors() as opened:
        retention = _where(opened, sweep, environment)
        report = retention.status(sweep)
        if as_json:
            print_json_list(report.as_dict(), "items", retention.items(sweep))
            return
        shown = [
            [each.item_id, each.item_type, each.label, each.state, moment(each.created_at), each.detail]
            for each in retention.items(sweep)
        ]
    OUT.print(table(f"Sweep {sweep}", ("!item", "type", "label", "state", "created (UTC)", "because"), shown))
    _show_standing(report)


@app.command()
def approve(
    sweep: SweepId, environment: Where = None, person: Person = None, reason: Reason = None, as_json: AsJson = False
) -> None:
    """Let a sweep happen in an environment that is not cleaned up by itself; the next run carries it out."""
    with doors() as opened:
        report = _where(opened, sweep, environment).approve(sweep, required_person(opened, person), reason)
    if as_json:
        print_json(report.as_dict())
        return
    OUT.print(
        f"The sweep {sweep} of {counted(report.rows, 'row')} is approved. Dagster's sensor carries it out, or: "
        f"wisqu cleanup --environment {report.environment}"
    )


@app.command()
def reject(
    sweep: SweepId, reason: Why, environment: Where = None, person: Person = None, as_json: AsJson = False
) -> None:
    """Say no to a sweep that waits."""
    with doors() as opened:
        report = _where(opened, sweep, environment).reject(sweep, required_person(opened, person), reason)
    if as_json:
        print_json(report.as_dict())
        return
    OUT.print(f"The sweep {sweep} is rejected; nothing was hidden.")


@app.command()
def restore(
    sweep: SweepId,
    reason: Why,
    item_ids: Annotated[
        list[UUID] | None,
        typer.Option("--item-ids", metavar="ID", parser=_parse_item_id, help="Only this item; again for more."),
    ] = None,
    environment: Where = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Give back what a sweep has hidden and not purged; the next sweeps leave it alone."""
    with doors() as opened:
        done = _where(opened, sweep, environment).restore(sweep, required_person(opened, person), reason, item_ids)
    if as_json:
        print_json({"given_back": done.given_back, "sweep": done.sweep.as_dict()})
        return
    given = counted(done.given_back, "row")
    if done.sweep.state == SweepState.HIDING:
        OUT.print(f"Given back: {given}. The next run hides what else the sweep lists.")
        return
    if done.sweep.state == SweepState.REJECTED:
        OUT.print(f"Given back: {given}; the sweep hides no others.")
        return
    OUT.print(f"Given back: {given}; still hidden: {number(done.sweep.hidden)}.")


def _all(opened: Doors, *, dry_run: bool) -> Sequence[str]:
    """The environments that are meant where none is named."""
    return [name for name in opened.environments if dry_run or opened.retention(name).policy.automatic]


def _where(opened: Doors, sweep: UUID, environment: str | None) -> "RetentionService | RemoteRetention":
    """The environment that a sweep is of.

    Raises:
        UnknownEnvironment: there is no environment of the name that was given.
        Any error of `where`.
    """
    missing = SweepNotFound(sweep_id=str(sweep), environment="any environment")
    return opened.retention(
        environment or where(opened.environments, lambda name: opened.retention(name).status(sweep), missing)
    )


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


def _show(report: SweepReport) -> None:
    would = "would ask to hide" if report.takes_approval else "would hide"
    rows = [
        [name, each.rows, each.test_data, size(each.bytes), each.points, told(each.ages), told(each.stays)]
        for name, each in report.types.items()
    ]
    columns = ("type", "#rows", "#test data", "#bytes", "#vectors", "days old", "due, and stay")
    OUT.print(table(f"{report.environment}: a sweep {would if report.is_dry_run else 'marked'}", columns, rows))
    for note in report.notes:
        OUT.print(f"[yellow]{cell(note)}[/]")
    if report.sweep_id is None:
        if not report.is_dry_run:
            OUT.print("Nothing is due.")
        return
    _show_standing(report)


def _show_standing(report: SweepReport) -> None:
    if report.outlook:
        OUT.print(report.outlook)
        return
    told = f"The sweep {report.sweep_id} of {report.environment} is [bold]{report.state}[/]"
    match report.state:
        case SweepState.WAITING:
            told += f". Next, somebody else: wisqu cleanup approve {report.sweep_id}"
        case SweepState.HIDING:
            told += f": the next run hides what still may go of its {counted(report.rows, 'row')}. To call it off: "
            told += f"wisqu cleanup restore {report.sweep_id} --reason …"
        case SweepState.HIDDEN if report.waits:
            told += f", and its grace time ended at {moment(report.purge_after)} UTC. "
            told += f"Of its {counted(report.hidden, 'row')} {report.because}. "
            told += f"'wisqu cleanup items {report.sweep_id}' says which"
            told += f", and 'wisqu hold list {report.environment}' why." if HELD in report.waits else "."
        case SweepState.HIDDEN if report.hidden:
            told += f": {counted(report.hidden, 'row')}, which a run after {moment(report.purge_after)} UTC purges. "
            told += f"Until then: wisqu cleanup restore {report.sweep_id} --reason …"
        case _:
            told += f": {counted(report.purged, 'row')} purged, {report.restored} restored, {report.kept} kept."
            told += f" Why: {cell(report.because)}" if report.because else ""
    OUT.print(told)
