"""Starting, stopping, dying and starting again."""

import io
import json
import os
import random
import signal
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from minio import Minio
from qdrant_client import QdrantClient, models
from redis import Redis

from tests.devstack.commands import END_SECONDS, Commands, wait_until
from tests.fixtures.stack import declared_in, temporary_directory
from wisqu_pipelines.devstack import inspection, ports
from wisqu_pipelines.devstack.supervisor import Supervisor
from wisqu_pipelines.errors import StackFailed
from wisqu_pipelines.settings import EnvironmentSettings

STORES = {"postgres", "seaweedfs", "valkey", "qdrant-dev", "qdrant-stage", "qdrant-prod"}
PORTS = 15
POINT = UUID("6f0c7f0e-5a2f-4f0e-8f57-0d6c3b1f2a11")

pytestmark = pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")


class Probe:
    """One value in each kind of store of an environment."""

    def __init__(self, environment: EnvironmentSettings, bucket: str) -> None:
        self.bucket = environment.get_bucket_name(bucket)
        store, cache, index = environment.object_store, environment.cache, environment.vector_index
        self.objects = Minio(store.endpoint, store.access_key, store.secret_key.get_secret_value(), secure=False)
        self.vectors = QdrantClient(url=index.url, api_key=index.api_key.get_secret_value(), check_compatibility=False)
        self.database = environment.database
        self.cache = Redis(
            host=cache.host,
            port=cache.port,
            db=cache.databases.sessions,
            username=cache.username,
            password=cache.password.get_secret_value(),
        )

    def write(self) -> None:
        self.objects.make_bucket(self.bucket)
        with self._connect() as connection:
            connection.execute("CREATE TABLE probe (value text)")
            connection.execute("INSERT INTO probe VALUES ('kept')")
        self.objects.put_object(self.bucket, "probe", io.BytesIO(b"kept" * 100_000), 400_000)
        self.vectors.create_collection("probe", models.VectorParams(size=2, distance=models.Distance.DOT))
        self.vectors.upsert("probe", [models.PointStruct(id=str(POINT), vector=[0.25, 0.5], payload={"a": "kept"})])
        self.cache.set("probe", b"kept")

    def check(self) -> None:
        with self._connect() as connection:
            assert connection.execute("SELECT value FROM probe").fetchall() == [("kept",)]
        response = self.objects.get_object(self.bucket, "probe")
        assert response.read() == b"kept" * 100_000
        response.release_conn()
        (point,) = self.vectors.retrieve("probe", [str(POINT)], with_vectors=True)
        assert (point.vector, point.payload) == ([0.25, 0.5], {"a": "kept"})
        assert self.cache.get("probe") == b"kept"

    def close(self) -> None:
        self.vectors.close()
        self.cache.close()

    def _connect(self) -> psycopg.Connection[tuple[str]]:
        database = self.database
        assert database.owner_user is not None
        assert database.owner_password is not None
        return psycopg.connect(
            host=database.host,
            port=database.port,
            dbname=database.name,
            user=database.owner_user,
            password=database.owner_password.get_secret_value(),
        )


def probes(commands: Commands) -> list[Probe]:
    settings = commands.settings()
    return [Probe(each, settings.default_bucket) for each in settings.environments.values()]


def written(commands: Commands) -> dict[str, bytes]:
    """What the stack keeps from start to start: its secrets, its ports, and so its settings."""
    return {name: (commands.directory / "stack" / name).read_bytes() for name in ("secrets.json", "settings.toml")}


def interrupt(commands: Commands, supervisor: int) -> int:
    """As Ctrl-C does it: a signal to the whole group. Everything ends in order."""
    assert commands.sockets()
    os.killpg(supervisor, signal.SIGINT)
    return 0


def kill_supervisor(_: Commands, supervisor: int) -> int:
    """Only the kernel is left to end the services."""
    os.kill(supervisor, signal.SIGKILL)
    return -signal.SIGKILL


def kill_everything(commands: Commands, supervisor: int) -> int:
    """In one blow, so that nobody removes a pid file."""
    for pid in (supervisor, *commands.state["processes"].values()):
        os.kill(pid, signal.SIGKILL)
    return -signal.SIGKILL


@pytest.mark.parametrize("ending", [interrupt, kill_supervisor, kill_everything])
def test_no_process_stays_and_a_restart_finds_everything_as_it_was(
    commands: Commands, ending: Callable[[Commands, int], int]
) -> None:
    """Nothing that was acknowledged is lost; ports and secrets are the same."""
    supervisor = commands.up()
    before = written(commands)
    for probe in probes(commands):
        probe.write()
        probe.close()

    code = ending(commands, supervisor.pid)
    assert supervisor.wait(END_SECONDS) == code
    wait_until(lambda: not commands.processes(), END_SECONDS, "no process is left")
    if ending is interrupt:
        assert commands.sockets() == []
        assert "database system is shut down" in (commands.directory / "log" / "postgres.log").read_text()

    commands.up()
    assert written(commands) == before
    for probe in probes(commands):
        probe.check()
        probe.close()
    assert inspection.look(commands.declared()).healthy


