"""The stack's parts, in the order in which they are started."""

from collections.abc import Iterator

from wisqu_pipelines.devstack import api, dagster, postgres, qdrant, seaweedfs, valkey
from wisqu_pipelines.devstack.credentials import Credentials
from wisqu_pipelines.devstack.declaration import Declaration
from wisqu_pipelines.devstack.ports import Ports
from wisqu_pipelines.devstack.service import Service
from wisqu_pipelines.devstack.site import Site


def site(declared: Declaration, *, durable: bool = True) -> Site:
    """What is known of a stack; its folders must be there."""
    private = declared.layout.private
    return Site(declared, Ports(private / "ports.json"), Credentials(private / "secrets.json"), durable)


def port_names(declared: Declaration) -> tuple[str, ...]:
    """Every port that the stack needs, in the order in which a fixed range is given out."""
    servers = (qdrant.name(each.name) for each in declared.environments)
    return (dagster.PORT, postgres.PORT, seaweedfs.S3_PORT, valkey.PORT, *servers, *seaweedfs.PORTS[1:], api.PORT)


def stores(site: Site) -> Iterator[Service]:
    """Make ready and name each store, the slowest to start first."""
    seaweedfs.prepare(site)
    yield seaweedfs.service(site)
    for environment in site.declared.environments:
        qdrant.prepare(site, environment.name)
        yield qdrant.service(site, environment.name)
    valkey.prepare(site)
    yield valkey.service(site)
    postgres.prepare(site)
    yield postgres.service(site)


def all_services(site: Site, *, with_dagster: bool) -> Iterator[Service]:
    """Name every service, and prepare none."""
    yield postgres.service(site)
    yield seaweedfs.service(site)
    yield valkey.service(site)
    for environment in site.declared.environments:
        yield qdrant.service(site, environment.name)
    if with_dagster:
        yield from dagster.services(site)
        yield api.service(site)
