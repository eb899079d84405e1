"""Qdrant: one small server on Qdrant's own engine for each environment, each with its own API key."""

import sys
from pathlib import Path

from wisqu_pipelines.devstack.layout import write_private
from wisqu_pipelines.devstack.ports import HOST
from wisqu_pipelines.devstack.probes import http_ok
from wisqu_pipelines.devstack.service import Service
from wisqu_pipelines.devstack.site import Site

SERVER_MODULE = "wisqu_pipelines.devstack.qdrant_edge"


def name(environment: str) -> str:
    """The name of an environment's server, of its port and of its API key."""
    return f"qdrant-{environment}"


def service(site: Site, environment: str) -> Service:
    """An environment's server."""
    own = name(environment)
    data = _data(site, environment)
    return Service(
        name=own,
        command=(
            *(sys.executable, "-m", SERVER_MODULE, "--host", HOST, "--port", str(site.ports[own])),
            *("--data", str(data), "--api-key-file", str(_key_file(site, environment))),
        ),
        address=site.address(own),
        ports=(own,),
        is_ready=lambda: http_ok(site.ports[own], "/readyz"),
        folder=data,
        stop_seconds=15,
    )


def prepare(site: Site, environment: str) -> None:
    """Make an environment's folder and write its API key."""
    site.layout.private_folder(site.layout.private / "qdrant")
    site.layout.private_folder(_data(site, environment))
    write_private(_key_file(site, environment), site.credentials.text(name(environment)))


def _data(site: Site, environment: str) -> Path:
    return site.layout.data / name(environment)


def _key_file(site: Site, environment: str) -> Path:
    return site.layout.private / "qdrant" / f"{environment}.key"
