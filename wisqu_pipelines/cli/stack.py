"""`wisqu up`, `wisqu down` and `wisqu status`: the embedded stack."""

import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from wisqu_pipelines.cli.options import AsJson
from wisqu_pipelines.cli.output import ERR, OUT, print_done, print_json, table
from wisqu_pipelines.devstack import declaration, inspection, state
from wisqu_pipelines.devstack.declaration import Declaration
from wisqu_pipelines.devstack.inspection import StackView
from wisqu_pipelines.devstack.state import Phase
from wisqu_pipelines.devstack.supervisor import Supervisor
from wisqu_pipelines.errors import StackAlreadyUp, StackFailed
from wisqu_pipelines.settings import CONFIG_VARIABLE, Settings

DETACHED_POLL_SECONDS = 0.1


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return when everything is healthy; it goes on.")] = False,
    port_base: Annotated[
        int | None,
        typer.Option(
            help="First of a range of fixed ports, best below 32000: above, outgoing connections take them as well. "
            "The UI gets it."
        ),
    ] = None,
    no_dagster: Annotated[bool, typer.Option("--no-dagster", help="Start the stores alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the embedded stack: Postgres, S3, Qdrant, Redis, the Dagster UI and the API."""
    declared = declaration.read()
    if detach:
        start_detached(declared, port_base=port_base, with_dagster=not no_dagster)
        _show(inspection.look(declared), as_json=as_json)
        return
    supervisor = Supervisor(
        declared,
        port_base=port_base,
        with_dagster=not no_dagster,
        set_up=_set_up,
        announce=lambda message: ERR.print(message, markup=False, soft_wrap=True),
    )
    supervisor.run(lambda: _show(inspection.look(declared), as_json=as_json))


def down(*, as_json: AsJson = False) -> None:
    """Stop the embedded stack; its data stay."""
    ended = inspection.end(declaration.read())
    if as_json:
        print_done("stopped" if ended else "nothing")
        return
    OUT.print("The embedded stack is down." if ended else "The embedded stack was not up.")


def status(*, as_json: AsJson = False) -> None:
    """Show each service of the embedded stack; exit code 0 only if all are healthy."""
    view = inspection.look(declaration.read())
    _show(view, as_json=as_json)
    if not view.healthy:
        raise typer.Exit(1)


def _set_up(settings: Settings) -> None:
    from wisqu_pipelines import bootstrap  # noqa: PLC0415 - seconds to import, and 'down' and 'status' do without

    bootstrap.set_up(settings)


def start_detached(declared: Declaration, *, port_base: int | None, with_dagster: bool) -> None:
    """Start a supervisor of its own session, and wait until its stack is healthy or it has ended."""
    if running := inspection.look(declared).supervisor:
        raise StackAlreadyUp(directory=str(declared.layout.root), process=running)
    declared.layout.create()
    command = [sys.executable, "-m", "wisqu_pipelines.cli", "up"]
    command += [] if port_base is None else ["--port-base", str(port_base)]
    command += [] if with_dagster else ["--no-dagster"]
    log = declared.layout.log("supervisor")
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, CONFIG_VARIABLE: str(declared.config)},
        )
    try:
        with ERR.status("starting the embedded stack"):
            while not _is_up(declared, supervisor.pid):
                if supervisor.poll() is not None:
                    raise StackFailed(act="start", cause=_last_line(log))
                time.sleep(DETACHED_POLL_SECONDS)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise


def _is_up(declared: Declaration, supervisor: int) -> bool:
    known = state.read(declared.layout)
    return known is not None and known.pid == supervisor and known.phase == Phase.UP


def _last_line(log: Path) -> str:
    """What the supervisor said last, as the end of a sentence that says already what failed."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = lines[-1] if lines else "it said nothing"
    said = said.replace("failed: The embedded stack could not ", "it could not ", 1).removeprefix(
        "it could not start: "
    )
    said = said.removesuffix(".")
    return f"{said} (all of it is in {log})"


def _show(view: StackView, *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(view), "healthy": view.healthy})
        return
    if not view.services:
        OUT.print(f"Embedded stack: {view.phase}")
        return
    rows = [
        (each.name, each.address, "healthy" if each.healthy else "does not answer", each.pid) for each in view.services
    ]
    OUT.print(table(f"Embedded stack: {view.phase}", ("service", "address", "state", "pid"), rows))
    if view.dagster_url is not None:
        OUT.print(f"Dagster: {view.dagster_url}")
    if view.api_url is not None:
        OUT.print(f"Approvals: {view.api_url}/approvals")
        OUT.print(f"API: {view.api_url}/v1, described at {view.api_url}/v1/openapi.json", soft_wrap=True)
