"""`wisqu storage …`: whether an environment's rows, objects and points belong together."""

import json
import tempfile
from typing import Annotated

import typer
from pydantic import TypeAdapter

from wisqu_pipelines.cli.options import AsJson, Person, Reason, required_person, services
from wisqu_pipelines.cli.output import OUT, progress_bar, table
from wisqu_pipelines.environments.clocks import LARGEST_SKEW
from wisqu_pipelines.figures import counted, size
from wisqu_pipelines.storage_audit.report import Amount, AuditReport, Finding, nobody_listens

SHOWN = 25
app = typer.Typer(help="Find what lies in the stores and belongs to nobody.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `audit` a command of its own although it is the only one."""


@app.command()
def audit(
    env: Annotated[str, typer.Argument(metavar="ENV", help="The environment.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what nothing has needed for the grace time; needs --as, --reason.")
    ] = False,
    person: Person = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Compare rows, objects and points both ways, and mark what nothing needs. Only --repair removes anything.

    Exits with 1 if something does not belong together when it ends: a row that misses something, or an orphan that
    still lies there.
    """
    findings = _Findings()
    with services() as opened:
        service = opened.storage_audit(env)
        who = required_person(opened, person) if repair else None
        with progress_bar() as progress:
            listen = findings.add if as_json else nobody_listens
            report = (
                service.run(progress=progress, found=listen)
                if who is None
                else service.repair(who, reason, progress=progress, found=listen)
            )
    if as_json:
        findings.print(report)
    else:
        _show(report)
    if not report.is_clean:
        raise typer.Exit(1)


class _Findings:
    """All findings, on disk until the audit has ended well: there is no limit to their number."""

    def __init__(self) -> None:
        self._lines = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - ends with the process
        self._adapter = TypeAdapter(Finding)

    def add(self, finding: Finding) -> None:
        self._lines.write(self._adapter.dump_json(finding) + b"\n")

    def print(self, report: AuditReport) -> None:
        """Print the report with every finding, one at a time in memory."""
        head = json.loads(TypeAdapter(AuditReport).dump_json(report))
        del head["findings"]
        head |= {"is_clean": report.is_clean}
        OUT.out(json.dumps(head, indent=2)[:-2] + ',\n  "findings": [', highlight=False, end="")
        self._lines.seek(0)
        for number, line in enumerate(self._lines):
            OUT.out("," * bool(number) + "\n    " + line.decode().rstrip(), highlight=False, end="")
        OUT.out("\n  ]\n}", highlight=False)


def _show(report: AuditReport) -> None:
    rows = [
        [each.store, *(_amount(amount) for amount in (each.listed, each.orphans, each.due, each.swept, each.danglings))]
        for each in report.stores
    ]
    columns = ("store", "#there", "#orphans", "#of them due", "#removed", "#rows that miss something")
    OUT.print(table(f"Storage of {report.environment}", columns, rows))
    shown = report.findings[:SHOWN]
    if shown:
        found = [[each.problem, each.sentence, size(each.bytes), each.points or "", _since(each)] for each in shown]
        OUT.print(table("Findings", ("what", "which", "#bytes", "#points", "marked since (UTC)"), found))
    more = sum(each.orphans.count + each.danglings.count for each in report.stores) - len(shown)
    if more > 0:
        OUT.print(f"… and {more} more; --json has them all")
    OUT.print(f"Newly marked: {report.newly_marked}; marks taken away: {report.unmarked}.")
    if report.promotion_under_way:
        OUT.print("[yellow]A promotion into it is under way[/]; look again when it has ended.")
    if report.clock_skew_seconds > LARGEST_SKEW:
        OUT.print(f"[yellow]Nothing was marked[/]: the clocks are {report.clock_skew_seconds:.0f} s apart.")


def _amount(amount: Amount) -> str:
    if not amount.count:
        return "0"
    points = [counted(amount.points, "point")] if amount.points else []
    return f"{amount.count} ({', '.join([size(amount.bytes), *points])})"


def _since(finding: Finding) -> str:
    return f"{finding.first_seen_at:%Y-%m-%d %H:%M}" if finding.first_seen_at else ""
