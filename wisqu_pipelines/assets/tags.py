"""The tags by which runs of one promotion, path or environment are found, and that say how long a run may last."""

from uuid import UUID

from dagster import AssetCheckExecutionContext, AssetExecutionContext

from wisqu_pipelines.settings import path_name

PROMOTION = "wisqu/promotion"
PATH = "wisqu/path"
ENVIRONMENT = "wisqu/environment"
PERSON = "wisqu/person"
SWEEP = "wisqu/sweep"
DELIVERY = "wisqu/ci-delivery"
MAX_RUNTIME = "dagster/max_runtime"
"""Seconds after which Dagster's monitoring ends a run of the job; what it was at is gone on with by the next."""
HOUR = 3_600
SENSOR = "dagster/sensor_name"
"""With it Dagster says which sensor a run was launched by."""


def promotion_tags(promotion_id: UUID, source: str, target: str, person: str | None = None) -> dict[str, str]:
    """The tags of a run that works on a promotion, which `person` asked for where one is known."""
    asked = {} if person is None else {PERSON: person}
    return {PROMOTION: str(promotion_id), PATH: path_name(source, target), **asked}


def op_tags(hours: int, environment: str | None = None) -> dict[str, str]:
    """What the op of an asset or of a check says of the runs that it is in: `tag_asset_run` reads it.

    Args:
        hours: How long such a run may last.
        environment: Whose stores it reads; None: no environment's.
    """
    return {MAX_RUNTIME: str(hours * HOUR), **({} if environment is None else {ENVIRONMENT: environment})}


def tag_asset_run(context: AssetExecutionContext | AssetCheckExecutionContext) -> None:
    """Give the run the tags that its ops ask for, but none that it has already: it may last as long as the longest of
    them, and is of an environment if all of them are.

    Backfills and the buttons of an asset's page run Dagster's own job for assets, and no tags can be declared for that.
    """
    asked = [node.tags for node in context.job_def.graph.node_defs if MAX_RUNTIME in node.tags]
    tags = {MAX_RUNTIME: str(max(int(each[MAX_RUNTIME]) for each in asked))}
    environments = {each.get(ENVIRONMENT) for each in asked}
    if len(environments) == 1 and (environment := environments.pop()):
        tags[ENVIRONMENT] = environment
    if missing := {name: tag for name, tag in tags.items() if name not in context.run.tags}:
        context.instance.add_run_tags(context.run.run_id, missing)
