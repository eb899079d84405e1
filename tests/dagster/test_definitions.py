"""What Dagster loads: without stores, for the declared environments, along the declared paths."""

import subprocess
import sys
from pathlib import Path

import pytest
from dagster import AssetKey, DefaultScheduleStatus, Definitions, JobDefinition, validate_run_config
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from wisqu_pipelines import definitions
from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.promotion.types import TYPES
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.sensors.approvals import SECONDS_BETWEEN_TICKS

PROJECT = Path(__file__).parents[2]
KINDS = {
    "stored_files": {"postgres", "s3"},
    "rag_documents": {"postgres"},
    "vectors": {"qdrant"},
    "users": {"postgres"},
    "environment_promotions": {"postgres"},
    "environment_access_logs": {"postgres"},
    "developer_actions": {"postgres"},
    "test_data_scan": {"postgres", "qdrant"},
    "metrics": {"postgres", "pandas", "parquet"},
}
OF_CONTROL = {"promotions", "paths", "promotion_states", "promoted_types", "access"}
"""The metrics of the control database."""
LINKS = {"approvals", "docs"}
ENVIRONMENTS = ("dev", "stage", "prod")


@pytest.fixture
def without_stores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The project's own settings file, no embedded stack, no secret and no store."""
    monkeypatch.setenv("WISQU_CONFIG", str(PROJECT / "wisqu.toml"))
    monkeypatch.setenv("WISQU_STACK__DIRECTORY", str(tmp_path))


@pytest.fixture
def loaded(without_stores: None) -> Definitions:
    return definitions.wisqu_pipelines()


@pytest.fixture
def graph(loaded: Definitions) -> AssetGraph:
    return loaded.get_repository_def().asset_graph


def test_every_environment_has_every_asset(graph: AssetGraph) -> None:
    expected = {AssetKey([environment, kind]) for environment in ENVIRONMENTS for kind in KINDS}
    assert set(graph.get_all_asset_keys()) == expected | {AssetKey(["metrics", name]) for name in OF_CONTROL}
    for key in expected:
        node = graph.get(key)
        environment, kind = key.path
        assert node.group_name == environment
        assert node.kinds == KINDS[kind]
        assert node.owners == ["team:wisqu-data"]
        assert node.tags["wisqu/environment"] == environment
        assert node.description
        assert node.pools == {f"{environment}_stores"}


@pytest.mark.parametrize("kind", ["stored_files", "rag_documents", "vectors"])
def test_lineage_follows_the_promotion_paths(graph: AssetGraph, kind: str) -> None:
    def sources(environment: str) -> set[str]:
        parents = graph.get(AssetKey([environment, kind])).parent_keys
        return {parent.path[0] for parent in parents if parent.path[1] == kind}

    assert sources("dev") == set()
    assert sources("stage") == {"dev"}
    assert sources("prod") == {"dev", "stage"}


def test_lineage_within_an_environment(graph: AssetGraph) -> None:
    assert AssetKey(["dev", "stored_files"]) in graph.get(AssetKey(["dev", "rag_documents"])).parent_keys
    assert AssetKey(["dev", "rag_documents"]) in graph.get(AssetKey(["dev", "vectors"])).parent_keys
    assert not graph.get(AssetKey(["stage", "users"])).parent_keys


def test_every_environment_has_its_checks(graph: AssetGraph) -> None:
    assert {check.to_user_string() for check in graph.asset_check_keys} == {
        f"{environment}/{check}"
        for environment in ENVIRONMENTS
        for check in (
            "stored_files:files_belong",
            "vectors:points_belong",
        )
    } | {f"{target}/environment_promotions:promotions_verified" for target in ("stage", "prod")}


def test_the_storage_audit_runs_every_week(loaded: Definitions) -> None:
    schedule = loaded.get_repository_def().get_schedule_def("storage_audit_schedule")
    assert schedule.job_name == "storage_audit"
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * SUN", "UTC")
    assert schedule.default_status == DefaultScheduleStatus.RUNNING
    steps = {handle.name for handle in loaded.resolve_job_def("storage_audit").graph.node_dict.values()}
    assert len(steps) == 2 * len(ENVIRONMENTS)


