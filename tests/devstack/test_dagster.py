"""Dagster as part of the stack: its processes spawn others, and none of those may stay."""

import json
import os
import signal
from pathlib import Path

import pytest
import urllib3

from tests.devstack.commands import END_SECONDS, Commands, wait_until

SECRETS_OF_STORES = ("qdrant-", "valkey/", "s3/wisqu-", "s3/transfer-", "_app", "wisqu_admin")


@pytest.mark.timeout(600)
def test_dagster_is_up_with_everything_and_leaves_no_process_when_killed(commands: Commands) -> None:
    up = commands.run("up", "--detach", "--json")
    assert up.returncode == 0, up.stderr
    view = json.loads(up.stdout)
    assert view["healthy"]
    assert {"dagster-webserver", "dagster-daemon"} <= {each["name"] for each in view["services"]}
    assert view["dagster_url"] == f"http://127.0.0.1:{commands.settings().dagster.port}"
    answer = urllib3.request("GET", f"{view['dagster_url']}/server_info", timeout=30)
    assert "dagster_version" in answer.json()

    check_environment(commands)
    code_servers = [line for line in commands.processes().values() if "dagster api grpc" in line]
    assert code_servers

    os.kill(view["supervisor"], signal.SIGKILL)
    wait_until(lambda: not commands.processes(), END_SECONDS * 2, "no process is left")


def check_environment(commands: Commands) -> None:
    """Dagster's processes have the credentials of Dagster's own stores in their variables, and no others."""
    secrets = json.loads((commands.directory / "stack" / "secrets.json").read_text())
    foreign = {name: value for name, value in secrets.items() if any(mark in name for mark in SECRETS_OF_STORES)}
    assert foreign
    for name, pid in commands.state["processes"].items():
        variables = Path(f"/proc/{pid}/environ").read_text(errors="replace")
        assert [each for each, value in foreign.items() if value in variables] == []
        assert (secrets["wisqu_dagster_owner"] in variables) == name.startswith("dagster-")
        assert secrets["wisqu_dagster_owner"] not in commands.processes()[pid]
