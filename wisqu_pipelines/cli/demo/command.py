"""`wisqu demo`: brings the stack up if it is not, tells the story, and leaves things as it found them."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from wisqu_pipelines import settings
from wisqu_pipelines.cli import stack
from wisqu_pipelines.cli.output import ERR, OUT
from wisqu_pipelines.devstack import declaration, inspection
from wisqu_pipelines.errors import StackFailed


def demo(
    figures_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here.")] = None,
) -> None:
    """Promote real documents from dev to stage on real engines, and prove what happened.

    Exits with 0 only if every proof holds. It can be run again, and beside 'wisqu up'.
    """
    from wisqu_pipelines.bootstrap import open_services  # noqa: PLC0415 - seconds to import
    from wisqu_pipelines.cli.demo.dagster_runs import DagsterRuns  # noqa: PLC0415 - seconds to import
    from wisqu_pipelines.cli.demo.story import Story, summary  # noqa: PLC0415

    started = monotonic()
    run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    with _stack() as already_up:
        loaded = settings.load()
        if not loaded.stack.embedded:
            raise StackFailed(act="show the demo", cause="it works on the embedded stack alone, which is switched off")
        with open_services(loaded) as services:
            story = Story(services, DagsterRuns(loaded.dagster.port), loaded.stack.directory / "demo", run)
            figures = story.tell()
    figures.seconds["all"] = monotonic() - started
    OUT.print(summary(figures))
    if figures_file is not None:
        figures_file.write_text(json.dumps({**asdict(figures), "holds": figures.holds}, indent=2) + "\n")
    where = "It is still up" if already_up else "'make up' starts it again"
    OUT.print(f"{where}: the Dagster UI has the runs, and 'wisqu promote list' the promotions.")
    if not figures.holds:
        raise typer.Exit(1)


@contextmanager
def _stack() -> Iterator[bool]:
    """The embedded stack, for the time of the block if it was not up; says whether it was."""
    view = inspection.look(declaration.read())
    if view.healthy:
        yield True
        return
    OUT.print("[bold]0. start Postgres, S3, Qdrant, Redis and Dagster from their wheels[/]")
    stack.start_detached(declaration.read(), port_base=None, with_dagster=True)
    try:
        yield False
    finally:
        with ERR.status("stopping the embedded stack"):
            inspection.end(declaration.read())
