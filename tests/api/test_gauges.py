"""Wisqu's own gauges on /metrics: what the databases say, at most a minute old, and nobody's name."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from tests.fixtures.stack import Stack
from tests.metrics.conftest import Counted
from tests.retention.conftest import CHUNKS, OLD, Rows
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.devstack import postgres
from wisqu_pipelines.metrics.gauges import GAUGES, UP
from wisqu_pipelines.settings import Settings, load
from wisqu_pipelines.storage.memory import ManualClock

Told = dict[str, dict[frozenset[tuple[str, str]], float]]


def told(client: TestClient) -> Told:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    found: Told = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def value(found: Told, name: str, **labels: str) -> float:
    return found[name][frozenset(labels.items())]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def counted(services: Services, stack: Stack, clock: ManualClock) -> Iterator[Counted]:
    with open_services(services.settings, clock) as opened:
        yield Counted(opened, stack)


@pytest.fixture
def client(counted: Counted) -> Iterator[TestClient]:
    with TestClient(create_app(counted.services), raise_server_exceptions=False) as opened:
        yield opened


def test_gauges_say_what_there_is(counted: Counted, client: TestClient) -> None:
    dev = Rows(counted.services)
    dev.document(OLD)
    dev.retention.run()
    counted.file(size=7, is_test_data=True, test_data_reason="somebody's reason")
    counted.promotion("succeeded")
    counted.promotion("failed")
    counted.promotion("failed", 400)
    counted.account(counted.person(), 3, "stage")
    counted.account(counted.person(), -3, "stage")
    found = told(client)
    assert value(found, "wisqu_promotions", path="dev->stage", state="failed") == 2
    assert value(found, "wisqu_rows", environment="dev", type="stored_files", state="visible") == 1
    assert value(found, "wisqu_rows", environment="dev", type="stored_files", state="deleted") == 1
    assert value(found, "wisqu_test_data_rows", environment="dev", type="stored_files") == 1
    assert value(found, "wisqu_storage_bytes", environment="dev", type="stored_files", state="files") == 36 + 7
    assert value(found, "wisqu_storage_points", environment="dev", type="rag_documents") == CHUNKS
    assert value(found, "wisqu_sweep_rows", environment="dev", state="hidden") == 2
    assert value(found, "wisqu_test_accounts", environment="stage", state="expired") == 1
    assert {dict(labels)["database"] for labels in found[UP]} == {"control", "dev", "stage", "prod"}
    names = {label for gauge in GAUGES for labels in found.get(gauge.name, {}) for label, _ in labels}
    assert names == {"environment", "type", "state", "path"}
    text = client.get("/metrics").text
    assert "demo.wisqu.com" not in text
    assert "somebody" not in text


def test_they_are_read_at_most_once_a_minute(counted: Counted, client: TestClient, clock: ManualClock) -> None:
    files = {"environment": "dev", "type": "stored_files", "state": "visible"}
    assert value(told(client), "wisqu_rows", **files) == 0
    counted.file()
    clock.advance(timedelta(seconds=59))
    assert value(told(client), "wisqu_rows", **files) == 0
    clock.advance(timedelta(seconds=1))
    assert value(told(client), "wisqu_rows", **files) == 1


def test_a_database_that_is_away_leaves_its_gauges_out(settings: Settings, services: Services) -> None:
    del services  # they have set the world up
    environments = {name: each.model_dump() for name, each in settings.environments.items()}
    environments["stage"]["database"]["port"] = 1
    with open_services(load(environments=environments)) as opened, TestClient(create_app(opened)) as client:
        found = told(client)
    assert value(found, UP, database="stage") == 0
    assert value(found, UP, database="dev") == 1
    assert {dict(labels)["environment"] for labels in found["wisqu_rows"]} == {"dev", "prod"}


def test_a_database_that_hangs_keeps_nobody_waiting(
    counted: Counted, client: TestClient, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wisqu_pipelines.metrics.gauges.PATIENCE_SECONDS", 0.5)
    for name in ("dev", "prod"):
        assert counted.services.environments[name]  # opened and checked before
    database = counted.services.environments["dev"].database.name
    with postgres.connect(stack.site, database) as connection, connection.transaction():
        connection.execute("LOCK TABLE stored_files IN ACCESS EXCLUSIVE MODE")
        found = told(client)
        assert value(found, UP, database="dev") == 0
        assert value(found, UP, database="prod") == 1
    monkeypatch.setattr("wisqu_pipelines.metrics.gauges.PATIENCE_SECONDS", 30)
    assert value(told(client), UP, database="dev") == 1  # what was late is there now
