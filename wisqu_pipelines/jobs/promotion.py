"""The promotion jobs: preview, execute, roll back."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from dagster import (
    AssetCheckEvaluation,
    AssetMaterialization,
    Enum,
    EnumValue,
    Field,
    JobDefinition,
    MetadataValue,
    Nothing,
    OpExecutionContext,
    Out,
    Output,
    job,
    op,
)

from wisqu_pipelines.assets import markdown
from wisqu_pipelines.assets.progress import LoggedProgress
from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME, promotion_tags
from wisqu_pipelines.assets.verified import evaluation
from wisqu_pipelines.errors import ItemNotFound, PromotionNotFound, VerificationFailed
from wisqu_pipelines.figures import counted
from wisqu_pipelines.jobs.landing import landed, outcome_metadata
from wisqu_pipelines.jobs.report import items_table, report
from wisqu_pipelines.jobs.waiting import promotions_that_wait
from wisqu_pipelines.promotion.results import PromotionPreview, PromotionReport, PromotionResult
from wisqu_pipelines.promotion.service import EnvironmentPromotionService
from wisqu_pipelines.promotion.types import TYPES
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.settings import Declared, PathSettings, decision_url

POOL = "promotions"
"""Bounds how many promotions run at once."""
VIA = "dagster"
"""Recorded as how a plan was asked for; the Dagster UI knows no people, so no person is recorded with it."""
Event = AssetCheckEvaluation | AssetMaterialization | Output[None]
"""What an op tells Dagster."""
EXAMPLE_TYPE = "rag_documents"
PROMOTION_CONFIG = {
    "promotion_id": Field(
        str,
        default_value="",
        description="The promotion's id, as its preview showed it. Without one, the run does nothing and says which "
        "promotions wait for it.",
    )
}


def promotion_jobs(declared: Declared) -> list[JobDefinition]:
    """The three jobs, with the declared environments and the known types to choose from in the launchpad."""
    return [_preview_job(declared), promotion_execute, promotion_rollback]


def _preview_job(declared: Declared) -> JobDefinition:
    environment = Enum("Environment", [EnumValue(name) for name in declared.environments])
    promotion_type = Enum("PromotionType", [EnumValue(name) for name in TYPES])
    schema = {
        "promotion_type": Field(promotion_type, description="What is promoted."),
        "source_environment": Field(environment, description="Where the items are."),
        "target_environment": Field(environment, description="Where they are to go."),
        "item_ids": Field([str], is_required=False, description="The ids to promote; all approved items if left out."),
        "reason": Field(str, is_required=False, description="Why; it is kept with the promotion."),
    }

    @op(config_schema=schema, out={"plan": Out(Nothing)}, pool=POOL)
    def preview_promotion(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
        """Make a plan, and show it."""
        from wisqu_pipelines.assets.charts import embedded  # noqa: PLC0415 - only this op draws, and it is slow
        from wisqu_pipelines.jobs.picture import picture  # noqa: PLC0415

        asked = context.op_config
        with told_as_outcome(context.instance, context.run_id):
            services = wisqu.services
            preview = services.promotions.preview_promotion(
                asked["promotion_type"],
                asked["source_environment"],
                asked["target_environment"],
                _item_ids(asked.get("item_ids"), asked["promotion_type"], asked["source_environment"]),
                requested_via=VIA,
                reason=asked.get("reason"),
                progress=LoggedProgress(context.log),
            )
        path = services.settings.path(preview.source_environment, preview.target_environment)
        context.instance.add_run_tags(
            context.run_id,
            promotion_tags(preview.promotion_id, preview.source_environment, preview.target_environment),
        )
        goes = counted(preview.total_count, "item")
        shown = f"{preview.promotion_type}: {goes} to write, {preview.blocked_count} blocked"
        return Output(
            None,
            metadata={
                "plan": MetadataValue.md(report(preview, path, embedded(picture(preview), shown))),
                "promotion": MetadataValue.text(str(preview.promotion_id)),
                **_decide(services.settings.api_url, preview, path),
                "plan digest": MetadataValue.text(preview.plan_digest),
                "items to write": MetadataValue.int(preview.total_count),
                "blocked": MetadataValue.int(preview.blocked_count),
                "bytes": MetadataValue.int(preview.total_size_bytes),
                "points": MetadataValue.int(preview.total_points),
                "items": items_table(preview),  # the last: Dagster shows the top of it all, and this is long
            },
        )

    @job(
        name="promotion_preview",
        config=_example(declared),
        tags={MAX_RUNTIME: str(2 * HOUR)},
        description=(
            "Make a plan of what a promotion would do, and show it. It moves nothing: a person approves the plan with "
            "'wisqu approvals grant', and the approvals sensor executes it then."
        ),
    )
    def preview() -> None:
        preview_promotion()

    return preview


def _example(declared: Declared) -> dict[str, Any]:
    """What the launchpad shows at first: all documents, along the first path."""
    config = [
        {"promotion_type": EXAMPLE_TYPE, "source_environment": source, "target_environment": target}
        for source, target in declared.paths
    ]
    return {"ops": {"preview_promotion": {"config": config[0]}}} if config else {}


@op(config_schema=PROMOTION_CONFIG, out={"result": Out(Nothing)}, pool=POOL)
def execute_promotion(context: OpExecutionContext, wisqu: WisquResource) -> Iterator[Event]:
    """Execute an approved promotion; who approved it is read from the control database."""
    with told_as_outcome(context.instance, context.run_id):
        promotions = wisqu.services.promotions
        if not _named(context):
            yield _waiting(promotions, promotions.ready())
            return
        standing = _standing(context, promotions)
        _tag(context, standing, standing.requested_by)
        try:
            result = promotions.execute(
                standing.promotion_id, run_id=_run(context), progress=LoggedProgress(context.log)
            )
        except VerificationFailed:
            yield from _verified(promotions.status(standing.promotion_id))
            raise
        yield from _verified(promotions.status(standing.promotion_id))
    yield from _landed(context, result, standing.plan_digest)


@op(config_schema=PROMOTION_CONFIG, out={"result": Out(Nothing)}, pool=POOL)
def rollback_promotion(context: OpExecutionContext, wisqu: WisquResource) -> Iterator[Event]:
    """Roll back a promotion, as a person asked before; who asked is read from the control database."""
    with told_as_outcome(context.instance, context.run_id):
        promotions = wisqu.services.promotions
        if not _named(context):
            yield _waiting(promotions, promotions.rollbacks_requested())
            return
        standing = _standing(context, promotions)
        _tag(context, standing, standing.rollback_asked_by)
        result = promotions.rollback(standing.promotion_id, run_id=_run(context), progress=LoggedProgress(context.log))
        # What lands is newer than the check's last word, and Dagster would show that as none.
        yield from _verified(promotions.last_verified(standing.target_environment))
    yield from _landed(context, result, standing.plan_digest)


@job(
    tags={MAX_RUNTIME: str(12 * HOUR)},
    description="Execute an approved promotion. The approvals sensor starts it; an unapproved one is refused. "
    "Without an id it changes nothing and says which promotions wait for it.",
    config={"ops": {"execute_promotion": {"config": {"promotion_id": ""}}}},
)
def promotion_execute() -> None:
    """Execute an approved promotion."""
    execute_promotion()


@job(
    tags={MAX_RUNTIME: str(12 * HOUR)},
    description="Take a promotion back as a person asked with 'wisqu promote rollback --request'; others are refused. "
    "Without an id it changes nothing and says which promotions wait for it.",
    config={"ops": {"rollback_promotion": {"config": {"promotion_id": ""}}}},
)
def promotion_rollback() -> None:
    """Roll back a promotion."""
    rollback_promotion()


def _decide(api_url: str, preview: PromotionPreview, path: PathSettings) -> dict[str, MetadataValue[Any]]:
    """Where people decide on a plan. One of nothing needs no decision; and as it is not known here who asked for it,
    none can be made where nobody may approve their own.
    """
    if not preview.total_count or not path.self_approval:
        return {}
    return {"decide on it": MetadataValue.url(decision_url(api_url, "promotions", preview.promotion_id))}


def _named(context: OpExecutionContext) -> str:
    """The id that the launchpad was given, or nothing."""
    return str(context.op_config["promotion_id"]).strip()


def _waiting(promotions: EnvironmentPromotionService, ids: Sequence[UUID]) -> Output[None]:
    return Output(None, output_name="result", metadata=promotions_that_wait(promotions, ids))


def _standing(context: OpExecutionContext, promotions: EnvironmentPromotionService) -> PromotionReport:
    """The promotion that the run is to work on."""
    return promotions.status(_promotion_id(_named(context)))


def _tag(context: OpExecutionContext, standing: PromotionReport, person: str | None) -> None:
    """Let the run's tags name its promotion, and who asked for what it does to that."""
    ends = standing.source_environment, standing.target_environment
    context.instance.add_run_tags(context.run_id, promotion_tags(standing.promotion_id, *ends, person))