def test_a_stop_while_it_starts_leaves_nothing(commands: Commands) -> None:
    supervisor = commands.start()
    wait_until(lambda: len(commands.processes()) > 2, END_SECONDS, "some services run")
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(END_SECONDS) == 0
    assert commands.processes() == {}


def free_base(start: int) -> int:
    """The first of so many free ports. Each test looks in a range of its own, and anywhere in it: tests run side by
    side, and the ports of one that is about to start are still free.
    """
    bases = random.sample(range(start, start + 5_000, 50), 100)
    return next(base for base in bases if all(map(ports.is_free, range(base, base + PORTS))))


def test_up_status_down(commands: Commands) -> None:
    """`up --detach` returns with everything healthy, a second one is refused, and nobody else sees what is private."""
    base = free_base(20_000)
    up = commands.run("up", "--detach", "--no-dagster", "--port-base", str(base), "--json")
    assert up.returncode == 0, up.stderr
    view = json.loads(up.stdout)
    assert view["healthy"]
    assert {each["name"] for each in view["services"]} == STORES
    assert sorted(json.loads((commands.directory / "stack" / "ports.json").read_text()).values()) == list(
        range(base, base + PORTS)
    )

    second = commands.run("up")
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert f"is up already (process {view['supervisor']})" in second.stderr
    status = commands.run("status")
    assert status.returncode == 0
    assert status.stdout.count("healthy") == len(STORES)
    check_that_secrets_are_kept(commands)

    down = commands.run("down")
    assert (down.returncode, down.stdout) == (0, "The embedded stack is down.\n")
    assert commands.processes() == {}
    assert commands.run("status").returncode == 1
    assert commands.run("down").stdout == "The embedded stack was not up.\n"
    assert json.loads(commands.run("down", "--json").stdout) == {"done": "nothing"}


def test_taken_ports_are_named(commands: Commands) -> None:
    """Nothing is started, and the one line says which port is meant."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = commands.run("up", "--no-dagster", "--port-base", str(port))
        detached = commands.run("up", "--no-dagster", "--port-base", str(port), "--detach")
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        f"failed: The embedded stack could not choose ports: taken already: {port} (dagster)"
    )
    assert refused.stderr.count("\n") == 1
    assert detached.returncode == 1
    assert detached.stderr.startswith(
        f"failed: The embedded stack could not start: it could not choose ports: taken already: {port} (dagster)"
    )
    assert commands.processes() == {}


def test_a_fixed_port_that_is_lost_at_the_last_moment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    base = free_base(25_000)
    choose = ports.Ports.choose
    with ExitStack() as others, temporary_directory() as directory, declared_in(directory) as declared:

        def lose_one(
            self: ports.Ports, names: Sequence[str], *, base: int | None, preferred: Mapping[str, int]
        ) -> None:
            choose(self, names, base=base, preferred=preferred)
            others.enter_context(socket.create_server((ports.HOST, self["valkey"])))

        monkeypatch.setattr(ports.Ports, "choose", lose_one)
        with pytest.raises(StackFailed, match=r"another program took \d+ \(valkey\) meanwhile; try again"):
            Supervisor(declared, port_base=base, with_dagster=False, durable=False).start()


def check_that_secrets_are_kept(commands: Commands) -> None:
    secrets = json.loads((commands.directory / "stack" / "secrets.json").read_text())
    assert len(secrets) > 20
    assert len(set(secrets.values())) == len(secrets)
    assert min(map(len, secrets.values())) >= 40
    seen = {f"arguments of {pid}": line for pid, line in commands.processes().items()}
    seen |= {str(log): log.read_text(errors="replace") for log in (commands.directory / "log").iterdir()}
    for where, text in seen.items():
        assert [name for name, value in secrets.items() if value in text] == [], where
    private = commands.directory / "stack"
    for path in (private, *private.rglob("*")):
        if not path.is_socket():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    for folder in (commands.directory / "log", *(commands.directory / "data").iterdir()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    holding = [path for path in files(commands.directory) if any(value in path for value in secrets.values())]
    assert holding == []


def files(directory: Path) -> list[str]:
    return [str(path) for path in directory.rglob("*")]


def test_a_service_that_dies_is_started_again_and_given_up_when_it_goes_on_dying(commands: Commands) -> None:
    supervisor = commands.up()
    for times in range(1, 4):
        pid = commands.state["processes"]["valkey"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: commands.said.count("valkey is ready") > times, END_SECONDS, "it is up again")  # noqa: B023
        wait_until(lambda: commands.state["phase"] == "up", END_SECONDS, "the supervisor says so")
        assert commands.state["processes"]["valkey"] != pid
    assert inspection.look(commands.declared()).healthy

    os.kill(commands.state["processes"]["valkey"], signal.SIGKILL)
    assert supervisor.wait(END_SECONDS) == 1
    assert commands.processes() == {}
    last = commands.said.strip().splitlines()[-1]
    assert last.startswith(
        "failed: The embedded stack could not keep valkey running: it ended with code -9; valkey.log ends:"
    )
