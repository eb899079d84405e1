"""The asset checks: an environment's rows, objects and points belong together. The job `storage_audit` runs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetSelection,
    MetadataValue,
    asset_check,
    define_asset_job,
)

from wisqu_pipelines.assets import keys, markdown
from wisqu_pipelines.assets.progress import LoggedProgress
from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME, op_tags, tag_asset_run
from wisqu_pipelines.catalog.models import ListedStore
from wisqu_pipelines.figures import counted
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.settings import Declared
from wisqu_pipelines.storage_audit.report import Amount, AuditReport

LONGEST_HOURS = 12


@dataclass(frozen=True, slots=True)
class _Audited:
    """What one check looks at."""

    name: str
    kind: str
    """The kind of asset that the check hangs on."""
    store: ListedStore
    description: str


AUDITED = (
    _Audited(
        "files_belong",
        "stored_files",
        ListedStore.OBJECTS,
        "Every row's object is there with the row's size, and every object is needed by a row, a promotion or a "
        "rollback.",
    ),
    _Audited(
        "points_belong",
        keys.VECTORS,
        ListedStore.POINTS,
        "Every row's points are there, readers find those of every visible document, and all points are needed by a "
        "row, a promotion or a rollback.",
    ),
)


def storage_checks(declared: Declared) -> list[AssetChecksDefinition]:
    """Both checks for every environment."""
    return [_check(environment, audited) for environment in declared.environments for audited in AUDITED]


def _check(environment: str, audited: _Audited) -> AssetChecksDefinition:
    @asset_check(
        asset=keys.key(environment, audited.kind),
        name=audited.name,
        description=audited.description,
        op_tags=op_tags(LONGEST_HOURS, environment),
        pool=keys.pool(environment),
    )
    def check(context: AssetCheckExecutionContext, wisqu: WisquResource) -> AssetCheckResult:
        tag_asset_run(context)
        with told_as_outcome(context.instance, context.run.run_id):
            report = wisqu.services.storage_audit(environment).run(
                stores=[audited.store], progress=LoggedProgress(context.log)
            )
        return check_result(report)

    return check


def check_result(report: AuditReport) -> AssetCheckResult:
    """What was found. It is an error that rows miss something, unless a promotion into the environment is under way;
    what nothing needs only takes room, and is a warning.
    """
    (store,) = report.stores
    metadata: dict[str, MetadataValue] = {
        "checked": MetadataValue.int(store.listed.count),
        "findings": MetadataValue.int(store.orphans.count + store.danglings.count),
        **_amounts("orphans", store.orphans),
        **_amounts("orphans past the grace time", store.due),
        **_amounts("rows that miss something", store.danglings),
        "newly marked": MetadataValue.int(report.newly_marked),
    }
    if report.findings:
        rows = [(each.problem.value, each.sentence, markdown.size(each.bytes)) for each in report.findings]
        metadata["first findings"] = MetadataValue.md(markdown.table(("what", "which", "size"), rows))
    busy = report.promotion_under_way
    broken = store.danglings.count and not busy
    return AssetCheckResult(
        passed=report.is_clean,
        severity=AssetCheckSeverity.ERROR if broken else AssetCheckSeverity.WARN,
        description=None if report.is_clean else _description(report, busy=busy),
        metadata=metadata,
    )


def _description(report: AuditReport, *, busy: bool) -> str:
    under_way = "; a promotion into this environment is under way, so look again when it has ended" if busy else ""
    orphans, danglings = report.orphans, report.danglings
    return (
        f"{counted(danglings.count, 'row')} without what belongs to them; {orphans.count} {report.stores[0].store} "
        f"({markdown.size(orphans.bytes)}) that nothing needs{under_way}"
    )


def _amounts(name: str, amount: Amount) -> dict[str, MetadataValue]:
    return {name: MetadataValue.int(amount.count), f"{name}, bytes": MetadataValue.int(amount.bytes)}


def audit_job(checks: Sequence[AssetChecksDefinition]) -> Any:
    """The job `storage_audit`, which makes these checks."""
    return define_asset_job(
        "storage_audit",
        selection=AssetSelection.checks(*checks),
        tags={MAX_RUNTIME: str(LONGEST_HOURS * HOUR)},
        description="Compare rows, objects and points of every environment, and mark what nothing needs. It removes "
        "nothing: a person does that with 'wisqu storage audit ENV --repair'.",
    )
