"""No secret is written down: what the settings and people hold as secrets is looked for in everything that is kept."""

import base64
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from dagster import DagsterInstance
from fastapi.testclient import TestClient
from sqlalchemy import ColumnElement, inspect, literal_column, select, table

from tests.dagster.conftest import World
from wisqu_pipelines import definitions
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.api.logs import log_as_json
from wisqu_pipelines.bootstrap import Services, check_stores
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.identity.demo_people import SUPERADMIN
from wisqu_pipelines.settings import load

PASSWORD, WRONG = "a canary that sings at night", "a canary that sings by day"
REASON = "Looking into issue 4711"
EMAIL = "eve@example.org"
SHORTEST = 8
"""A shorter one would be found by chance."""


@pytest.fixture
def log(services: Services) -> Iterator[None]:
    """The API's log as it is in operation."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    log_as_json(services.settings.secrets())
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def world(services: Services, tmp_path: Path) -> Iterator[World]:
    """A world whose Dagster keeps everything in files."""
    home = tmp_path / "dagster"
    home.mkdir()
    with DagsterInstance.local_temp(str(home)) as instance:
        yield World(services, definitions.wisqu_pipelines(), instance)


def rows(database: Database) -> str:
    """Everything in a database, as text."""
    with database.begin() as session:
        whole: ColumnElement[str] = literal_column("a_row.*::text")
        names = inspect(session.connection()).get_table_names()
        return "\n".join(
            found for name in names for found in session.scalars(select(whole).select_from(table(name).alias("a_row")))
        )


def written(secret: str) -> set[bytes]:
    """A secret in the spellings in which it may be written."""
    return {
        secret.encode(),
        quote(secret, safe="").encode(),
        base64.b64encode(secret.encode()),
        secret.encode().hex().encode(),
    }


@pytest.mark.usefixtures("log")
def test_no_secret_is_written_down(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    services, said = world.services, []
    planted = set(services.settings.secrets()) | {PASSWORD, WRONG}

    # people
    services.people.create(EMAIL, None, PASSWORD, SUPERADMIN, REASON)
    for environment in ("dev", "stage"):
        services.people.grant(EMAIL, environment, "developer", SUPERADMIN, REASON)
    with TestClient(create_app(services), raise_server_exceptions=False) as client:

        def post(path: str, body: dict[str, object], token: str = "") -> dict[str, str]:
            answer = client.post(f"/v1{path}", json=body, headers={"Authorization": f"Bearer {token}"})
            if answer.is_error:
                said.append(answer.text)
            given: dict[str, str] = answer.json()
            return given

        post("/login", {"email": EMAIL, "password": WRONG})
        post("/login", {"email": EMAIL, "password": PASSWORD, "more": WRONG})
        login = post("/login", {"email": EMAIL, "password": PASSWORD})
        token = login["access_token"]
        entered = post("/environment-token", {"environment": "stage", "reason": REASON}, token)
        account = post("/environments/stage/developer/test-accounts", {"reason": REASON, "expires_in_hours": 2}, token)
        fresh = post("/refresh", {"refresh_token": login["refresh_token"]})
        post("/refresh", {"refresh_token": login["refresh_token"]})
        planted |= {token, login["refresh_token"], fresh["access_token"], fresh["refresh_token"]}
        planted |= {entered["token"], account["password"]}

    # runs that succeed, and runs that fail in every store
    folder = tmp_path / "documents"
    folder.mkdir()
    world.add_documents(folder, ["one.txt"])
    promotion = world.preview("rag_documents")
    services.approvals.grant(promotion, SUPERADMIN)
    for variable, value in (
        ("WISQU_ENVIRONMENTS__STAGE__DATABASE__PORT", "9"),
        ("WISQU_ENVIRONMENTS__STAGE__DATABASE__PASSWORD", WRONG),
        ("WISQU_ENVIRONMENTS__STAGE__OBJECT_STORE__SECRET_KEY", WRONG),
        ("WISQU_ENVIRONMENTS__STAGE__VECTOR_INDEX__API_KEY", WRONG),
        ("WISQU_ENVIRONMENTS__STAGE__CACHE__PASSWORD", WRONG),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            assert variable in os.environ
            failed = world.run("promotion_execute", "execute_promotion", {"promotion_id": str(promotion)})
            assert not failed.success, variable
            said += [str(state) for state in check_stores(load())]
    assert world.run("promotion_execute", "execute_promotion", {"promotion_id": str(promotion)}).success

    # what is kept of all that
    kept = {f"answers: {number}": each.encode() for number, each in enumerate(said)}
    kept["logs"] = "".join(capsys.readouterr()).encode()
    kept |= {str(each): each.read_bytes() for each in (tmp_path / "dagster").rglob("*") if each.is_file()}
    kept["control"] = rows(services.control).encode()
    kept |= {name: rows(each.database).encode() for name, each in services.environments.items()}
    assert any(name.endswith(".db") for name in kept)
    assert str(promotion).encode() in b"".join(each for name, each in kept.items() if name.endswith(".db"))
    assert EMAIL.encode() in kept["control"]
    assert b"request" in kept["logs"]
    found = [
        (name, secret[:4])
        for secret in planted
        if len(secret) >= SHORTEST
        for spelling in written(secret)
        for name, content in kept.items()
        if spelling in content
    ]
    assert not found
