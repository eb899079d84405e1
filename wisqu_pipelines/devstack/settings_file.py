"""The settings that the stack writes: addresses and secrets of what it started, to be merged over `wisqu.toml`."""

from typing import Any

from wisqu_pipelines.devstack import api, dagster, databases, postgres, qdrant, seaweedfs, toml, valkey
from wisqu_pipelines.devstack.layout import write_private
from wisqu_pipelines.devstack.ports import HOST
from wisqu_pipelines.devstack.seaweedfs import Account
from wisqu_pipelines.devstack.site import Site
from wisqu_pipelines.settings import path_name

HEADER = "# Written by `wisqu up` at every start. It holds secrets: keep it to yourself.\n"


def write(site: Site) -> None:
    """Write the file, readable by nobody else."""
    write_private(site.layout.settings_file, HEADER + toml.dumps(_values(site)))


def _values(site: Site) -> dict[str, Any]:
    declared = site.declared
    return {
        "control": {"database": _database(site, declared.control_database)},
        "identity": {"limits": _cache(site, valkey.IDENTITY)},
        "dagster": {"port": site.ports[dagster.PORT]},
        "api": {"port": site.ports[api.PORT], "url": api.url(site)},
        "environments": {
            each.name: {
                "database": _database(site, each.database),
                "object_store": _object_store(site, seaweedfs.environment_account(each.name)),
                "vector_index": {
                    "url": f"http://{site.address(qdrant.name(each.name))}",
                    "api_key": site.credentials.text(qdrant.name(each.name)),
                },
                "cache": _cache(site, each.name),
            }
            for each in declared.environments
        },
        "paths": {
            path_name(source, target): {"transfer": _keys(site, seaweedfs.transfer_account(source, target))}
            for source, target in declared.paths
        },
    }


def _database(site: Site, name: str) -> dict[str, Any]:
    owner, working = databases.owner_role(name), databases.app_role(name)
    return {
        "host": HOST,
        "port": site.ports[postgres.PORT],
        "ssl_mode": "disable",
        "user": working,
        "password": site.credentials.text(working),
        "owner_user": owner,
        "owner_password": site.credentials.text(owner),
    }


def _cache(site: Site, name: str) -> dict[str, Any]:
    return {
        "host": HOST,
        "port": site.ports[valkey.PORT],
        "username": valkey.user(name),
        "password": site.credentials.text(valkey.secret_name(name)),
    }


def _object_store(site: Site, account: Account) -> dict[str, Any]:
    return {
        "endpoint": site.address(seaweedfs.S3_PORT),
        "secure": False,
        "region": seaweedfs.REGION,
        **_keys(site, account),
    }


def _keys(site: Site, account: Account) -> dict[str, Any]:
    return {"access_key": account.access_key, "secret_key": site.credentials.text(seaweedfs.secret_name(account))}
