"""Dagster as part of the stack: its processes spawn others, and none of those may stay."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.devstack.commands import END_SECONDS, Commands, wait_until
from tests.devstack.daemons import Daemons
from tests.devstack.work import Work
from tests.faults.budget import budget
from tests.fixtures.stack import temporary_directory
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import open_services
from wisqu_pipelines.settings import load

TICK_SECONDS = 0.4
"""About how long a tick of the approvals sensor takes that has work."""
RUN_SECONDS = 8.0
"""About how long it takes from there until the runs that it asked for are over."""
AT_ONCE = 2
"""Promotions that are approved before the kill, and again after it."""
SECRETS_OF_STORES = ("qdrant-", "valkey/", "s3/wisqu-", "s3/transfer-", "_app", "wisqu_admin")


pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("dagster")]


@pytest.fixture(scope="module")
def own() -> Iterator[Commands]:
    """One directory for all tests here: a stack with Dagster takes long to start."""
    with temporary_directory() as directory:
        commands = Commands(directory)
        try:
            yield commands
        finally:
            commands.end()


@pytest.fixture
def up(own: Commands) -> Commands:
    """The stack, up: started by the first test, and again after one that has killed it."""
    if not own.processes():
        started = own.run("up", "--detach")
        assert started.returncode == 0, started.stderr
    return own


def test_dagster_is_up_with_everything(up: Commands) -> None:
    view = json.loads(up.run("status", "--json").stdout)
    assert view["healthy"]
    assert {"dagster-webserver", "dagster-daemon"} <= {each["name"] for each in view["services"]}
    assert view["dagster_url"] == f"http://127.0.0.1:{up.settings().dagster.port}"
    answer = urllib3.request("GET", f"{view['dagster_url']}/server_info", timeout=30)
    assert "dagster_version" in answer.json()

    check_environment(up)
    check_sensors(view["dagster_url"])
    check_schedules(view["dagster_url"])
    code_servers = [line for line in up.processes().values() if "dagster api grpc" in line]
    assert code_servers


@pytest.mark.timeout(600 * budget().daemons)
def test_a_daemon_that_is_killed_and_a_second_one_do_nothing_twice(up: Commands) -> None:
    """The daemon dies in the middle of a tick that has work; then it and another one look after the sensors at once."""
    asked, daemons = budget(), Daemons(up)
    draw = random.Random(asked.seed)  # noqa: S311 - chooses test cases
    with up.variables(), open_services(load()) as services:
        work, world = Work(services, daemons), World(services)
        for kill in range(asked.daemons):
            # A run that dies with its daemon is found out after minutes: only at length are runs killed as well.
            after = draw.uniform(0, RUN_SECONDS if asked.thorough else TICK_SECONDS)
            gone = daemons.beats()
            work.ask(world, AT_ONCE)
            work.wait_for_a_tick()
            time.sleep(after)
            daemons.kill()
            with daemons.another():
                daemons.wait_for_both(gone)
                work.ask(world, AT_ONCE)
                work.wait_until_done()
            print(f"\nseed {asked.seed}: kill {kill + 1}, {after:.3f} s after a tick had begun: {work}")
            assert work.problems() == []


def test_it_leaves_no_process_when_its_supervisor_is_killed(up: Commands) -> None:
    os.kill(up.state["pid"], signal.SIGKILL)
    wait_until(lambda: not up.processes(), END_SECONDS * 2, "no process is left")


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

    wait_until(
        lambda: all({"SKIPPED", "SUCCESS", "FAILURE"} & {*each} for each in ticks().values()), 120, "each sensor ticks"
    )
    assert len(ticks()) >= 7
    assert "FAILURE" not in {status for each in ticks().values() for status in each}


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
