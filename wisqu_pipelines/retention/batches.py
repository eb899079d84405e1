"""A sweep's items in batches: each has one transaction, which locks little."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, bindparam, func, or_, select

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.retention.kinds import Kind
from wisqu_pipelines.retention.models import ItemState, SweepItem

AT_ONCE = 2_000
"""Items of a batch."""


class Batch(NamedTuple):
    """Items of a kind that one transaction has to do with."""

    above: UUID
    last: UUID
    rows: int

    @property
    def span(self) -> Mapping[str, UUID]:
        """The parameters of a statement about `items_of_batch`."""
        return {"above": self.above, "last": self.last}


def items_of_batch(sweep_id: UUID, kind: Kind, state: ItemState) -> tuple[ColumnElement[bool], ...]:
    """That an item is of the batch `above` to `last`, and in that state."""
    return (
        SweepItem.sweep_id == sweep_id,
        SweepItem.item_type == kind.name,
        SweepItem.state == state,
        SweepItem.item_id > bindparam("above", type_=Uuid()),
        SweepItem.item_id <= bindparam("last", type_=Uuid()),
    )


def batches(database: Database, sweep_id: UUID, kind: Kind, *states: ItemState) -> Sequence[Batch]:
    """The batches of a kind's items in these states."""
    item_id = SweepItem.item_id
    numbered = (
        select(item_id, func.row_number().over(order_by=item_id).label("number"), func.count().over().label("all"))
        .where(SweepItem.sweep_id == sweep_id, SweepItem.item_type == kind.name, SweepItem.state.in_(states))
        .subquery()
    )
    is_last = or_(numbered.c.number % AT_ONCE == 0, numbered.c.number == numbered.c.all)
    with database.begin() as session:
        ends = session.execute(select(numbered.c.item_id, numbered.c.number).where(is_last).order_by("number")).all()
    starts = [(UUID(int=0), 0), *ends]
    return [Batch(above, last, number - before) for (above, before), (last, number) in zip(starts, ends, strict=False)]
