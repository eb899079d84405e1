"""`wisqu metrics` and `wisqu report`: the installation in figures."""

from pathlib import Path
from typing import Annotated

import typer

from wisqu_pipelines.cli.options import AsJson, services
from wisqu_pipelines.cli.output import OUT, print_done, print_json, table
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.figures import counted

Days = Annotated[int | None, typer.Option("--days", min=1, max=3650, help="How far back. By default as configured.")]


def metrics(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which metric. By default all.")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="Only this one's. By default those of all.")
    ] = None,
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Show promotions, rows, test data, storage, sweeps, accounts and access in figures, as they are now."""
    from wisqu_pipelines.metrics import registry, telling  # noqa: PLC0415 - other commands do without
    from wisqu_pipelines.metrics.metric import Where  # noqa: PLC0415

    wanted = [registry.named(name)] if name else list(registry.METRICS.values())
    if environment is not None:
        if name and wanted[0].where is Where.CONTROL:
            raise BadInput(what="--environment", reason=f"{name} is told of all environments together")
        wanted = [each for each in wanted if each.where is Where.ENVIRONMENT]
    with services() as opened:
        found = {each.name: opened.metrics.rows(each.name, environment, days=days) for each in wanted}
    if as_json:
        print_json(found[name] if name else found)
        return
    for each in wanted:
        columns = [("#" if telling.is_figure(kind) else "") + words(column) for column, kind in each.columns.items()]
        rows = [
            [telling.told(row[column], kind) or None for column, kind in each.columns.items()]
            for row in found[each.name]
        ]
        OUT.print(table(f"{each.title} ({each.name})", columns, rows) if rows else f"{each.title} ({each.name}): none")


def report(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days it is about.")] = 7,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", dir_okay=False, help="By default standard output.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of the last days as one HTML page. It names people: mind where it goes.

    With --json and no --output, what the page tells is printed as JSON instead.
    """
    from wisqu_pipelines.metrics.page import render  # noqa: PLC0415
    from wisqu_pipelines.metrics.report import collect  # noqa: PLC0415

    with services() as opened:
        told = collect(opened.metrics, days)
    if output is None:
        if as_json:
            print_json(told)
        else:
            typer.echo(render(told), nl=False)
        return
    try:
        output.write_text(render(told), encoding="utf-8")
    except OSError as error:
        raise BadInput(what="--output", reason=f"{error.strerror}: {output}") from None
    if as_json:
        print_done("written", file=output, days=days)
        return
    OUT.print(f"The report of {counted(days, 'day')} is in {output}.", markup=False)


def words(column: str) -> str:
    """A column's name as people read it."""
    return column.replace("_", " ")