def test_an_environment_declared_by_a_variable_is_one_more(
    without_stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WISQU_ENVIRONMENTS__TEST__DOMAIN", "test.wisqu.com")
    graph = definitions.wisqu_pipelines().get_repository_def().asset_graph
    assert AssetKey(["test", "stored_files"]) in graph.get_all_asset_keys()


def test_a_missing_settings_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WISQU_CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(BadSettings, match=r"nowhere\.toml"):
        definitions.wisqu_pipelines()


def test_the_executor_comes_from_the_environment(without_stores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("in_process", "multiprocess"):
        monkeypatch.setenv(definitions.EXECUTOR_VARIABLE, name)
        loaded = definitions.wisqu_pipelines()
        assert {job.executor_def.name for job in _jobs(loaded)} == {name}
    monkeypatch.setenv(definitions.EXECUTOR_VARIABLE, "carrier_pigeon")
    with pytest.raises(BadSettings, match="carrier_pigeon"):
        definitions.wisqu_pipelines()


def test_the_launchpad_offers_every_type_and_every_environment(loaded: Definitions) -> None:
    preview = loaded.resolve_job_def("promotion_preview")
    for promotion_type in TYPES:
        for source in ENVIRONMENTS:
            validate_run_config(preview, _preview_config(promotion_type, source, "stage"))


@pytest.mark.parametrize(
    ("promotion_type", "source", "named"),
    [("stored_flies", "dev", "PromotionType"), ("stored_files", "prodd", "Environment")],
)
def test_the_launchpad_refuses_what_is_not_declared(
    loaded: Definitions, promotion_type: str, source: str, named: str
) -> None:
    preview = loaded.resolve_job_def("promotion_preview")
    with pytest.raises(Exception, match=named):
        validate_run_config(preview, _preview_config(promotion_type, source, "stage"))


def test_no_run_can_be_redirected_from_the_launchpad(loaded: Definitions) -> None:
    assert not WisquResource.model_fields
    for name in ("promotion_preview", "promotion_execute", "promotion_rollback"):
        config = {
            "ops": {},
            "resources": {"wisqu": {"config": {"url": "postgresql://elsewhere"}}},
        }
        with pytest.raises(Exception, match="url"):
            validate_run_config(loaded.resolve_job_def(name), config)


def test_the_sensors_run_by_themselves_and_often_enough(loaded: Definitions) -> None:
    found = {each.name: each for each in loaded.get_repository_def().sensor_defs}
    assert set(found) == {
        "approvals_sensor",
        "sweeps_sensor",
        "asking_sensor",
        "approved_items_sensor",
        "ci_results",
        "failed_runs_sensor",
        "freshness_sensor",
        "notifications_sensor",
    }
    assert {each.default_status.value for each in found.values()} == {"RUNNING"}
    assert found["approvals_sensor"].minimum_interval_seconds == SECONDS_BETWEEN_TICKS <= 5


def test_no_run_of_a_job_lasts_for_ever(loaded: Definitions) -> None:
    jobs = [each for each in loaded.get_repository_def().get_all_jobs() if not each.name.startswith("__")]
    assert [each.name for each in jobs if not 0 < int(each.tags.get("dagster/max_runtime", 0)) <= 12 * 3600] == []


def test_every_job_can_be_launched_as_the_launchpad_opens_it(loaded: Definitions) -> None:
    for job in loaded.get_repository_def().get_all_jobs():
        opened = job.run_config or {}
        validate_run_config(job, opened)
        configs = [each["config"] for each in opened.get("ops", {}).values()]
        assert all(each.get("dry_run", True) for each in configs), f"{job.name} begins as a dry run"


def test_the_workspace_file_loads_one_location_of_a_fixed_name(without_stores: None, tmp_path: Path) -> None:
    workspace = PROJECT / "workspace.yaml"
    assert workspace.read_text(encoding="utf-8").count("location_name: wisqu_pipelines\n") == 1
    validated = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(workspace)],
        cwd=tmp_path,  # the instance in the project's folder needs a server
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert validated.returncode == 0, validated.stderr
    assert "Validation successful for code location wisqu_pipelines" in validated.stdout + validated.stderr


def _preview_config(promotion_type: str, source: str, target: str) -> dict[str, object]:
    config = {"promotion_type": promotion_type, "source_environment": source, "target_environment": target}
    return {"ops": {"preview_promotion": {"config": config}}}


def _jobs(loaded: Definitions) -> list[JobDefinition]:
    names = ("promotion_preview", "promotion_execute", "promotion_rollback")
    return [loaded.resolve_job_def(name) for name in names]


def test_assets_link_to_the_page_of_decisions_and_to_the_docs(
    without_stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def links() -> set[tuple[str, str]]:
        graph = definitions.wisqu_pipelines().get_repository_def().asset_graph
        metadata = [graph.get(key).metadata for key in graph.get_all_asset_keys()]
        assert all("approvals" in each for each in metadata)
        return {(name, str(value.value)) for each in metadata for name, value in each.items() if name in LINKS}

    pages = {"architecture.md", "identity.md", "detection.md", "metrics.md"}
    assert all((PROJECT / "docs" / each).exists() for each in pages)
    assert links() == {("approvals", "https://auth.wisqu.com/approvals"), *(("docs", f"docs/{each}") for each in pages)}
    monkeypatch.setenv("WISQU_API__URL", "https://wisqu.example.org")
    monkeypatch.setenv("WISQU_DAGSTER__DOCS", "https://docs.example.org/wisqu")
    read = {("docs", f"https://docs.example.org/wisqu/{each}") for each in pages}
    assert links() == {("approvals", "https://wisqu.example.org/approvals"), *read}
