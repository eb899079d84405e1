"""The inventories count what is there, and the checks find what does not agree."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    DagsterRun,
    ExecuteInProcessResult,
)
from sqlalchemy import select

from tests.dagster.conftest import World, execute_job
from wisqu_pipelines.assets.checks import check_result
from wisqu_pipelines.assets.scans import SCAN
from wisqu_pipelines.catalog.models import RagDocument, StorageOrphan, StoredFile
from wisqu_pipelines.catalog.points import ENVIRONMENT, point_ids, staged
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.storage_audit.report import Amount, AuditReport, Finding, Problem, StoreReport

NAMES = ("one.txt", "two.md", "three.html")


def materialize(world: World, environment: str) -> ExecuteInProcessResult:
    keys = world.definitions.get_repository_def().asset_graph.get_all_asset_keys()
    wanted = [key for key in keys if key.path[0] == environment and key.path[1] != SCAN]  # that has partitions
    job = world.definitions.get_repository_def().get_implicit_job_def_for_assets(wanted)
    assert job is not None
    return job.execute_in_process(instance=world.instance, asset_selection=wanted)


def inventory(result: ExecuteInProcessResult, environment: str, kind: str) -> dict[str, Any]:
    (event,) = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.materialization.asset_key == AssetKey([environment, kind])
    ]
    return {name: value.value for name, value in event.metadata.items()}


def evaluations(world: World, environment: str) -> dict[str, AssetCheckEvaluation]:
    result = materialize(world, environment)
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


@pytest.fixture
def filled(world: World, tmp_path: Path) -> Sequence[str]:
    folder = tmp_path / "documents"
    folder.mkdir()
    world.add_documents(folder, NAMES)
    return NAMES


def test_inventories_count_rows_bytes_and_points(world: World, filled: Sequence[str]) -> None:
    result = materialize(world, "dev")
    with world.services.environments["dev"].database.snapshot() as session:
        sizes = session.scalars(select(StoredFile.file_size_bytes)).all()
        points = sum(session.scalars(select(RagDocument.point_count)))
    files = inventory(result, "dev", "stored_files")
    assert files["dagster/row_count"] == files["wisqu/visible_rows"] == 3
    assert files["wisqu/bytes"] == sum(sizes)
    assert "| approved | no | no | 3 |" in files["breakdown"]
    assert inventory(result, "dev", "rag_documents")["wisqu/points"] == points
    vectors = inventory(result, "dev", "vectors")
    assert (vectors["wisqu/points"], vectors["wisqu/hidden_points"]) == (points, 0)
    assert inventory(result, "dev", "users")["breakdown"] == "Nothing is there."


def test_an_empty_environment_has_inventories_too(world: World) -> None:
    result = materialize(world, "stage")
    assert inventory(result, "stage", "stored_files")["dagster/row_count"] == 0
    assert inventory(result, "stage", "vectors")["dagster/row_count"] == 0
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_stores_that_agree_pass(world: World, filled: Sequence[str]) -> None:
    found = evaluations(world, "dev")
    assert set(found) == {"files_belong", "points_belong"}
    assert all(evaluation.passed for evaluation in found.values()), found


def test_a_file_that_is_gone_or_has_another_size_is_found(world: World, filled: Sequence[str]) -> None:
    dev = world.services.environments["dev"]
    with dev.database.begin() as session:
        one, two, _ = session.scalars(select(StoredFile).order_by(StoredFile.filename)).all()
        dev.objects.delete(dev.settings.get_bucket_name(one.bucket), [one.object_name])
        two.file_size_bytes += 1
    found = evaluations(world, "dev")["files_belong"]
    assert not found.passed
    assert found.severity == AssetCheckSeverity.ERROR
    assert found.metadata["findings"].value == found.metadata["rows that miss something"].value == 2
    shown = str(found.metadata["first findings"].value)
    assert "is not there" in shown
    assert "and the row says" in shown


def test_missing_hidden_and_stray_points_are_found(world: World, filled: Sequence[str]) -> None:
    dev = world.services.environments["dev"]
    with dev.database.begin() as session:
        document = session.scalars(select(RagDocument)).first()
        assert document
        collection = dev.settings.get_collection_name(document.collection)
        ids = point_ids(document.vector_version, document.point_count)
    dev.vectors.set_payload(collection, ids, {ENVIRONMENT: staged("dev")})
    found = evaluations(world, "dev")["points_belong"]
    assert (found.passed, found.severity) == (False, AssetCheckSeverity.ERROR)
    assert found.metadata["orphans"].value == 0  # hidden, but a row's own
    dev.vectors.set_payload(collection, ids, {ENVIRONMENT: "dev", "version": str(uuid4())})
    found = evaluations(world, "dev")["points_belong"]
    assert found.metadata["findings"].value == 2  # the row misses them, nobody owns them
    assert found.metadata["orphans, bytes"].value == document.point_count * 384 * 4


def test_what_nothing_needs_is_a_warning_of_the_weekly_job(
    world: World, filled: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    dev = world.services.environments["dev"]
    dev.objects.put(dev.settings.get_bucket_name(world.services.settings.default_bucket), "lost", BytesIO(b"12345"), 5)
    result = world.definitions.resolve_job_def("storage_audit").execute_in_process(instance=world.instance)
    assert result.success
    found = {(each.asset_key.path[0], each.check_name): each for each in result.get_asset_check_evaluations()}
    assert len(found) == 6
    lost = found.pop(("dev", "files_belong"))
    assert (lost.passed, lost.severity) == (False, AssetCheckSeverity.WARN)
    assert lost.metadata["orphans, bytes"].value == 5
    assert lost.metadata["newly marked"].value == 1
    assert all(evaluation.passed for evaluation in found.values()), found
    with dev.database.begin() as session:
        assert [each.name for each in session.scalars(select(StorageOrphan))] == ["lost"]
    assert not result.get_asset_materialization_events(), "it checks, and makes nothing"
    assert "dev-wisqu-documents listed: 4 of 4" in capsys.readouterr().err, "long audits say how far they are"


def test_what_a_rollback_needs_is_no_leftover(world: World, filled: Sequence[str], tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / "documents" / "one.txt").write_text(f"The {content} version. " * 60)
        world.ingest_and_approve(tmp_path / "documents")
        promotion_id = world.preview("rag_documents")
        world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
        execute_job(world, "promotion_execute", "execute_promotion", promotion_id)
    found = evaluations(world, "stage")
    assert all(evaluation.passed for evaluation in found.values()), found
    vectors = inventory(materialize(world, "stage"), "stage", "vectors")
    assert vectors["wisqu/hidden_points"] > 0
    world.services.promotions.request_rollback(promotion_id, demo_people.DEVELOPER)
    execute_job(world, "promotion_rollback", "rollback_promotion", promotion_id)
    found = evaluations(world, "stage")
    assert all(evaluation.passed for evaluation in found.values()), found
    assert inventory(materialize(world, "stage"), "stage", "vectors")["wisqu/hidden_points"] == 0


def test_a_run_that_is_of_no_job_of_ours_carries_tags_too(world: World) -> None:
    points, verified = ("stage/vectors", "points_belong"), ("stage/environment_promotions", "promotions_verified")
    for keys, checks, environment, hours in (
        (["dev/users"], [], "dev", 1),
        (["dev/users", "stage/users"], [], None, 1),
        (["dev/metrics"], [], "dev", 1),
        (["metrics/paths"], [], None, 1),
        (["dev/users", "metrics/paths"], [], None, 1),
        ([], [points], "stage", 12),
        (["stage/users"], [points], "stage", 12),
        ([], [verified], "stage", 1),
    ):
        run = run_as_the_ui_does(world, keys, checks)
        assert (run.tags.get("wisqu/environment"), run.tags["dagster/max_runtime"]) == (environment, str(hours * 3600))
    said = {"wisqu/environment": "mine", "dagster/max_runtime": "60"}
    assert said.items() <= run_as_the_ui_does(world, ["dev/users"], [], said).tags.items()


def run_as_the_ui_does(
    world: World, keys: Sequence[str], checks: Sequence[tuple[str, str]], tags: dict[str, str] | None = None
) -> DagsterRun:
    """Run Dagster's own job for assets, as backfills and the buttons of an asset's page do."""
    job = world.definitions.get_repository_def().get_job("__ASSET_JOB")
    subset = job.get_subset(
        asset_selection={AssetKey(each.split("/")) for each in keys},
        asset_check_selection={AssetCheckKey(AssetKey(of.split("/")), name) for of, name in checks},
    )
    result = subset.execute_in_process(instance=world.instance, tags=tags)
    assert result.success
    run = world.instance.get_run_by_id(result.run_id)
    assert run
    return run


def test_while_a_promotion_is_under_way_a_check_only_warns() -> None:
    now = datetime(2026, 1, 4, tzinfo=UTC)
    finding = Finding(Problem.DANGLING, "objects", "dev-x", "a", "stored_files x: its object |a| is not there")
    store = StoreReport("objects", listed=Amount(3), danglings=Amount(1))
    report = AuditReport("dev", now, now, (store,), 0, 0, (finding,), 0.0, promotion_under_way=False)
    assert check_result(report).severity == AssetCheckSeverity.ERROR
    busy = check_result(replace(report, promotion_under_way=True))
    assert (busy.passed, busy.severity) == (False, AssetCheckSeverity.WARN)
    assert "under way" in (busy.description or "")
