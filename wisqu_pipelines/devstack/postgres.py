"""Postgres: one server on loopback, no socket file, passwords by SCRAM only."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from wisqu_pipelines.devstack import packages
from wisqu_pipelines.devstack.layout import PRIVATE_FILE, PRIVATE_FOLDER
from wisqu_pipelines.devstack.ports import HOST
from wisqu_pipelines.devstack.probes import SECONDS
from wisqu_pipelines.devstack.service import Service, launched
from wisqu_pipelines.devstack.site import Site
from wisqu_pipelines.errors import StackFailed

PORT = "postgres"
ADMIN = "wisqu_admin"
"""The superuser. Its password lies with the other secrets; only the stack itself and the tests use it."""
MAINTENANCE_DATABASE = "postgres"
UNPRIVILEGED_USER = "nobody"
"""As whom Postgres runs when the stack is started by root, which it refuses to be."""
INITDB_SECONDS = 120
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    # Stretching is for passwords that people choose; these are 256 random bits, and it would take 3 ms a connection.
    "scram_iterations": "16",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
"""What is committed is with the kernel, so it outlives the server's processes, though not the machine."""


def service(site: Site) -> Service:
    """The server."""
    settings = {**SETTINGS, **({} if site.durable else NOT_DURABLE), "port": str(site.ports[PORT])}
    data = _data(site)
    programs = packages.postgres_programs()
    return Service(
        name="postgres",
        command=(
            str(programs / "postgres"),
            *("-D", str(data)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ),
        address=site.address(PORT),
        ports=(PORT,),
        is_ready=lambda: _is_ready(site),
        folder=site.layout.root,
        stop_signal=signal.SIGINT,  # ends sessions and writes everything down; SIGTERM would wait for the sessions
        stop_seconds=20,
        uid=_uid(),
        keep_paths=_is_closed(data, programs),
    )


def prepare(site: Site) -> None:
    """Make the server's files if there are none, and remove what a killed server left.

    Raises:
        StackFailed: `initdb` failed.
    """
    data = _data(site)
    if (data / "PG_VERSION").exists():
        # Nothing of an earlier stack is alive (see locks.py), so this file can only mislead: its number may be reused.
        (data / "postmaster.pid").unlink(missing_ok=True)
        return
    new = data.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    password = data.with_name("postgres.password")
    try:
        _give(new, password)
        password.write_text(site.credentials.text(ADMIN), encoding="utf-8")
        _run_initdb(site, new, password)
    finally:
        password.unlink(missing_ok=True)
    new.rename(data)


def connect(site: Site, database: str = MAINTENANCE_DATABASE) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection as the superuser, each statement on its own."""
    return psycopg.connect(
        host=HOST,
        port=site.ports[PORT],
        dbname=database,
        user=ADMIN,
        password=site.credentials.text(ADMIN),
        connect_timeout=int(SECONDS),
        autocommit=True,
    )


def _is_ready(site: Site) -> bool:
    try:
        with connect(site):
            return True
    except psycopg.OperationalError:
        return False


def _data(site: Site) -> Path:
    return site.layout.data / "postgres"


def _uid() -> int | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(UNPRIVILEGED_USER).pw_uid
    except KeyError:
        cause = f"it refuses to run as root, and there is no user '{UNPRIVILEGED_USER}' to run it as"
        raise StackFailed(act="start postgres", cause=cause) from None


def _is_closed(*paths: Path) -> bool:
    """Whether one of the paths lies below a folder that other users may not enter."""
    return _uid() is not None and any(not parent.stat().st_mode & 0o001 for path in paths for parent in path.parents)


def _give(folder: Path, file: Path) -> None:
    """Make a folder and an empty file that belong to the server's user and open to nobody else."""
    uid = _uid()
    folder.mkdir(mode=PRIVATE_FOLDER)
    file.unlink(missing_ok=True)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    if uid is not None:
        os.chown(folder, uid, uid)
        os.chown(file, uid, uid)


def _run_initdb(site: Site, folder: Path, password: Path) -> None:
    programs = packages.postgres_programs()
    command = [str(programs / "initdb"), "-D", str(folder), "-U", ADMIN, f"--pwfile={password}"]
    command += ["-c", f"scram_iterations={SETTINGS['scram_iterations']}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    command += ["--builtin-locale=C.UTF-8", "--no-instructions", *([] if site.durable else ["--no-sync"])]
    result = subprocess.run(
        launched(command, stop_signal=signal.SIGKILL, uid=_uid(), keep_paths=_is_closed(folder, programs)),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INITDB_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise StackFailed(act="make Postgres's files", cause=result.stderr.strip().replace("\n", " | "))
