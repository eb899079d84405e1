"""SeaweedFS: one S3 server; each account reaches the buckets of its environment and no others.

The parts behind the S3 door (filer, volumes) ask for a token over HTTP, so nobody walks around the accounts.
"""

import json
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio

from wisqu_pipelines.devstack import packages
from wisqu_pipelines.devstack.layout import write_private
from wisqu_pipelines.devstack.ports import HOST
from wisqu_pipelines.devstack.probes import http_ok
from wisqu_pipelines.devstack.service import Service
from wisqu_pipelines.devstack.site import Site

S3_PORT = "s3"
PARTS = ("master", "volume", "filer")
PORTS = (S3_PORT, "s3-grpc", *(f"seaweedfs-{part}{kind}" for part in PARTS for kind in ("", "-grpc")))
REGION = "us-east-1"
READ = ("Read", "List")
WRITE = ("Read", "List", "Write")
OWN = ("Admin", "Read", "List", "Write", "Tagging")
VOLUME_SIZE_MB = 1_024
VOLUMES = 10_000
"""Each bucket has volumes of its own; they take up what is in them."""
SETTINGS = """\
[jwt.signing]
key = "{volume_write}"
expires_after_seconds = 60
[jwt.signing.read]
key = "{volume_read}"
expires_after_seconds = 60
[jwt.filer_signing]
key = "{filer_write}"
[jwt.filer_signing.read]
key = "{filer_read}"
"""
GROWTH = "[master.volume_growth]\ncopy_1 = 1\n"


@dataclass(frozen=True, slots=True)
class Account:
    """An S3 account."""

    access_key: str
    grants: tuple[tuple[str, tuple[str, ...]], ...]
    """Patterns of bucket names, each with what the account may do there."""


def environment_account(environment: str) -> Account:
    """An environment's own account."""
    return Account(f"wisqu-{environment}", ((f"{environment}-*", OWN),))


def transfer_account(source: str, target: str) -> Account:
    """The account that copies along a promotion path: reads the source's buckets, writes the target's."""
    return Account(f"transfer-{source}-{target}", ((f"{source}-*", READ), (f"{target}-*", WRITE)))


def logs_account(site: Site) -> Account:
    """Dagster's account, for its logs."""
    return Account("dagster", ((site.declared.logs_bucket, OWN),))


def secret_name(account: Account) -> str:
    """Under which name an account's secret key is kept."""
    return f"s3/{account.access_key}"


def service(site: Site) -> Service:
    """The server."""
    folder, data = _folder(site), _data(site)
    options = {
        "dir": str(data),
        "ip": HOST,
        "ip.bind": HOST,
        "master.peers": "none",  # a cluster of one needs no election: that saves a second
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": str(VOLUME_SIZE_MB),
        "volume.max": str(VOLUMES),
        **{f"{part}.port": str(site.ports[f"seaweedfs-{part}"]) for part in PARTS},
        **{f"{part}.port.grpc": str(site.ports[f"seaweedfs-{part}-grpc"]) for part in PARTS},
        "filer": "true",
        "filer.localSocket": "filer.sock",
        "s3": "true",
        "s3.port": str(site.ports[S3_PORT]),
        "s3.port.grpc": str(site.ports["s3-grpc"]),
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
        "s3.iam": "false",
        "s3.config": "identities.json",
        "s3.localSocket": "s3.sock",
    }
    return Service(
        name="seaweedfs",
        command=(str(packages.weed()), "-logtostderr=true", "server", *(f"-{k}={v}" for k, v in options.items())),
        address=site.address(S3_PORT),
        ports=PORTS,
        is_ready=lambda: http_ok(site.ports[S3_PORT], "/healthz"),
        folder=folder,
        # On SIGTERM it waits 15 s for streams between its own parts, while it writes nothing. What it has acknowledged
        # is with the kernel already, and a test checks that a start after a kill finds it.
        stop_signal=signal.SIGKILL,
    )


def prepare(site: Site) -> None:
    """Write its accounts and keys, and remove the sockets that a killed server left."""
    folder = site.layout.private_folder(_folder(site))
    site.layout.private_folder(_data(site))
    accounts = [environment_account(each.name) for each in site.declared.environments]
    accounts += [transfer_account(source, target) for source, target in site.declared.paths]
    accounts.append(logs_account(site))
    write_private(folder / "identities.json", json.dumps({"identities": [_identity(site, each) for each in accounts]}))
    keys = {
        name: site.credentials.text(f"seaweedfs/{name}")
        for name in ("volume_write", "volume_read", "filer_write", "filer_read")
    }
    write_private(folder / "security.toml", SETTINGS.format(**keys))
    write_private(folder / "master.toml", GROWTH)
    remove_sockets(site)


def remove_sockets(site: Site) -> None:
    """Remove the socket files that it makes for itself, outside the stack's folder, at names that no option changes."""
    if site.ports.knows(PORTS):
        for socket in _sockets(site):
            socket.unlink(missing_ok=True)


def ensure_logs_bucket(site: Site) -> None:
    """Make the bucket for Dagster's logs. The environments' buckets are made by whoever sets the environments up."""
    account = logs_account(site)
    client = Minio(
        site.address(S3_PORT),
        access_key=account.access_key,
        secret_key=site.credentials.text(secret_name(account)),
        secure=False,
        region=REGION,
        http_client=urllib3.PoolManager(timeout=10, retries=urllib3.Retry(total=5, backoff_factor=0.2)),
    )
    if not client.bucket_exists(site.declared.logs_bucket):
        client.make_bucket(site.declared.logs_bucket)


def _identity(site: Site, account: Account) -> dict[str, object]:
    return {
        "name": account.access_key,
        "credentials": [
            {"accessKey": account.access_key, "secretKey": site.credentials.text(secret_name(account))},
        ],
        "actions": [f"{action}:{pattern}" for pattern, actions in account.grants for action in actions],
    }


def _sockets(site: Site) -> Iterable[Path]:
    folder = _folder(site)
    yield from (folder / "filer.sock", folder / "s3.sock")
    for part, port in (("s3", "s3-grpc"), *((part, f"seaweedfs-{part}-grpc") for part in PARTS)):
        yield Path(f"/tmp/seaweedfs-{part}-grpc-{site.ports[port]}.sock")  # noqa: S108


def _folder(site: Site) -> Path:
    return site.layout.private / "seaweedfs"


def _data(site: Site) -> Path:
    return site.layout.data / "seaweedfs"
