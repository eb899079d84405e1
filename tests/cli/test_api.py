"""`wisqu api`, served as people serve it."""

import json
import signal
import socket
import time

import httpx

from tests.cli.conftest import Wisqu
from tests.cli.processes import wisqu_process
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN

PASSWORD = "correct horse battery staple"
SECONDS = 60


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_it_answers_over_http_and_ends_when_it_is_asked_to(wisqu: Wisqu, services: Services) -> None:
    assert wisqu("users", "password", ADMIN, "--password-stdin", "--as", SUPERADMIN, stdin=PASSWORD).code == 0
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with wisqu_process("api", "--port", port) as process:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and process.poll() is None:
            try:
                assert httpx.get(f"{address}/health/live").json() == {"live": True}
                break
            except httpx.TransportError:
                time.sleep(0.1)
        given = httpx.post(f"{address}/v1/login", json={"email": ADMIN, "password": PASSWORD})
        assert given.status_code == 200, given.text
        headers = {"Authorization": f"Bearer {given.json()['access_token']}"}
        assert len(httpx.get(f"{address}/v1/environments", headers=headers).json()) == len(services.environments)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, printed) == (0, "")
    lines = [json.loads(line) for line in said.splitlines()]
    assert any(address in line["event"] for line in lines), "where it answers"
    assert {"POST", "GET"} <= {line.get("method") for line in lines}
    assert PASSWORD not in said
    assert given.json()["access_token"] not in said
