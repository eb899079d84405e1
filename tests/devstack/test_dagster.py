"""Dagster as part of the stack: its processes spawn others, and none of those may stay."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.devstack.commands import END_SECONDS, Commands, wait_until

SECRETS_OF_STORES = ("qdrant-", "valkey/", "s3/wisqu-", "s3/transfer-", "_app", "wisqu_admin")


@pytest.mark.timeout(600)
def test_dagster_is_up_with_everything_and_leaves_no_process_when_killed(commands: Commands) -> None:
    up = commands.run("up", "--detach", "--json")
    assert up.returncode == 0, up.stderr
    view = json.loads(up.stdout)
    check_addresses(commands.run("status").stdout)
    assert view["healthy"]
    assert {"dagster-webserver", "dagster-daemon", "api"} <= {each["name"] for each in view["services"]}
    assert view["dagster_url"] == f"http://127.0.0.1:{commands.settings().dagster.port}"
    answer = urllib3.request("GET", f"{view['dagster_url']}/server_info", timeout=30)
    assert "dagster_version" in answer.json()

    check_environment(commands)
    check_sensors(view["dagster_url"])
    check_schedules(view["dagster_url"])
    code_servers = [line for line in commands.processes().values() if "dagster api grpc" in line]
    assert code_servers

    os.kill(view["supervisor"], signal.SIGKILL)
    wait_until(lambda: not commands.processes(), END_SECONDS * 2, "no process is left")


def check_addresses(shown: str) -> None:
    """What is shown as an address of the API can be opened."""
    addresses = re.findall(r"http://\S+/(?:approvals|v1/openapi\.json)", shown)
    assert len(addresses) == 2, shown
    assert [urllib3.request("GET", address, timeout=30).status for address in addresses] == [200, 200]


def ask(url: str, query: str, **variables: object) -> dict[str, Any]:
    """Ask Dagster by GraphQL, as its UI does."""
    answer = urllib3.request("POST", f"{url}/graphql", json={"query": query, "variables": variables}, timeout=120)
    data = answer.json()
    assert "errors" not in data, data["errors"]
    found: dict[str, Any] = data["data"]
    return found


def check_sensors(url: str) -> None:
    """The daemon evaluates every sensor, and none fails."""

    def ticks() -> dict[str, list[str]]:
        found = ask(url, SENSORS)["repositoryOrError"]["sensors"]
        return {each["name"]: [tick["status"] for tick in each["sensorState"]["ticks"]] for each in found}

    wait_until(lambda: all({"SKIPPED", "FAILURE"} & {*each} for each in ticks().values()), 120, "each sensor ticks")
    assert len(ticks()) >= 7
    assert {status for each in ticks().values() for status in each} <= {"SKIPPED", "STARTED"}


def check_schedules(url: str) -> None:
    """Every schedule runs by itself, and its tick asks for one run."""
    repository = {"repositoryName": "__repository__", "repositoryLocationName": "wisqu_pipelines"}
    found = ask(url, SCHEDULES)["repositoryOrError"]["schedules"]
    assert len(found) >= 9
    assert {each["scheduleState"]["status"] for each in found} == {"RUNNING"}
    for each in found:
        selector = {**repository, "scheduleName": each["name"]}
        tick = ask(url, DRY_RUN, selector=selector, timestamp=1_774_750_000)["scheduleDryRun"]
        result = tick["evaluationResult"]
        assert result["error"] is None, each["name"]
        assert len(result["runRequests"]) == 1, each["name"]


REPOSITORY = (
    'repositoryOrError(repositorySelector: {repositoryName: "__repository__", '
    'repositoryLocationName: "wisqu_pipelines"}) { ... on Repository { %s } }'
)
SENSORS = "{" + REPOSITORY % "sensors { name sensorState { ticks(limit: 3) { status error { message } } } }" + "}"
SCHEDULES = "{" + REPOSITORY % "schedules { name scheduleState { status } }" + "}"
DRY_RUN = """
    mutation ($selector: ScheduleSelector!, $timestamp: Float!) {
        scheduleDryRun(selectorData: $selector, timestamp: $timestamp) {
            ... on DryRunInstigationTick {
                evaluationResult { error { message } runRequests { runConfigYaml } }
            }
        }
    }
"""


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
