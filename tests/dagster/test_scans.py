"""The scans as assets: partitions by month, backfills in one run, dry runs, and what they show."""

from datetime import UTC, datetime

import pytest
from dagster import AssetKey, DagsterEventType, ExecuteInProcessResult, PartitionKeyRange
from dagster._core.definitions.backfill_policy import BackfillPolicyType
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from tests.dagster.conftest import World
from tests.detection.rows import add, file, get
from wisqu_pipelines import definitions
from wisqu_pipelines.assets import scans
from wisqu_pipelines.assets.scans import SCAN
from wisqu_pipelines.catalog.models import StoredFile
from wisqu_pipelines.detection.registry import DETECTOR_VERSION

KEY = AssetKey(["dev", SCAN])
MAY, OLD = datetime(2026, 5, 3, tzinfo=UTC), datetime(2019, 2, 3, tzinfo=UTC)


def scan(world: World, first: str, last: str, **config: bool) -> ExecuteInProcessResult:
    job = world.definitions.get_repository_def().get_job(SCAN)
    return job.execute_in_process(
        instance=world.instance,
        asset_selection=[KEY],
        tags={ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last},
        run_config={"ops": {"dev__test_data_scan": {"config": config}}},
        raise_on_error=True,
    )


def test_a_month_is_a_partition_and_a_backfill_one_run(world: World) -> None:
    graph = world.definitions.get_repository_def().asset_graph
    node = graph.get(KEY)
    assert node.backfill_policy is not None
    assert node.backfill_policy.policy_type is BackfillPolicyType.SINGLE_RUN
    assert node.code_version == DETECTOR_VERSION, "another detector makes the scans stale"
    assert node.partitions_def is not None
    keys = node.partitions_def.get_partition_keys()
    assert keys[0] == "2024-01-01"
    assert keys[-1] == f"{datetime.now(UTC):%Y-%m}-01", "the month that runs is one as well"
    assert len(node.partitions_def.get_partition_keys_in_range(PartitionKeyRange(keys[0], keys[-1]))) == len(keys)


def test_a_scan_marks_the_rows_of_its_months_and_shows_what_it_found(world: World) -> None:
    services = world.services
    may, june, real = add(
        services,
        file("test upload.md", created_at=MAY),
        file("dummy.md", created_at=datetime(2026, 6, 1, tzinfo=UTC)),
        file("=SUM(prayers).md", created_at=MAY),
    )
    result = scan(world, "2026-04-01", "2026-05-01")
    materialisations = result.get_asset_materialization_events()
    assert {event.partition for event in materialisations} == {"2026-04-01", "2026-05-01"}
    metadata = {name: each.value for name, each in materialisations[0].materialization.metadata.items()}
    assert [metadata[f"wisqu/{name}"] for name in ("scanned", "marked", "unmarked", "to_review")] == [2, 1, 0, 0]
    assert "filename" in str(metadata["by reason"])
    assert "test upload" in str(metadata["examples"])
    assert "data:image/png;base64," in str(metadata["test data by month"])
    assert [get(services, StoredFile, each).is_test_data for each in (may, june, real)] == [True, False, False]
    rest = scan(world, "2026-06-01", "2026-06-01")
    assert rest.success
    assert get(services, StoredFile, june).is_test_data


def test_a_backfills_run_carries_the_tags_of_the_scans_job(world: World) -> None:
    jobs = [world.definitions.get_repository_def().get_job("__ASSET_JOB"), world.definitions.resolve_job_def(SCAN)]
    for job in jobs:
        result = job.get_subset(asset_selection={KEY}).execute_in_process(
            instance=world.instance,
            tags={ASSET_PARTITION_RANGE_START_TAG: "2026-05-01", ASSET_PARTITION_RANGE_END_TAG: "2026-05-01"},
        )
        run = world.instance.get_run_by_id(result.run_id)
        assert run
        assert (run.tags["wisqu/environment"], run.tags["dagster/max_runtime"]) == ("dev", str(12 * 3600))


def test_the_first_partition_holds_everything_older(world: World) -> None:
    (item,) = add(world.services, file("test upload.md", created_at=OLD))
    scan(world, "2024-02-01", "2024-02-01")
    assert not get(world.services, StoredFile, item).is_test_data
    scan(world, "2024-01-01", "2024-01-01")
    assert get(world.services, StoredFile, item).is_test_data


def test_a_dry_run_changes_nothing_and_leaves_the_asset_as_it_was(world: World) -> None:
    (item,) = add(world.services, file("test upload.md", created_at=MAY))
    result = scan(world, "2026-05-01", "2026-05-01", dry_run=True)
    assert result.get_asset_materialization_events() == []
    (observed,) = [each for each in result.all_events if each.event_type is DagsterEventType.ASSET_OBSERVATION]
    metadata = observed.asset_observation_data.asset_observation.metadata
    assert metadata["wisqu/marked"].value == 1
    assert not get(world.services, StoredFile, item).is_test_data


def test_another_detector_makes_scanned_months_stale(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    add(world.services, file("zakat.md", created_at=MAY))
    scan(world, "2026-05-01", "2026-05-01")

    def status() -> StaleStatus:
        graph = definitions.wisqu_pipelines().get_repository_def().asset_graph
        context = LoadingContextForTest(world.instance)
        return CachingStaleStatusResolver(world.instance, graph, loading_context=context).get_status(KEY, "2026-05-01")

    assert status() == StaleStatus.FRESH
    monkeypatch.setattr(scans, "DETECTOR_VERSION", "another")
    assert status() == StaleStatus.STALE
