"""`wisqu ingest` and `wisqu search`: documents into an environment, and answers out of it."""

from pathlib import Path
from typing import Annotated

import typer

from wisqu_pipelines.cli.options import AsJson, Person, person_id, services
from wisqu_pipelines.cli.output import OUT, cell, print_json, progress_bar, table
from wisqu_pipelines.figures import counted, size
from wisqu_pipelines.ingest.report import Outcome

Environment = Annotated[str, typer.Option("--env", help="The environment.")]
SHOWN = 25


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files and folders.")],
    env: Environment,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Put files into an environment: row, file and vectors, each document wholly or not at all.

    The same bytes under the same name change nothing. Exits with 2 if a file was refused; the others are in.
    """
    with services() as opened, progress_bar() as progress:
        who = person_id(opened, person)
        report = opened.ingest(env).ingest(paths, ingested_by=who, progress=progress)
    refused = report.refused
    if as_json:
        print_json(report)
    else:
        rows = [[outcome, report.count(outcome)] for outcome in Outcome]
        OUT.print(table(f"Ingested into {env}", ("outcome", "#files"), rows))
        OUT.print(f"{size(report.bytes)} and {counted(report.points, 'point')} are in")
        for file in refused[:SHOWN]:
            OUT.print(f"[yellow]refused[/] {cell(file.filename)}: {cell(file.reason)}")
        if len(refused) > SHOWN:
            OUT.print(f"… and {len(refused) - SHOWN} more; --json has them all")
    if refused:
        raise typer.Exit(2)


def search(
    query: Annotated[str, typer.Argument(metavar="TEXT", help="What to look for, in words.")],
    env: Environment,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Find the nearest chunks in an environment, as Wisqu's readers see it."""
    with services() as opened:
        hits = opened.search(env).search(query, limit=limit)
    if as_json:
        print_json(hits)
        return
    rows = [[f"{hit.score:.3f}", hit.title, " ".join(hit.text.split())[:160], hit.document_id] for hit in hits]
    OUT.print(table(f"Nearest in {env}", ("#score", "title", "text", "!document"), rows))