def _verified(report: PromotionReport | None) -> Iterator[AssetCheckEvaluation]:
    """What reading back came to. It is yielded at once: what is only logged is lost with a step that fails."""
    if report is not None and report.verification is not None:
        yield evaluation(report, report.verification)


def _landed(context: OpExecutionContext, result: PromotionResult, plan_digest: str) -> Iterator[Event]:
    yield from landed(context.instance, result, plan_digest)
    metadata = outcome_metadata(result, plan_digest)
    if result.errors:
        metadata["left behind"] = MetadataValue.md("\n".join(f"- {markdown.text(error)}" for error in result.errors))
    yield Output(None, output_name="result", metadata=metadata)


def _run(context: OpExecutionContext) -> str:
    """What the run is called in the control database: a retry or a re-execution comes back as the run that it goes on
    with, and need not wait for that one's lease.
    """
    return context.run.root_run_id or context.run_id


def _promotion_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise PromotionNotFound(promotion_id=text) from None


def _item_ids(texts: Sequence[str] | None, promotion_type: str, environment: str) -> list[UUID] | None:
    """The ids that were asked for; none at all means every approved item."""
    ids = []
    for text in texts or ():
        try:
            ids.append(UUID(text))
        except ValueError:
            raise ItemNotFound(type=promotion_type, item_id=text, environment=environment) from None
    return ids or None
