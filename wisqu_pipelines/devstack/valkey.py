"""Valkey: one Redis server; each environment's user reaches the environment's numbered databases and no others."""

import hashlib
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from wisqu_pipelines.devstack import packages
from wisqu_pipelines.devstack.layout import write_private
from wisqu_pipelines.devstack.ports import HOST
from wisqu_pipelines.devstack.probes import SECONDS
from wisqu_pipelines.devstack.service import Service
from wisqu_pipelines.devstack.site import Site

PORT = "valkey"
IDENTITY = "identity"
"""Whose user counts attempts to log in; no environment's."""
DEFAULT_DATABASES = 16
COMMANDS = (
    *("-@all", "+@connection", "+@read", "+@write", "+@keyspace", "+@transaction"),
    # Scripts and functions are shared by all databases; the rest is for who runs the server.
    *("-@admin", "-@dangerous", "-@scripting"),
)
COUNTING = ("+eval", "+evalsha", "+script|load")
"""What `limits` counts with; its scripts reach no database but its own."""
SETTINGS = """\
bind {host}
port {port}
dir "{data}"
aclfile "{users}"
databases {databases}
appendonly yes
save ""
daemonize no
"""


def user(name: str) -> str:
    """The user of an environment, or of the identity service."""
    return f"wisqu_{name}"


def secret_name(name: str) -> str:
    """Under which name the user's password is kept."""
    return f"valkey/{name}"


def service(site: Site) -> Service:
    """The server."""
    folder = _folder(site)
    return Service(
        name="valkey",
        command=(str(packages.valkey_server()), str(folder / "valkey.conf")),
        address=site.address(PORT),
        ports=(PORT,),
        is_ready=lambda: _is_ready(site),
        folder=folder,
    )


def prepare(site: Site) -> None:
    """Write its settings and its users; the users' file has the passwords' hashes only."""
    folder = site.layout.private_folder(_folder(site))
    data = site.layout.private_folder(site.layout.data / "valkey")
    users = folder / "users.acl"
    declared = site.declared
    numbers = [number for each in declared.environments for number in each.cache_databases]
    numbers.append(declared.identity_cache_database)
    settings = SETTINGS.format(
        host=HOST,
        port=site.ports[PORT],
        data=data,
        users=users,
        databases=max(DEFAULT_DATABASES, max(numbers) + 1),
    )
    write_private(folder / "valkey.conf", settings)
    lines = [
        "user default off",
        *(_acl(site, each.name, each.cache_databases) for each in declared.environments),
        _acl(site, IDENTITY, (declared.identity_cache_database,), COUNTING),
    ]
    write_private(users, "\n".join(lines) + "\n")


def _acl(site: Site, name: str, databases: tuple[int, ...], also: tuple[str, ...] = ()) -> str:
    digest = hashlib.sha256(site.credentials.text(secret_name(name)).encode()).hexdigest()
    numbers = ",".join(str(number) for number in databases)
    rights = f"resetkeys ~* resetchannels resetdbs db={numbers} {' '.join((*COMMANDS, *also))}"
    return f"user {user(name)} on #{digest} {rights}"


def _is_ready(site: Site) -> bool:
    first = site.declared.environments[0]
    client = Redis(
        host=HOST,
        port=site.ports[PORT],
        db=first.cache_databases[0],
        username=user(first.name),
        password=site.credentials.text(secret_name(first.name)),
        socket_timeout=SECONDS,
        socket_connect_timeout=SECONDS,
    )
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()


def _folder(site: Site) -> Path:
    return site.layout.private / "valkey"
