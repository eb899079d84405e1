"""Dagster: its webserver and its daemon. Only these two know the credentials of Dagster's own database and logs."""

import http.client
import json
import shutil
import sys
import time
from pathlib import Path

from sqlalchemy import URL

from wisqu_pipelines.devstack import databases, postgres, seaweedfs
from wisqu_pipelines.devstack.ports import HOST
from wisqu_pipelines.devstack.probes import SECONDS, http_ok
from wisqu_pipelines.devstack.service import Service
from wisqu_pipelines.devstack.site import Site
from wisqu_pipelines.errors import StackFailed
from wisqu_pipelines.settings import CONFIG_VARIABLE, DELIMITER, PREFIX

PORT = "dagster"
INSTANCE_FILE = "dagster.yaml"
WORKSPACE_FILE = "workspace.yaml"
START_SECONDS = 180
STOP_SECONDS = 15
HEARTBEAT_SECONDS = 60
HEALTH_QUERY = (
    "{instance{daemonHealth{allDaemonStatuses{required healthy lastHeartbeatTime}}}"
    "workspaceOrError{...on Workspace{locationEntries{locationOrLoadError{__typename}}}}}"
)


def url(site: Site) -> str:
    """Where people find the UI."""
    return f"http://{site.address(PORT)}"


def services(site: Site) -> tuple[Service, Service]:
    """The webserver and the daemon."""
    workspace = str(site.declared.project / WORKSPACE_FILE)
    return (
        _service(
            site,
            "dagster-webserver",
            ("-m", "dagster_webserver", "-h", HOST, "-p", str(site.ports[PORT]), "-w", workspace),
            webserver=True,
        ),
        _service(site, "dagster-daemon", ("-m", "dagster._daemon", "run", "-w", workspace), webserver=False),
    )


def prepare(site: Site) -> None:
    """Put the instance's settings where Dagster looks for them.

    Raises:
        StackFailed: the project has no such file.
    """
    for needed in (INSTANCE_FILE, WORKSPACE_FILE):
        if not (site.declared.project / needed).exists():
            cause = f"there is no {needed} beside {site.declared.config.name} (--no-dagster starts the stores alone)"
            raise StackFailed(act="start Dagster", cause=cause)
    site.layout.dagster_home.mkdir(exist_ok=True)
    shutil.copyfile(site.declared.project / INSTANCE_FILE, site.layout.dagster_home / INSTANCE_FILE)


def environment(site: Site) -> dict[str, str]:
    """The variables with which a process reaches this Dagster instance and the project's settings."""
    database = site.declared.dagster_database
    owner = databases.owner_role(database)
    storage = URL.create(
        "postgresql+psycopg2", owner, site.credentials.text(owner), HOST, site.ports[postgres.PORT], database
    )
    logs = seaweedfs.logs_account(site)
    return {
        "DAGSTER_HOME": str(site.layout.dagster_home),
        CONFIG_VARIABLE: str(site.declared.config),
        f"{PREFIX}STACK{DELIMITER}DIRECTORY": str(site.layout.root),
        f"{PREFIX}DAGSTER_POSTGRES_URL": storage.render_as_string(hide_password=False),
        f"{PREFIX}DAGSTER_LOGS_ENDPOINT": f"http://{site.address(seaweedfs.S3_PORT)}",
        "AWS_ACCESS_KEY_ID": logs.access_key,
        "AWS_SECRET_ACCESS_KEY": site.credentials.text(seaweedfs.secret_name(logs)),
    }


def _service(site: Site, name: str, arguments: tuple[str, ...], *, webserver: bool) -> Service:
    return Service(
        name=name,
        command=(sys.executable, *arguments),
        address=site.address(PORT) if webserver else "",
        ports=(PORT,) if webserver else (),
        is_ready=(lambda: http_ok(site.ports[PORT], "/server_info")) if webserver else (lambda: _can_run(site)),
        folder=_project(site),
        environment=environment(site),
        stop_seconds=STOP_SECONDS,
        start_seconds=START_SECONDS,
        leashed=True,  # code servers and runs are processes of their own
    )


def _project(site: Site) -> Path:
    return site.declared.project


def _can_run(site: Site) -> bool:
    """Whether the code location is loaded, and each of the daemon's threads has reported lately."""
    connection = http.client.HTTPConnection(HOST, site.ports[PORT], timeout=SECONDS)
    try:
        body = json.dumps({"query": HEALTH_QUERY})
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = json.load(connection.getresponse())["data"]
        statuses = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
        locations = [each["locationOrLoadError"] for each in answer["workspaceOrError"]["locationEntries"]]
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()
    oldest = time.time() - HEARTBEAT_SECONDS
    if not locations or any(each is None or each["__typename"] != "RepositoryLocation" for each in locations):
        return False
    required = [each for each in statuses if each["required"]]
    return bool(required) and all(each["healthy"] and (each["lastHeartbeatTime"] or 0) > oldest for each in required)
