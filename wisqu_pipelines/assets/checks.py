"""The asset checks: an environment's stores agree with each other."""

from collections.abc import Callable
from dataclasses import dataclass

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    MetadataValue,
    asset_check,
)

from wisqu_pipelines.assets import keys, markdown
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.consistency import (
    Agreement,
    documents_have_points,
    nothing_left_over,
    rows_have_files,
)
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.settings import Declared


@dataclass(frozen=True, slots=True)
class _Invariant:
    """Something that holds in every environment while nothing is being promoted into it."""

    name: str
    kind: str
    """The kind of asset that the check hangs on."""
    description: str
    compare: Callable[[Services, str], Agreement]


INVARIANTS = (
    _Invariant(
        "rows_have_files",
        "stored_files",
        "Every visible row's object is there and has the row's size.",
        lambda services, name: rows_have_files(services.environments[name]),
    ),
    _Invariant(
        "documents_have_points",
        "rag_documents",
        "Readers find as many points of every visible document as its row says, and none that belong to no row.",
        lambda services, name: documents_have_points(services.environments[name]),
    ),
    _Invariant(
        "nothing_left_over",
        keys.VECTORS,
        "No object and no hidden point lies about that belongs to no row and that no rollback would need.",
        lambda services, name: nothing_left_over(
            services.environments[name], services.settings.buckets, services.settings.collections
        ),
    ),
)


def consistency_checks(declared: Declared) -> list[AssetChecksDefinition]:
    """Every invariant for every environment."""
    return [_check(environment, invariant) for environment in declared.environments for invariant in INVARIANTS]


def _check(environment: str, invariant: _Invariant) -> AssetChecksDefinition:
    @asset_check(
        asset=keys.key(environment, invariant.kind),
        name=invariant.name,
        description=invariant.description,
        pool=keys.pool(environment),
    )
    def check(context: AssetCheckExecutionContext, wisqu: WisquResource) -> AssetCheckResult:
        with told_as_outcome(context.instance, context.run.run_id):
            services = wisqu.services
            agreement = invariant.compare(services, environment)
            busy = promotion_under_way(services, environment)
        return check_result(agreement, busy=busy)

    return check


def promotion_under_way(services: Services, environment: str) -> bool:
    """Whether a promotion into the environment, or its rollback, has begun and not ended."""
    under_way = (PromotionState.EXECUTING, PromotionState.PUBLISHED, PromotionState.ROLLING_BACK)
    return any(
        promotion.target_environment == environment
        for state in under_way
        for promotion in services.promotions.list(state=state)
    )


def check_result(agreement: Agreement, *, busy: bool) -> AssetCheckResult:
    """What was found; only a warning while a promotion into the environment is under way."""
    shown = markdown.table(("what", "problem"), [(each.what, each.problem) for each in agreement.findings])
    metadata: dict[str, MetadataValue] = {
        "checked": MetadataValue.int(agreement.checked),
        "findings": MetadataValue.int(agreement.count),
    }
    if not agreement.holds:
        metadata["first findings"] = MetadataValue.md(shown)
    under_way = "; a promotion into this environment is under way, so look again when it has ended" if busy else ""
    return AssetCheckResult(
        passed=agreement.holds,
        severity=AssetCheckSeverity.WARN if busy else AssetCheckSeverity.ERROR,
        description=None if agreement.holds else f"{agreement.count} of {agreement.checked} do not agree{under_way}",
        metadata=metadata,
    )
