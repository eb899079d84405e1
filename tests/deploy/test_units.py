"""What systemd would be given, looked at without one: `systemd-analyze verify` is for whoever has it."""

import re
import sys
from pathlib import Path

import pytest

from tests.deploy import units
from tests.fixtures.stack import PROJECT
from wisqu_pipelines.cli import main
from wisqu_pipelines.settings import PREFIX, load

SERVICES = units.services()
LASTING = [name for name, unit in SERVICES.items() if unit.one("Type") != "oneshot"]
PATH = re.compile(r"(?<![\w/:.*])/(?!bin/sh|proc/|dev/null)[\w./-]+")
DOCS = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
HARD = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "RestrictNamespaces": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
}


def test_there_is_a_unit_for_each_process() -> None:
    assert {*LASTING} == {"wisqu-api", "wisqu-dagster-daemon", "wisqu-dagster-webserver"}
    assert {*SERVICES} - {*LASTING} == {"wisqu-env-init"}


@pytest.mark.parametrize("name", SERVICES)
def test_it_may_do_no_more_than_it_needs(name: str) -> None:
    unit = SERVICES[name]
    assert {option: unit.one(option) for option in HARD} == HARD
    assert unit.all("SystemCallFilter") == ["@system-service", "~@privileged @resources"]
    assert not unit.all("ReadWritePaths"), "what Dagster keeps is its StateDirectory; nobody else writes files"
    assert bool(unit.all("StateDirectory")) == ("dagster" in name)
    assert unit.all("User") != ["root"]
    assert unit.all("User") or unit.one("DynamicUser") == "yes"
    assert unit.one("MemoryMax")
    assert unit.one("TasksMax")


def test_their_users_are_made() -> None:
    made = (units.FOLDER / "wisqu.sysusers.conf").read_text(encoding="utf-8")
    users = {unit.one("User") for unit in SERVICES.values() if unit.all("User")}
    assert users == set(re.findall(r"^u (\S+) ", made, re.MULTILINE))
    assert re.search(r"^g wisqu ", made, re.MULTILINE)
    assert ":" not in "".join(re.findall(r'"(.*)"', made)), "no name of a user may have one"


@pytest.mark.parametrize("name", LASTING)
def test_the_target_groups_them_and_they_come_back(name: str) -> None:
    unit = SERVICES[name]
    assert (unit.one("PartOf"), unit.one("WantedBy"), unit.one("Restart")) == ("wisqu.target", "wisqu.target", "always")
    assert "network-online.target" in unit.one("After").split()


def test_what_changes_schemas_stops_the_others_first() -> None:
    unit = SERVICES["wisqu-env-init"]
    others = {f"{name}.service" for name in LASTING}
    assert set(unit.one("Conflicts").split()) == others
    assert others < set(" ".join(unit.all("After")).split())
    assert not unit.all("WantedBy"), "a person starts it"


def test_secrets_go_where_they_are_needed() -> None:
    files = {name: {Path(each).name for each in unit.all("EnvironmentFile")} for name, unit in SERVICES.items()}
    assert files == {
        "wisqu-api": {"wisqu.env"},
        "wisqu-dagster-daemon": {"wisqu.env", "dagster.env"},
        "wisqu-dagster-webserver": {"wisqu.env", "dagster.env"},
        "wisqu-env-init": {"wisqu.env", "owners.env"},
    }
    daemon, webserver = SERVICES["wisqu-dagster-daemon"], SERVICES["wisqu-dagster-webserver"]
    assert webserver.one("InaccessiblePaths") == daemon.variables["WISQU_IDENTITY__KEYS"]


def test_the_ui_reaches_the_runs_of_the_daemon() -> None:
    """Dagster's Terminate goes through a socket in the folder for temporary files, which is a private one."""
    daemon, webserver = SERVICES["wisqu-dagster-daemon"], SERVICES["wisqu-dagster-webserver"]
    assert webserver.one("JoinsNamespaceOf") == "wisqu-dagster-daemon.service"
    assert daemon.one("PrivateTmp") == webserver.one("PrivateTmp") == "yes"
    assert daemon.one("User") == webserver.one("User")


@pytest.mark.parametrize("file", sorted(units.FOLDER.iterdir()), ids=lambda file: file.name)
def test_every_path_is_told_in_the_docs(file: Path) -> None:
    assert f"{file.name}" in DOCS or file.suffix == ".service"
    text = re.sub(r"^#.*", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    unknown = {each for each in PATH.findall(text) if each not in DOCS}
    assert {each for each in unknown if not each.startswith(("/etc/wisqu/secrets/", "/opt/wisqu/venv/bin/"))} == set()


def test_the_examples_are_whole_and_hold_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings can be read from them, of every environment, once the secrets lie where they say."""
    given = units.variables("wisqu.env") | units.variables("owners.env")
    given[f"{PREFIX}CONFIG"] = str(PROJECT / "wisqu.toml")
    (tmp_path / "secret").write_text("a secret\n")
    secrets = [name for name in given if name.endswith(("_FILE", "_PASSWORD"))]
    for name in secrets:
        if name.endswith("_PASSWORD"):
            assert given[name] == ""
        given[name] = str(tmp_path / "secret")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert not settings.stack.embedded
    for each in settings.environments.values():
        assert each.database.password.get_secret_value() == "a secret", "read from its file"
        assert each.database.owner_user
        assert each.database.owner_password
    assert settings.control.database.owner_user
    assert settings.identity.limits is not None
    assert units.variables("dagster.env")["AWS_SECRET_ACCESS_KEY"] == ""
    in_yaml = set(re.findall(r"env: (WISQU\w+)", (PROJECT / "dagster.yaml").read_text(encoding="utf-8")))
    assert in_yaml < units.variables("dagster.env").keys()


def test_what_does_not_help_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings that cannot be used end the API with the status after which its unit does not start it again."""
    unit = SERVICES["wisqu-api"]
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setattr(sys, "argv", ["wisqu", *unit.commands("ExecStart")[0][1:]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value.code) == unit.one("RestartPreventExitStatus")


def test_the_command_that_changes_schemas_is_one() -> None:
    from typer.main import get_command  # noqa: PLC0415

    from wisqu_pipelines.cli.commands import app  # noqa: PLC0415

    environment = get_command(app).commands["env"].commands  # type: ignore[attr-defined]
    commands = SERVICES["wisqu-env-init"].commands("ExecStart")
    assert [each[1:] for each in commands] == [["env", "init"], ["env", "check"]]
    assert {each[2] for each in commands} <= environment.keys()
