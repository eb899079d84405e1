"""`wisqu keys …`: the keys that sign tokens and approvals, on the host that signs."""

from typing import Annotated

import typer

from wisqu_pipelines.cli.options import AsJson, services
from wisqu_pipelines.cli.output import OUT, moment, print_done, print_json, table
from wisqu_pipelines.identity.keys import AHEAD

app = typer.Typer(help="Make, show, rotate and revoke the signing keys.", no_args_is_help=True)

Purpose = Annotated[str, typer.Argument(metavar="PURPOSE", help="access, approvals, or environment-NAME.")]


@app.command()
def init(as_json: AsJson = False) -> None:
    """Make the first key of each purpose that has none."""
    with services() as opened:
        opened.keys.ensure(opened.clock.now())
        if as_json:
            print_done("initialised", purposes=opened.keys.purposes, directory=opened.settings.key_directory)
            return
        OUT.print(f"There is a key for {', '.join(opened.keys.purposes)} in {opened.settings.key_directory}.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the keys, oldest first; what signs now is marked."""
    with services() as opened:
        now = opened.clock.now()
        found = {purpose: opened.keys[purpose].listed(now) for purpose in opened.keys.purposes}
    if as_json:
        print_json(found)
        return
    rows = [
        [purpose, each.kid, moment(each.created_at), "signs" if each.is_signing else ""]
        for purpose, keys in found.items()
        for each in keys
    ]
    OUT.print(table("Keys", ("purpose", "!key", "made", "use"), rows))


@app.command()
def rotate(purpose: Purpose, as_json: AsJson = False) -> None:
    """Make another key. It signs as soon as every verifier can know it; what older ones signed stays valid."""
    with services() as opened:
        kid = opened.keys[purpose].rotate(opened.clock.now())
    if as_json:
        print_done("rotated", purpose=purpose, kid=kid, signs_in_seconds=AHEAD.seconds)
        return
    OUT.print(f"The key {kid} signs in {AHEAD.seconds} s.")


@app.command()
def revoke(
    purpose: Purpose,
    kid: Annotated[str, typer.Argument(metavar="KEY", help="As 'wisqu keys list' shows it.")],
    as_json: AsJson = False,
) -> None:
    """Take a key away: nothing that it signed is valid any more."""
    with services() as opened:
        opened.keys[purpose].revoke(kid)
    if as_json:
        print_done("revoked", purpose=purpose, kid=kid)
        return
    OUT.print(f"The key {kid} is revoked.")
