"""Snapshots of a day: Parquet that is read back as it was, replaced on the same day, and nobody's orphan."""

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pandas
import pytest

from tests.fixtures.stack import Stack
from tests.metrics.conftest import EVIL, Counted
from tests.storage_audit.stores import Stores
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.metrics import places, registry
from wisqu_pipelines.metrics.metric import Where
from wisqu_pipelines.metrics.page import render
from wisqu_pipelines.metrics.report import collect
from wisqu_pipelines.storage.memory import ManualClock

NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def counted(services: Services, stack: Stack, clock: ManualClock) -> Iterator[Counted]:
    with open_services(services.settings, clock) as opened:
        yield Counted(opened, stack)


def kept(environment: Environment, prefix: str = "metrics/") -> list[str]:
    return [each.key for each in environment.objects.list(f"{environment.name}-wisqu-documents", prefix)]


def test_a_snapshot_is_read_back_as_it_was(counted: Counted) -> None:
    counted.file(size=7, is_test_data=True)
    counted.promotion("succeeded", created_at=NOW, duration_seconds=2.5)
    counted.promotion("planned", created_at=NOW, target="prod")
    counted.entered(counted.person(), reason=EVIL, occurred_at=NOW)
    metrics = counted.services.metrics
    for metric in registry.METRICS.values():
        environment = "dev" if metric.where is Where.ENVIRONMENT else None
        frame, bucket, key = metrics.take(metric.name, environment)
        opened = counted.services.environments[environment or "prod"]
        assert (bucket, key) == (
            f"{opened.name}-wisqu-documents",
            f"metrics/{metric.name}/date=2026-03-01/snapshot.parquet",
        )
        with opened.objects.read(bucket, key) as parts:
            read = pandas.read_parquet(io.BytesIO(b"".join(parts)))
        pandas.testing.assert_frame_equal(read, frame)
        assert list(read.columns) == list(metric.columns)


def test_a_day_has_one_snapshot_and_days_make_a_history(counted: Counted, clock: ManualClock) -> None:
    metrics, dev = counted.services.metrics, counted.services.environments["dev"]
    assert len(metrics.history("storage", "dev")) == 0
    counted.file(size=10)
    metrics.take("storage", "dev")
    counted.file(size=5)
    metrics.take("storage", "dev")
    assert len(kept(dev)) == 1
    clock.advance(timedelta(hours=1))  # past midnight, UTC
    counted.file(size=1)
    metrics.take("storage", "dev")
    dev.objects.put("dev-wisqu-documents", "metrics/storage/notes.txt", io.BytesIO(b"not ours"), 8)
    history = metrics.history("storage", "dev")
    assert list(metrics.history("storage", "dev", days=1).dtypes) == list(history.dtypes)
    files = history[history["type"] == "stored_files"]
    assert [each.date() for each in files["day"]] == [date(2026, 3, 1), date(2026, 3, 2)]
    assert list(files["bytes"]) == [15, 16]


def test_old_snapshots_go(counted: Counted, clock: ManualClock) -> None:
    metrics = counted.services.metrics
    metrics.take("storage", "dev")
    metrics.take("test_data", "dev")
    clock.advance(timedelta(days=counted.services.settings.metrics.keep_days + 1))
    metrics.take("storage", "dev")
    left = kept(counted.services.environments["dev"])
    assert [places.day_of(each) for each in left] == [clock.now().date(), NOW.date()]


def test_they_are_nobodys_orphans(services: Services) -> None:
    services.metrics.take("storage", "prod")
    services.metrics.take("promotions")
    _, report = services.metrics.keep_report(render(collect(services.metrics, 7)), 7)
    stores = Stores(services)
    others = {
        "metrics/storage/date=2026-03-01/other.parquet",
        "metrics/storage/date=2026-03-01/snapshot.parquet.bak",
        "metrics/loose",
        "reports/notes.html",
        "x/reports/2026-03-01-7d.html",
    }
    for key in others:
        stores.put(key, env="prod")
    assert stores.orphan_names("prod") == others
    stores.age("prod")
    assert stores.audit("prod").repair(demo_people.ADMIN, "tidying up").stores[0].swept.count == len(others)
    assert len(kept(services.environments["prod"])) == 2
    assert kept(services.environments["prod"], "reports/") == [report]
