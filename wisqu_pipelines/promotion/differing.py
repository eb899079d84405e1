"""Rows that reading back found to be others than were planned: what stood there is written down, so that a rollback
can tell them from what somebody edited later.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import Step
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.types import PromotableType
from wisqu_pipelines.promotion.work import Work

Standing: TypeAlias = Mapping[str, Any]
"""What a row in a target is (`content.standing`)."""


def brought(kind: PromotableType, item: PlannedItem, staging: Staging) -> Standing:
    """What an item's row in the target is, as long as it is what the promotion brought."""
    return {"row": item.source_hashes.row, **staging.names(kind, item)}


def begin(work: Work) -> None:
    """Forget what an earlier run saw: everything is read again."""
    with work.ledger.guarded(work.claim) as (session, promotion):
        work.ledger.forget(session, promotion.id, Step.DIFFERED)


def write_down(
    work: Work, staging: Staging, kind: PromotableType, page: Sequence[PlannedItem], found: Mapping[UUID, Standing]
) -> None:
    """Keep what stands where a page's rows should be, for those that are not what was brought.

    Args:
        work: The promotion.
        staging: Knows the names under which it brought things.
        kind: The page's type.
        page: The items that were read.
        found: What stands there, by the rows' ids; a row that is not there is missing.
    """
    others = [item for item in page if found.get(item.target_id) != brought(kind, item, staging)]
    stood = {item.source_id: json.dumps(found.get(item.target_id)) for item in others}
    work.ledger.journal(work.claim, others, Step.DIFFERED, stood)


def seen(ledger: Ledger, promotion_id: UUID, page: Sequence[PlannedItem]) -> Mapping[UUID, Standing | None]:
    """What stood there then for those of a page's items that were others, by source id; None: no row did."""
    kept = ledger.items.details(promotion_id, page, Step.DIFFERED)
    return {source_id: json.loads(detail) for source_id, detail in kept.items()}
