"""The metrics' assets, the job of the report, and their schedules."""

import base64
import re
from datetime import UTC, datetime

import pytest
from dagster import AssetKey, ExecuteInProcessResult

from tests.dagster.conftest import World, failure_of, output_metadata
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.metrics import registry
from wisqu_pipelines.metrics.metric import Where

EVIL = "<script>alert(1)</script> | x"


def test_the_job_keeps_a_snapshot_of_everything(world: World) -> None:
    rows = Rows(world.services)
    rows.document(OLD)
    document = rows.document(OLD)
    rows.change(RagDocument, document.id, is_test_data=True, test_data_reason=EVIL)
    result = world.definitions.resolve_job_def("metrics").execute_in_process(instance=world.instance)
    assert result.success
    own = {AssetKey([environment, "metrics"]) for environment in ("dev", "stage", "prod")}
    control = {AssetKey(["metrics", each.name]) for each in registry.of(Where.CONTROL)}
    shown = _shown(result)
    assert set(shown) == own | control
    today = datetime.now(UTC).date()
    for environment in ("dev", "stage", "prod"):
        kept = world.services.environments[environment].objects.list(f"{environment}-wisqu-documents", "metrics/")
        names = [each.name for each in registry.of(Where.ENVIRONMENT)]
        names += [each.name for each in registry.of(Where.CONTROL)] if environment == "prod" else []
        assert {each.key for each in kept} == {f"metrics/{name}/date={today}/snapshot.parquet" for name in names}
    dev = shown[AssetKey(["dev", "metrics"])]
    assert dev["wisqu/rows"] == 4
    assert dev["snapshot of storage"] == f"s3://dev-wisqu-documents/metrics/storage/date={today}/snapshot.parquet"
    assert "| dev | rag\\_documents | other | 1 |" in str(dev["Test data"])
    assert "alert" not in str(dev)
    picture = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)\)", str(dev["picture"]))
    assert picture
    assert base64.b64decode(picture[1]).startswith(b"\x89PNG")
    assert shown[AssetKey(["metrics", "promotions"])]["Promotions by day"] == "None."


def test_an_environment_that_is_away_keeps_nobody_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WISQU_ENVIRONMENTS__STAGE__DATABASE__PASSWORD", "wrong")
    job = world.definitions.resolve_job_def("metrics")
    result = job.execute_in_process(instance=world.instance, raise_on_error=False)
    assert not result.success
    assert set(_shown(result)) & {AssetKey(["dev", "metrics"]), AssetKey(["prod", "metrics"])} == {
        AssetKey(["dev", "metrics"]),
        AssetKey(["prod", "metrics"]),
    }


def test_the_report_lies_in_the_bucket(world: World) -> None:
    Rows(world.services).document(OLD, title=EVIL)
    result = world.run("report", "write_report", {})
    assert result.success, failure_of(result)
    told = output_metadata(result)
    assert (told["days"], told["not read"]) == (7, "none")
    bucket, _, key = told["report"].removeprefix("s3://").partition("/")
    assert (bucket, key) == ("prod-wisqu-documents", f"reports/{datetime.now(UTC):%Y-%m-%d}-7d.html")
    prod = world.services.environments["prod"].objects
    with prod.read(bucket, key) as parts:
        page = b"".join(parts).decode()
    assert page.startswith("<!doctype html>")
    found = prod.stat(bucket, key)
    assert found
    assert found.content_type == "text/html; charset=utf-8"
    assert world.run("report", "write_report", {}).success
    assert len(list(prod.list(bucket, "reports/"))) == 1


def test_days_are_checked(world: World) -> None:
    result = world.run("report", "write_report", {"days": 0})
    assert not result.success
    assert failure_of(result)[1]["outcome"] == "refused"


def _shown(result: ExecuteInProcessResult) -> dict[AssetKey, dict[str, object]]:
    events = result.get_asset_materialization_events()
    return {
        event.asset_key: {
            name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        for event in events
        if event.asset_key is not None
    }
