"""`--json` and the help of every command, and what the acts print."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import typer
from rich.text import Text

from tests.cli.conftest import Wisqu
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.cli.commands import app
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER

WITHOUT: Mapping[str, str] = {
    "api": "serves until it is interrupted, and prints nothing on standard output",
}
"""The commands that have no `--json`, and why."""
WHY = ("--reason", "Looking into issue 4711")
AS_SUPERADMIN = ("--as", SUPERADMIN, "--json")
AS_ADMIN = ("--as", ADMIN, "--json")
AS_DEVELOPER = ("--as", DEVELOPER, "--json")
EVE = "eve@example.org"


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """The commands of a group and of the groups in it, each with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield " ".join((*names, name)), command
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


def test_every_command_that_prints_has_json() -> None:
    every = dict(commands(typer.main.get_command(app)))
    assert len(every) > 60, "the tree was not walked through"
    without = {name for name, each in every.items() if not any("--json" in option.opts for option in each.params)}
    assert without == set(WITHOUT)


def test_help_is_shown_as_it_is_written() -> None:
    for name, command in commands(typer.main.get_command(app)):
        for each in (command.help, *(getattr(option, "help", None) for option in command.params)):
            shown = Text.from_markup(each or "").plain  # what stands in brackets would be taken for a style
            assert shown == (each or ""), name


def test_every_command_argument_and_option_is_explained() -> None:
    unexplained = [
        (name, each.name)
        for name, command in commands(typer.main.get_command(app))
        for each in (command, *command.params)
        if not getattr(each, "help", None)
    ]
    assert unexplained == []


def test_usage_has_each_bracket_once() -> None:
    for name, command in commands(typer.main.get_command(app)):
        with command.make_context(name, [], resilient_parsing=True) as context:
            assert "[[" not in command.get_usage(context), name


