"""The units' commands, run with the units' variables and no others until they are ready, and stopped as they say."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy import units
from tests.deploy.units import Unit
from tests.devstack.commands import wait_until
from tests.fixtures.stack import PROJECT, Stack
from tests.ports.proxies import free_port
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.devstack import dagster
from wisqu_pipelines.settings import CONFIG_VARIABLE

READY_SECONDS = 120
ADDRESS = re.compile(r"http://\S+")
CLEAN = {0, -signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM, -signal.SIGPIPE}
"""What systemd takes for a success without being told."""
JOB = "test_account_expiry"
LAUNCH = """
    mutation ($job: String!) {
        launchRun(executionParams: {mode: "default", selector: {
            repositoryName: "__repository__", repositoryLocationName: "wisqu_pipelines", jobName: $job
        }}) { __typename ... on LaunchRunSuccess { run { id } } ... on PythonError { message } }
    }
"""
STATUS = "SELECT status FROM runs WHERE run_id = %s"
HEALTHY = "{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }"


@dataclass(frozen=True)
class Host:
    """A machine on which the units are installed, as far as their paths and ports go."""

    elsewhere: Mapping[str, str]
    """What stands for what a unit says."""
    files: Mapping[str, Mapping[str, str]]
    """The environment files."""

    def here(self, text: str) -> str:
        """A unit's text with this machine's paths and ports."""
        for there, here in self.elsewhere.items():
            text = text.replace(there, here)
        return text

    def command(self, unit: Unit, option: str) -> list[str]:
        """The unit's only command of that kind."""
        (command,) = unit.commands(option)
        return [self.here(each) for each in command]

    def environment(self, unit: Unit) -> dict[str, str]:
        """The unit's variables: neither this process's nor a shell's."""
        given = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        for file in unit.all("EnvironmentFile"):
            given |= self.files[file]
        return given | {name: self.here(value) for name, value in unit.variables.items()}

    @contextmanager
    def started(self, unit: Unit) -> Iterator["subprocess.Popen[bytes]"]:
        """Its main process; whatever is left of its group is ended with the block."""
        process = subprocess.Popen(
            self.command(unit, "ExecStart"),
            cwd=self.here(unit.one("WorkingDirectory")),
            env=self.environment(unit),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if group(process):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def probe(self, unit: Unit) -> str:
        """The address that the unit waits for."""
        (address,) = ADDRESS.findall(self.command(unit, "ExecStartPost")[-1])
        return str(address)


@pytest.fixture
def host(stack: Stack, services: Services, tmp_path: Path) -> Host:
    etc, home = tmp_path / "etc", tmp_path / "dagster"
    for folder in (etc / "keys", home):
        folder.mkdir(parents=True)
    for keys in ("api", "dagster", "public"):
        (etc / "keys" / keys).symlink_to(services.settings.key_directory)
    shutil.copyfile(PROJECT / "workspace.yaml", etc / "workspace.yaml")
    shutil.copyfile(PROJECT / "dagster.yaml", home / "dagster.yaml")
    own = dagster.environment(stack.site)
    dagster_env = {name: own[name] for name in units.variables("dagster.env")}
    return Host(
        {
            "/opt/wisqu/venv/bin": str(Path(sys.executable).parent),
            "/etc/wisqu": str(etc),
            "/var/lib/wisqu/dagster": str(home),
            "8400": str(free_port()),
            "3000": str(free_port()),
        },
        {
            "/etc/wisqu/wisqu.env": {CONFIG_VARIABLE: os.environ[CONFIG_VARIABLE]},
            "/etc/wisqu/dagster.env": dagster_env,
        },
    )


def group(process: "subprocess.Popen[bytes]") -> list[int]:
    """Who lives in a process's group, itself among them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[2]) == process.pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def ready(process: "subprocess.Popen[bytes]", address: str) -> bool:
    assert process.poll() is None, f"it ended with {process.returncode}"
    try:
        return httpx.get(address, timeout=5).is_success
    except httpx.TransportError:
        return False


def stop(unit: Unit, process: "subprocess.Popen[bytes]") -> None:
    """What systemd does to a unit that has no command for it: everyone in it gets SIGTERM."""
    assert not unit.all("ExecStop")
    assert not unit.all("KillSignal")
    assert not unit.all("KillMode")
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(unit.stop_seconds) in CLEAN
    wait_until(lambda: not group(process), unit.stop_seconds, f"nothing is left of {unit.name}")


def status(stack: Stack, run: str) -> str:
    """Of a run, in Dagster's own database."""
    (found,) = stack.connection(stack.site.declared.dagster_database).execute(STATUS, (run,)).fetchone() or (None,)
    return str(found)


def test_they_start_are_ready_and_stop_and_a_run_in_progress_goes_on_to_its_end(stack: Stack, host: Host) -> None:
    api, daemon, webserver = (
        units.services()[name] for name in ("wisqu-api", "wisqu-dagster-daemon", "wisqu-dagster-webserver")
    )
    with ExitStack() as running:
        processes = {unit.name: running.enter_context(host.started(unit)) for unit in (webserver, daemon, api)}
        for unit in (api, webserver):
            process, address = processes[unit.name], host.probe(unit)
            wait_until(partial(ready, process, address), READY_SECONDS, f"{unit.name} is ready")
        url = host.probe(webserver).removesuffix("/server_info")

        def ask(query: str, **values: object) -> Any:
            return httpx.post(f"{url}/graphql", json={"query": query, "variables": values}, timeout=60).json()["data"]

        def daemon_is_healthy() -> bool:
            statuses = ask(HEALTHY)["instance"]["daemonHealth"]["allDaemonStatuses"]
            return all(each["healthy"] for each in statuses if each["required"])

        wait_until(daemon_is_healthy, READY_SECONDS, "the daemon works")
        launched = ask(LAUNCH, job=JOB)["launchRun"]
        run = launched["run"]["id"]

        wait_until(lambda: status(stack, run) in {"STARTING", "STARTED"}, READY_SECONDS, "the run has begun")
        main = processes[daemon.name]
        stopping = subprocess.Popen(
            host.command(daemon, "ExecStop"), env={**host.environment(daemon), "MAINPID": str(main.pid)}
        )
        for unit in (webserver, api):
            stop(unit, processes[unit.name])
        assert main.wait(daemon.stop_seconds) in CLEAN
        assert stopping.wait(daemon.stop_seconds) == 0
        assert group(main) == [], "systemd has nobody left to end"
        assert status(stack, run) == "SUCCESS"
