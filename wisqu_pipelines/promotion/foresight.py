"""What a rollback would do, before it is done."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID, uuid4

from sqlalchemy import select

from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.promotion.models import MOVING, Effect
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.results import ITEMS_SHOWN, RollbackPreview
from wisqu_pipelines.promotion.superseded import lost
from wisqu_pipelines.promotion.types import TYPES
from wisqu_pipelines.promotion.unpublishing import TROUBLES_NAMED, Scope, in_the_way, unpublish


class _UndoneError(Exception):
    """Ends a rehearsal, so that its transaction is rolled back."""


def foresee(scope: Scope, target: Environment, at: datetime, *, rehearse: bool) -> RollbackPreview:
    """What taking back the items of `scope` would do.

    Args:
        scope: The items.
        target: Where they are.
        at: The time now.
        rehearse: Whether its transaction is carried out and undone, if nothing is seen to stand in the way.

    Raises:
        RollbackRefused: the rehearsed transaction was refused.
    """
    counts: dict[Effect, dict[str, int]] = {effect: {} for effect in MOVING}
    shown: list[PlannedItem] = []
    for page in scope.pages():
        for item in page:
            counts[item.effect][item.item_type] = counts[item.effect].get(item.item_type, 0) + 1
        shown += page[: ITEMS_SHOWN - len(shown)]
    troubles, count = _first(lost(scope, target))
    try:
        with target.database.begin() as there:
            more, further = _first(in_the_way(there, scope, at))
            troubles, count = [*more, *troubles][:TROUBLES_NAMED], count + further
            if rehearse and not count:
                scope.promotion.rollback_id = uuid4()
                unpublish(there, scope, at)
            raise _UndoneError  # also gives up the locks that looking took
    except _UndoneError:
        pass
    amounts = scope.amounts().values()
    return RollbackPreview(
        promotion_id=scope.promotion.id,
        source_environment=scope.promotion.source_environment,
        target_environment=scope.promotion.target_environment,
        removed=counts[Effect.CREATE],
        restored=counts[Effect.UPDATE],
        bytes=sum(each["bytes"] for each in amounts),
        points=sum(each["points"] for each in amounts),
        in_the_way=troubles,
        in_the_way_count=count,
        items=shown,
        rehearsed=rehearse and not count,
    )


def _first(troubles: Iterator[str]) -> tuple[list[str], int]:
    """The first of them, and how many there are."""
    first = list(islice(troubles, TROUBLES_NAMED))
    return first, len(first) + sum(1 for _ in troubles)


def unneeded(target: Environment, owners: Sequence[PlannedItem], going: Iterable[PlannedItem]) -> Iterator[PlannedItem]:
    """Those of `owners` that no row of the target belongs to any more once the items `going` are gone."""
    leaving = [item.target_id for item in going]
    for owner in owners:
        if not any(target_id for target_id in _dependents(target, owner, leaving)):
            yield owner


def _dependents(target: Environment, owner: PlannedItem, leaving: Sequence[UUID]) -> Iterator[UUID]:
    for kind in TYPES.values():
        for column, owner_type in kind.belongs_to.items():
            if owner_type == owner.item_type:
                table = kind.table
                with target.database.snapshot() as session:
                    found = select(table.c.id).where(table.c[column] == owner.target_id, table.c.id.not_in(leaving))
                    yield from session.scalars(found.limit(1)).all()
