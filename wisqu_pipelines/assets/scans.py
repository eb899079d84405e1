"""The scans for test data as assets: one for each environment, with a partition for each month of `created_at`."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetObservation,
    AssetsDefinition,
    AssetSelection,
    BackfillPolicy,
    Config,
    MaterializeResult,
    MetadataValue,
    MonthlyPartitionsDefinition,
    asset,
    define_asset_job,
)
from pydantic import Field

from wisqu_pipelines.assets import keys, markdown
from wisqu_pipelines.assets.progress import LoggedProgress
from wisqu_pipelines.assets.tags import ENVIRONMENT, HOUR, MAX_RUNTIME, op_tags, tag_asset_run
from wisqu_pipelines.detection.registry import DETECTOR_VERSION
from wisqu_pipelines.detection.report import ScanReport
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.settings import Declared

SCAN = "test_data_scan"
LONGEST_HOURS = 12
REASONS_SHOWN = 12
MONTHS_SHOWN = 24


class ScanConfig(Config):
    """How a scan reads; the month is the partition's."""

    full: bool = Field(default=False, description="Read also what this version of the detector has read before.")
    dry_run: bool = Field(default=False, description="Say what would be marked, and change nothing.")


def scan_assets(declared: Declared) -> list[AssetsDefinition]:
    """The scan of every environment."""
    partitions = MonthlyPartitionsDefinition(start_date=declared.scans_from.isoformat(), timezone="UTC", end_offset=1)
    return [_scan_asset(declared, environment, partitions) for environment in declared.environments]


def _scan_asset(declared: Declared, environment: str, partitions: MonthlyPartitionsDefinition) -> AssetsDefinition:
    @asset(
        key=keys.key(environment, SCAN),
        deps=[keys.key(environment, kind) for kind in ("stored_files", "rag_documents", "users")],
        description="Reads the rows that were created in the month, and marks those that exist only because someone "
        "tested. What this version of the detector has read, and nobody has changed since, is not read again.",
        group_name=environment,
        kinds={"postgres", "qdrant"},
        owners=[keys.OWNER],
        metadata=keys.links(declared, "detection.md"),
        tags={ENVIRONMENT: environment},
        op_tags=op_tags(LONGEST_HOURS, environment),
        pool=keys.pool(environment),
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run(),
        code_version=DETECTOR_VERSION,
        output_required=False,
    )
    def scan(
        context: AssetExecutionContext, config: ScanConfig, wisqu: WisquResource
    ) -> Iterator[MaterializeResult[None]]:
        tag_asset_run(context)
        wanted = {date.fromisoformat(each) for each in context.partition_keys}
        oldest = date.fromisoformat(partitions.get_first_partition_key() or declared.scans_from.isoformat())
        with told_as_outcome(context.instance, context.run.run_id):
            report = wisqu.services.detection(environment).scan(
                wanted=lambda month: month in wanted or (month < oldest and oldest in wanted),
                is_full=config.full,
                is_dry_run=config.dry_run,
                progress=LoggedProgress(context.log),
            )
        if config.dry_run:  # nothing was changed, so nothing is up to date now
            context.log_event(AssetObservation(context.asset_key, metadata=scan_metadata(report)))
        else:
            yield MaterializeResult(metadata=scan_metadata(report))

    return scan


def scan_job(scans: list[AssetsDefinition]) -> Any:
    """The job that scans every environment; its launchpad and its backfills can choose among them."""
    return define_asset_job(
        SCAN,
        selection=AssetSelection.assets(*scans),
        tags={MAX_RUNTIME: str(LONGEST_HOURS * HOUR)},
        description="Look for test data, and mark it. With `dry_run` in an asset's configuration it says what it would "
        "mark, and changes nothing.",
    )


def scan_metadata(report: ScanReport) -> dict[str, MetadataValue]:
    """A report as Dagster shows it."""
    from wisqu_pipelines.assets.charts import embedded  # noqa: PLC0415 - drawing is slow to import

    reasons: list[list[markdown.Value]] = [
        [reason, column, count] for (reason, column), count in report.by_reason.most_common(REASONS_SHOWN)
    ]
    examples: list[list[markdown.Value]] = [
        [each.item_type, str(each.item_id), each.safe_label, each.reason] for each in report.examples
    ]
    return {
        "dagster/row_count": MetadataValue.int(report.scanned),
        "wisqu/scanned": MetadataValue.int(report.scanned),
        "wisqu/marked": MetadataValue.int(report.marked),
        "wisqu/unmarked": MetadataValue.int(report.unmarked),
        "wisqu/to_review": MetadataValue.int(report.to_review),
        "wisqu/rows_a_second": MetadataValue.float(round(report.rate, 1)),
        "wisqu/detector_version": MetadataValue.text(report.detector_version),
        "wisqu/dry_run": MetadataValue.bool(report.is_dry_run),
        "by reason": MetadataValue.md(_table(("reason", "column", "rows"), reasons)),
        "examples": MetadataValue.md(_table(("type", "id", "label", "why"), examples)),
        "test data by month": MetadataValue.md(
            embedded(picture(report), f"Test data by month, {report.environment}") if report.by_month else "None."
        ),
    }


def picture(report: ScanReport) -> bytes:
    """A PNG of the test data that was found, by month."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    from wisqu_pipelines.assets.charts import bars, png  # noqa: PLC0415

    last = sorted(report.by_month)[-MONTHS_SHOWN:]
    figure = Figure(figsize=(7, 1.2 + 0.25 * len(last)), layout="constrained", facecolor="white")
    rows = {f"{month:%Y-%m}": (report.by_month[month], markdown.number(report.by_month[month])) for month in last}
    bars(figure.subplots(), "Test data by month", rows, ["#c2543a"] * len(rows))
    return png(figure)


def _table(columns: tuple[str, ...], rows: list[list[markdown.Value]]) -> str:
    return markdown.table(columns, rows) if rows else "None."
