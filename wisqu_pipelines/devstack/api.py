"""The REST API with the page for approvers."""

import sys

from wisqu_pipelines.devstack.ports import HOST
from wisqu_pipelines.devstack.probes import http_ok
from wisqu_pipelines.devstack.service import Service
from wisqu_pipelines.devstack.site import Site
from wisqu_pipelines.settings import CONFIG_VARIABLE, DELIMITER, PREFIX

PORT = "api"
START_SECONDS = 60


def url(site: Site) -> str:
    """Where people and programs find it."""
    return f"http://{site.address(PORT)}"


def service(site: Site) -> Service:
    """The process that serves it."""
    port = site.ports[PORT]
    return Service(
        name="api",
        command=(sys.executable, "-m", "wisqu_pipelines.cli", "api", "--host", HOST, "--port", str(port)),
        address=site.address(PORT),
        ports=(PORT,),
        is_ready=lambda: http_ok(port, "/health/ready"),
        folder=site.declared.project,
        environment={
            CONFIG_VARIABLE: str(site.declared.config),
            f"{PREFIX}STACK{DELIMITER}DIRECTORY": str(site.layout.root),
        },
        start_seconds=START_SECONDS,
    )
