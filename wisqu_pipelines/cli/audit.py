"""`wisqu audit …`: what was written down, and whether it still says so."""

from typing import Annotated

import typer

from wisqu_pipelines.cli.options import AsJson, doors
from wisqu_pipelines.cli.output import OUT, cell, print_json, table

app = typer.Typer(help="Verify the audit chains.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `verify` a command of its own although it is the only one."""


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="ENV", help="By default all, and control.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read every audit chain from its first row to its last: finds edited, deleted, reordered and cut-off rows."""
    with doors() as opened:
        reports = opened.verify_audit(names or ())
    holds = all(report.holds for report in reports)
    if as_json:
        print_json({"holds": holds, "reports": reports})
    else:
        rows = [
            [report.environment, chain.table, chain.rows, "broken" if chain.findings else "whole"]
            for report in reports
            for chain in report.chains
        ]
        OUT.print(table("Audit chains", ("environment", "table", "#rows", "state"), rows))
        for report in reports:
            for finding in (finding for chain in report.chains for finding in chain.findings):
                OUT.print(f"[red]{cell(report.environment)}[/] {cell(finding)}")
    if not holds:
        raise typer.Exit(1)
