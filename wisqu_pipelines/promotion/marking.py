"""Telling the source what has been promoted."""

from concurrent.futures import ThreadPoolExecutor

from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentPromotion
from wisqu_pipelines.promotion.models import TAKEN, Step
from wisqu_pipelines.promotion.sources import mark
from wisqu_pipelines.promotion.work import Work
from wisqu_pipelines.side_by_side import ahead


def tell_source(work: Work, published: EnvironmentPromotion) -> None:
    """Mark the source's rows as promoted that have not been yet, and write that down there.

    Args:
        work: The claimed promotion.
        published: Its receipt.

    Raises:
        ClaimLost: another run has taken it over.
    """
    unmarked = work.ledger.items.names(work.id, effects=TAKEN, not_passed=(Step.SKIPPED, Step.SOURCE_MARKED))
    with ThreadPoolExecutor(1) as reading:
        for names in ahead(unmarked, reading):
            mark(work.route.source, work.id, names, _sent(work, published))
            work.ledger.journal(work.claim, names, Step.SOURCE_MARKED)


def _sent(work: Work, published: EnvironmentPromotion) -> DeveloperAction:
    return DeveloperAction(
        developer_id=published.promoted_by_user_id,
        environment=work.route.source.name,
        action=f"promoted_to_{work.route.target.name}",
        reason=published.reason,
        details={"promotion_id": str(work.id), "items": published.success_count},
        occurred_at=work.clock.now(),
    )