def test_ctrl_c_while_the_commands_are_loaded_ends_quietly() -> None:
    script = (
        "import sys\n"
        "class Impatient:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'wisqu_pipelines.cli.options':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Impatient())\n"
        "from wisqu_pipelines.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.usefixtures("services")
def test_acts_on_people(wisqu: Wisqu) -> None:
    made = wisqu("users", "create", EVE, *WHY, *AS_SUPERADMIN).json
    assert (made["done"], made["email"]) == ("created", EVE)
    who = {"id": made["id"], "email": EVE}
    logged = wisqu("login", EVE, "--password-stdin", "--json", stdin=made["password"]).json
    assert (logged["done"], logged["identity"]["user_id"]) == ("logged in", made["id"])
    assert set(logged) == {"done", "at", "until", "identity"}, "no token is shown"
    assert wisqu("logout", "--json").json.items() >= {"done": "logged out", "logins_ended": 1, **who}.items()
    in_prod = {"environment": "prod"}
    for act, told in (
        (("grant", EVE, "prod", "developer"), {"done": "granted", **who, **in_prod, "role": "developer"}),
        (("revoke", made["id"], "prod"), {"done": "revoked", **who, **in_prod}),
        (("disable", EVE), {"done": "disabled", **who, "logins_ended": 0}),
        (("enable", EVE), {"done": "enabled", **who}),
    ):
        assert wisqu("users", *act, *WHY, *AS_SUPERADMIN).json == told
    changed = wisqu("users", "password", EVE, *WHY, *AS_SUPERADMIN).json
    assert changed == {"done": "changed", **who, "password": changed["password"]}
    assert changed["password"] not in {None, made["password"]}
    given = wisqu("users", "password", EVE, "--password-stdin", *WHY, *AS_SUPERADMIN, stdin="correct horse battery")
    assert given.json == {"done": "changed", **who, "password": None}, "whoever gave it knows it"


@pytest.mark.usefixtures("services")
def test_acts_on_access(wisqu: Wisqu) -> None:
    request = ("access", "request", "dev", "--for", "4h", *WHY, "--as", TESTER, "--json")
    first = wisqu(*request).json
    assert first == {"done": "asked", "id": first["id"], "environment": "dev", "role": "developer", "hours": 4}
    refused = wisqu("access", "refuse", first["id"], *WHY, *AS_ADMIN).json
    assert refused == {"done": "refused", "id": first["id"]}
    second = wisqu(*request).json["id"]
    granted = wisqu("access", "grant", second, *AS_ADMIN).json
    (until,) = [each["expires_at"] for each in wisqu("access", "list", "--json").json if each["id"] == second]
    assert granted == {"done": "granted", "id": second, "until": until}
    ended = wisqu("access", "end", second, *WHY, *AS_ADMIN).json
    assert ended == {"done": "ended", "id": second}


def test_acts_on_items_and_promotions(wisqu: Wisqu, services: Services) -> None:
    document = str(World(services).document())
    for act, done, is_test in (
        (("mark-test-data", *WHY), "marked as test data", True),
        (("mark-real",), "marked as real", False),
        (("approve",), "approved", False),
    ):
        told = wisqu("promote", act[0], "rag_documents", document, *act[1:], *AS_DEVELOPER).json
        (item,) = told.pop("items")
        assert told == {"done": done, "environment": "dev"}
        assert (item["id"], item["type"], item["is_test_data"]) == (document, "rag_documents", is_test)
    ids = [
        wisqu("promote", "preview", "rag_documents", "dev", "stage", "--reason", why, *AS_DEVELOPER).json
        for why in ("the first one", "the second one", "the third one")
    ]
    first, second, third = (each["preview"]["promotion_id"] for each in ids)
    rejected = wisqu("approvals", "reject", first, *WHY, *AS_ADMIN).json
    assert rejected == {"done": "rejected", "promotion_id": first, "state": "rejected"}
    cancelled = wisqu("promote", "cancel", second, *WHY, *AS_DEVELOPER).json
    assert cancelled == {"done": "cancelled", "promotion_id": second, "state": "rejected"}
    granted = {"done": "granted", "promotion_id": third, "state": "approved", "waits_for": None}
    assert wisqu("approvals", "grant", third, *AS_ADMIN).json == granted
    revoked = wisqu("approvals", "revoke", third, *WHY, *AS_ADMIN).json
    assert revoked == {"done": "revoked", "promotion_id": third, "state": "planned"}


@pytest.mark.usefixtures("services")
def test_a_freeze_in_parts(wisqu: Wisqu) -> None:
    once = ("--from", "2020-01-01T00:00", "--until", "2099-01-01T00:00", "--time-zone", "Europe/Berlin")
    made = wisqu("freeze", "add", "dev->stage", *once, *WHY, *AS_ADMIN).json
    assert made["done"] == "frozen"
    weekly = ("--cron", "0 18 * * FRI", "--hours", 62, "--time-zone", "Europe/Berlin")
    again = wisqu("freeze", "add", "stage->prod", *weekly, *WHY, *AS_ADMIN).json
    parts = ("kind", "starts_at", "ends_at", "cron", "duration_minutes", "time_zone")
    listed = wisqu("freeze", "list", "--json").json["freezes"]
    assert listed == [made["freeze"], again["freeze"]]
    assert [[each[part] for part in parts] for each in listed] == [
        ["once", "2019-12-31T23:00:00Z", "2098-12-31T23:00:00Z", None, None, "Europe/Berlin"],
        ["recurring", None, None, "0 18 * * FRI", 62 * 60, "Europe/Berlin"],
    ]
    assert listed[1]["when"] == "'0 18 * * FRI' for 62 h (Europe/Berlin)"
    ended = wisqu("freeze", "end", listed[0]["freeze_id"], *WHY, *AS_ADMIN).json
    assert (ended["done"], ended["freeze"]["freeze_id"]) == ("ended", listed[0]["freeze_id"])
    assert ended["freeze"]["ended_by"] == ADMIN
