"""The metrics as assets: materialising one keeps a snapshot of the day, and shows it as tables and a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    MaterializeResult,
    MetadataValue,
    asset,
    define_asset_job,
)

from wisqu_pipelines.assets import keys, markdown
from wisqu_pipelines.assets.tags import ENVIRONMENT, HOUR, MAX_RUNTIME, op_tags, tag_asset_run
from wisqu_pipelines.metrics import registry, telling
from wisqu_pipelines.metrics.frames import Row, rows_of
from wisqu_pipelines.metrics.metric import Kind, Metric, Where
from wisqu_pipelines.metrics.service import MetricsService
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.settings import Declared

METRICS = "metrics"
LONGEST_HOURS = 1
ROWS_SHOWN = 50
BARS_SHOWN = 8
ACROSS = 3
"""Charts side by side."""
DRAWN: Mapping[str, tuple[tuple[str, ...], str]] = {
    "promotions": (("day", "path"), "succeeded"),
    "paths": (("path",), "promotions"),
    "promotion_states": (("path", "state"), "promotions"),
    "promoted_types": (("type", "path"), "items"),
    "access": (("person", "environment", "action"), "times"),
    "distribution": (("type",), "rows"),
    "test_data": (("reason", "type"), "rows"),
    "storage": (("type",), "bytes"),
    "sweeps": (("created_at", "state"), "rows"),
    "accounts": (("developer",), "active"),
    "actions": (("person", "action"), "times"),
}
"""Of each metric, what a bar is called by and how long it is."""
COLOURS = {Where.CONTROL: "#2c6fbb", Where.ENVIRONMENT: "#2f7d5b"}


def metric_assets(declared: Declared) -> list[AssetsDefinition]:
    """One for all metrics of each environment, and one for each metric of the control database."""
    return [
        *(_environment_asset(declared, environment) for environment in declared.environments),
        *(_control_asset(declared, metric) for metric in registry.of(Where.CONTROL)),
    ]


def metric_job(assets: Sequence[AssetsDefinition]) -> Any:
    """The job that takes every snapshot of the day; running it again replaces them."""
    return define_asset_job(
        METRICS,
        selection=AssetSelection.assets(*assets),
        tags={MAX_RUNTIME: str(LONGEST_HOURS * HOUR)},
        description="Read all metrics, and keep a snapshot of the day as Parquet in the environments' buckets.",
    )


def _environment_asset(declared: Declared, environment: str) -> AssetsDefinition:
    @asset(
        key=keys.key(environment, METRICS),
        deps=[keys.key(environment, kind) for kind in keys.KINDS if kind != keys.VECTORS],
        description="This environment in figures: what is where, test data by reason, storage, sweeps, test accounts, "
        "actions. A snapshot of each day lies in the environment's bucket.",
        group_name=environment,
        kinds={"postgres", "pandas", "parquet"},
        owners=[keys.OWNER],
        metadata=keys.links(declared, "metrics.md"),
        tags={ENVIRONMENT: environment},
        op_tags=op_tags(LONGEST_HOURS, environment),
        pool=keys.pool(environment),
    )
    def metrics(context: AssetExecutionContext, wisqu: WisquResource) -> MaterializeResult[None]:
        tag_asset_run(context)
        with told_as_outcome(context.instance, context.run.run_id):
            return _taken(wisqu.services.metrics, registry.of(Where.ENVIRONMENT), environment)

    return metrics


def _control_asset(declared: Declared, metric: Metric) -> AssetsDefinition:
    @asset(
        key=AssetKey([METRICS, metric.name]),
        description=f"{metric.description} From the control database.",
        group_name=METRICS,
        kinds={"postgres", "pandas", "parquet"},
        owners=[keys.OWNER],
        metadata=keys.links(declared, "metrics.md"),
        op_tags=op_tags(LONGEST_HOURS),
    )
    def metrics(context: AssetExecutionContext, wisqu: WisquResource) -> MaterializeResult[None]:
        tag_asset_run(context)
        with told_as_outcome(context.instance, context.run.run_id):
            return _taken(wisqu.services.metrics, [metric], None)

    return metrics


def _taken(metrics: MetricsService, wanted: Sequence[Metric], environment: str | None) -> MaterializeResult[None]:
    """Take the snapshots, and show them."""
    metadata: dict[str, MetadataValue[Any]] = {}
    drawn: list[tuple[Metric, list[Row]]] = []
    for metric in wanted:
        frame, bucket, key = metrics.take(metric.name, environment)
        rows = rows_of(frame)
        drawn.append((metric, rows))
        metadata[metric.title] = MetadataValue.md(table(metric, rows))
        metadata[f"snapshot of {metric.name}"] = MetadataValue.path(f"s3://{bucket}/{key}")
        for column in ("rows", "bytes", "points"):
            if metric.name == "storage" and column in frame:
                metadata[f"wisqu/{column}"] = MetadataValue.int(int(frame[column].sum()))
    if environment is None:
        metadata["dagster/row_count"] = MetadataValue.int(sum(len(rows) for _, rows in drawn))
    about = f"Metrics of {environment or 'the control database'}"
    return MaterializeResult(metadata={"picture": _embedded(drawn, about), **metadata})


def table(metric: Metric, rows: Sequence[Row]) -> str:
    """The first rows as Markdown."""
    if not rows:
        return "None."
    cells = [
        [row[name] if kind is Kind.COUNT else telling.told(row[name], kind) for name, kind in metric.columns.items()]
        for row in rows[:ROWS_SHOWN]
    ]
    more = len(rows) - ROWS_SHOWN
    return markdown.table(list(metric.columns), cells) + (f"\n\n… and {more} more." if more > 0 else "")


def picture(drawn: Sequence[tuple[Metric, Sequence[Row]]]) -> bytes:
    """A PNG with a chart of each metric's largest rows."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - drawing is slow to import

    from wisqu_pipelines.assets.charts import bars, png  # noqa: PLC0415

    across = min(len(drawn), ACROSS)
    down = -(-len(drawn) // across)
    figure = Figure(figsize=(11.5 if across > 1 else 7.5, 3.0 * down), layout="constrained", facecolor="white")
    charts = figure.subplots(down, across, squeeze=False).flatten()
    for axes, (metric, rows) in zip(charts, drawn, strict=False):
        names, measure = DRAWN[metric.name]
        largest = sorted(rows, key=lambda row: row[measure], reverse=True)[:BARS_SHOWN]
        shown = {
            ", ".join(telling.told(row[name], metric.columns[name]) for name in names): (
                row[measure],
                telling.told(row[measure], metric.columns[measure]),
            )
            for row in largest
        }
        bars(axes, f"{metric.title}: {measure}", shown, [COLOURS[metric.where]] * len(shown))
    for axes in charts[len(drawn) :]:
        axes.set_visible(False)
    return png(figure)


def _embedded(drawn: Sequence[tuple[Metric, Sequence[Row]]], about: str) -> MetadataValue[Any]:
    from wisqu_pipelines.assets.charts import embedded  # noqa: PLC0415

    return MetadataValue.md(embedded(picture(drawn), about))
