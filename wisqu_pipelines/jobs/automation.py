"""The jobs that ask for promotions without anybody at the keyboard."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dagster import (
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

from wisqu_pipelines.assets.progress import LoggedProgress
from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME, PATH
from wisqu_pipelines.errors import CiResultNotFound
from wisqu_pipelines.jobs.promotion import POOL
from wisqu_pipelines.jobs.waiting import deliveries_that_wait
from wisqu_pipelines.promotion.results import PromotionPreview
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.settings import Declared, path_name

WHY = "all that is approved, asked for by schedule"


def request_job(declared: Declared) -> JobDefinition:
    """The job, with the declared environments to choose from in the launchpad."""
    environment = Enum("RequestEnvironment", [EnumValue(name) for name in declared.environments])
    schema = {
        "source_environment": Field(environment, description="Where the items are."),
        "target_environment": Field(environment, description="Where they are to go."),
        "reason": Field(str, default_value=WHY, description="Why; it is kept with each promotion."),
    }

    @op(config_schema=schema, out={"plans": Out(Nothing)}, pool=POOL)
    def request_promotion(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
        """Preview what waits, and tell those who may approve it."""
        asked: dict[str, Any] = context.op_config
        path = path_name(asked["source_environment"], asked["target_environment"])
        context.instance.add_run_tags(context.run_id, {PATH: path})
        with told_as_outcome(context.instance, context.run_id):
            previews = wisqu.services.automation.request(
                asked["source_environment"],
                asked["target_environment"],
                asked["reason"],
                progress=LoggedProgress(context.log),
            )
        return Output(None, metadata=_metadata(previews))

    source, target = declared.paths[0] if declared.paths else (declared.environments[0],) * 2

    @job(
        name="promotion_request",
        config={"ops": {"request_promotion": {"config": {"source_environment": source, "target_environment": target}}}},
        tags={MAX_RUNTIME: str(2 * HOUR)},
        description="Preview all that is approved along a path and has no preview yet, as the account that "
        "automation.person names, and tell those who may approve it. It moves nothing.",
    )
    def request() -> None:
        request_promotion()

    return request


@op(
    config_schema={
        "delivery_id": Field(
            str,
            default_value="",
            description="The id of CI's delivery. Without one, the run does nothing and says which wait for it.",
        )
    },
    out={"promotions": Out(Nothing)},
    pool=POOL,
)
def promote_after_tests(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Ask for what the paths promote after tests, and approve it where the automation's account may."""
    named = str(context.op_config["delivery_id"]).strip()
    with told_as_outcome(context.instance, context.run_id):
        if not named:
            return Output(None, metadata=deliveries_that_wait(wisqu.services.automation.unhandled()))
        try:
            delivery_id = UUID(named)
        except ValueError:
            raise CiResultNotFound(delivery_id=named) from None
        asked = wisqu.services.automation.handle(delivery_id, progress=LoggedProgress(context.log))
    return Output(None, metadata={"promotions": MetadataValue.text(", ".join(map(str, asked)) or "none")})


@job(
    name="promotion_after_tests",
    tags={MAX_RUNTIME: str(2 * HOUR)},
    description="What follows from a result of CI: along paths with auto_promote_after_tests a preview of all that is "
    "approved, and its approval where the automation's account may approve. The sensor starts it. Without an id it "
    "changes nothing and says which deliveries wait for it.",
    config={"ops": {"promote_after_tests": {"config": {"delivery_id": ""}}}},
)
def promotion_after_tests() -> None:
    """What follows from CI's tests."""
    promote_after_tests()


def _metadata(previews: Sequence[PromotionPreview]) -> dict[str, MetadataValue[Any]]:
    lines = ["| type | items | blocked | bytes | vectors | promotion |", "|---|---|---|---|---|---|"]
    for each in previews:
        numbers = (each.total_count, each.blocked_count, each.total_size_bytes, each.total_points)
        lines.append(f"| {each.promotion_type} | {' | '.join(map(str, numbers))} | {each.promotion_id} |")
    told = "\n".join(lines) if previews else "Nothing waits that has no preview yet."
    return {"plans": MetadataValue.md(told), "items": MetadataValue.int(sum(each.total_count for each in previews))}
