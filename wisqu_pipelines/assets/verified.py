"""The asset check on what promotions brought: what reading it back after publishing came to."""

from collections.abc import Mapping
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    MetadataValue,
    asset_check,
)

from wisqu_pipelines.assets import keys, markdown
from wisqu_pipelines.assets.tags import op_tags, tag_asset_run
from wisqu_pipelines.promotion.results import PromotionReport
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.settings import Declared

CHECK = "promotions_verified"
LONGEST_HOURS = 1


def verification_checks(declared: Declared) -> list[AssetChecksDefinition]:
    """The check for every environment into which something is promoted."""
    return [_check(environment) for environment in declared.environments if declared.sources_of(environment)]


def _check(environment: str) -> AssetChecksDefinition:
    @asset_check(
        asset=keys.key(environment, keys.RECEIPTS),
        name=CHECK,
        description="What the last promotion into this environment brought was read back, and is what was approved.",
        op_tags=op_tags(LONGEST_HOURS, environment),
        pool=keys.pool(environment),
    )
    def check(context: AssetCheckExecutionContext, wisqu: WisquResource) -> AssetCheckResult:
        tag_asset_run(context)
        with told_as_outcome(context.instance, context.run.run_id):
            last = wisqu.services.promotions.last_verified(environment)
        if last is None or last.verification is None:
            return AssetCheckResult(passed=True, description="Nothing has been promoted yet.")
        return AssetCheckResult(passed=_passed(last.verification), metadata=_metadata(last, last.verification))

    return check


def evaluation(promotion: PromotionReport, verification: Mapping[str, Any]) -> AssetCheckEvaluation:
    """The same, as the run that verified tells it."""
    return AssetCheckEvaluation(
        asset_key=keys.key(promotion.target_environment, keys.RECEIPTS),
        check_name=CHECK,
        passed=_passed(verification),
        metadata=_metadata(promotion, verification),
    )


def _passed(verification: Mapping[str, Any]) -> bool:
    return bool(verification["outcome"] == "passed")


def _metadata(promotion: PromotionReport, verification: Mapping[str, Any]) -> dict[str, MetadataValue]:
    rows = [(name, each["checked"], each["failed"]) for name, each in verification["checks"].items()]
    return {
        "promotion": MetadataValue.text(str(promotion.promotion_id)),
        "state": MetadataValue.text(promotion.state.value),
        "level": MetadataValue.text(verification["level"]),
        "compared": MetadataValue.md(markdown.table(("what", "compared", "wrong"), rows)),
        "findings": MetadataValue.md(
            "\n".join(f"- {markdown.text(each)}" for each in verification["findings"]) or "none"
        ),
    }
