"""`wisqu env …`: the environments' stores."""

from typing import Annotated

import typer

from wisqu_pipelines import settings
from wisqu_pipelines.cli.options import AsJson
from wisqu_pipelines.cli.output import ERR, OUT, print_done, print_json, table
from wisqu_pipelines.environments.markers import StoreCondition

app = typer.Typer(help="Set up and check the environments' stores.", no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(metavar="ENV", help="Environments. By default all.")]


@app.command()
def init(names: Names = None, as_json: AsJson = False) -> None:
    """Make environments ready: tables, rights, buckets, collections, markers. Doing it again changes nothing."""
    from wisqu_pipelines import bootstrap  # noqa: PLC0415 - seconds to import

    loaded = settings.load()
    with ERR.status("Setting up the stores"):
        bootstrap.set_up(loaded, *names or ())
    if as_json:
        print_done("initialised", environments=list(names or loaded.environments))
        return
    OUT.print(f"Ready: {', '.join(names or loaded.environments)}")


@app.command()
def check(names: Names = None, as_json: AsJson = False) -> None:
    """Look at each store: whether it answers, is the environment's own, and has the schema of this version."""
    from wisqu_pipelines import bootstrap  # noqa: PLC0415 - seconds to import

    states = list(bootstrap.check_stores(settings.load(), *names or ()))
    if as_json:
        print_json(states)
    else:
        rows = [[each.environment, each.store, each.address, each.condition, each.detail] for each in states]
        OUT.print(table("Stores", ("environment", "store", "address", "state", "detail"), rows))
    conditions = {each.condition for each in states}
    if conditions - {StoreCondition.OK, StoreCondition.UNAVAILABLE}:
        raise typer.Exit(2)
    if StoreCondition.UNAVAILABLE in conditions:
        raise typer.Exit(1)
