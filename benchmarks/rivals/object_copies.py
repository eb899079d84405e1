"""Copies of a bucket's objects into another one, as the well-known tools make them."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minio import Minio
from minio.commonconfig import CopySource

from wisqu_pipelines.settings import ObjectStoreSettings

AT_ONCE = 16


def s5cmd(account: ObjectStoreSettings, source: str, target: str) -> None:
    """`s5cmd cp`, as it comes: 256 workers."""
    variables = {
        "AWS_ACCESS_KEY_ID": account.access_key,
        "AWS_SECRET_ACCESS_KEY": account.secret_key.get_secret_value(),
        "AWS_REGION": account.region,
    }
    _run(["s5cmd", "--endpoint-url", _url(account), "cp", f"s3://{source}/*", f"s3://{target}/"], variables)


def rclone(account: ObjectStoreSettings, source: str, target: str) -> None:
    """`rclone copy` with 16 transfers, within one account: the server copies."""
    variables = _remote("ONE", account)
    _run(
        ["rclone", "copy", f"--transfers={AT_ONCE}", f"--checkers={AT_ONCE}", f"one:{source}", f"one:{target}"],
        variables,
    )


def rclone_between(here: ObjectStoreSettings, there: ObjectStoreSettings, source: str, target: str) -> None:
    """`rclone copy` with 16 transfers from one account to another: the bytes pass through it."""
    variables = _remote("ONE", here) | _remote("OTHER", there)
    _run(
        ["rclone", "copy", f"--transfers={AT_ONCE}", f"--checkers={AT_ONCE}", f"one:{source}", f"other:{target}"],
        variables,
    )


def minio(account: ObjectStoreSettings, source: str, target: str) -> None:
    """The `minio` SDK with 16 threads."""
    client = Minio(
        account.endpoint,
        account.access_key,
        account.secret_key.get_secret_value(),
        secure=account.secure,
        region=account.region,
    )
    keys = [each.object_name for each in client.list_objects(source, recursive=True)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda key: client.copy_object(target, key, CopySource(source, key)), keys))


def _remote(name: str, account: ObjectStoreSettings) -> dict[str, str]:
    options = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ACCESS_KEY_ID": account.access_key,
        "SECRET_ACCESS_KEY": account.secret_key.get_secret_value(),
        "ENDPOINT": _url(account),
        "REGION": account.region,
        "NO_CHECK_BUCKET": "true",
    }
    return {f"RCLONE_CONFIG_{name}_{option}": value for option, value in options.items()}


def _run(command: list[str], variables: dict[str, str]) -> None:
    tool = shutil.which(command[0], path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if tool is None:
        raise RuntimeError(f"{command[0]} is not installed: it belongs to the group 'dev'")
    environment = {**os.environ, "RCLONE_CONFIG": os.devnull, **variables}
    subprocess.run([tool, *command[1:]], env=environment, check=True, stdout=subprocess.DEVNULL)


def _url(account: ObjectStoreSettings) -> str:
    return f"{'https' if account.secure else 'http'}://{account.endpoint}"
