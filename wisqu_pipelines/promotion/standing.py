"""What stands in a target, and what that means for the items of a plan."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import table_of
from wisqu_pipelines.database.bulk import among, array
from wisqu_pipelines.promotion.drafts import Draft, target_id, twins
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.types import PromotableType


@dataclass(frozen=True, slots=True)
class Standing:
    """What a target has that matters to items of one type; ids and values as text."""

    target: str
    twins: Mapping[str, Row[Any]]
    """By the items' ids."""
    other_ways: Sequence[tuple[str, str, str]]
    """The id of an item that is there already, that of its row there, and the environment that it came from."""
    missing: Mapping[str, Collection[str]]
    """By column, rows that the items need and the target does not have."""
    taken: Mapping[str, Mapping[str, str]]
    """By column, values that the target has, and may have once, with the ids of the rows that have them."""

    def judge(self, drafts: Sequence[Draft]) -> None:
        """Give the items their twins, and block those that must not be written over, would be there twice, or lack
        something.
        """
        if self.twins:
            self._meet(drafts)
        if self.other_ways:
            by_id = {draft.id: draft for draft in drafts}
            for item_id, there, name in self.other_ways:
                by_id[item_id].block(
                    f"{self.target} has it already, as {there}, which came from {name}: promote it along "
                    "that way, or take that promotion back first"
                )
        for column, missing in self.missing.items():
            for draft in _with(f"needs_{column}", missing, drafts):
                what = f"{draft.kind.needs[column].__tablename__} {getattr(draft.row, f'needs_{column}')}"
                draft.block(f"{self.target} has no {what}, which it needs")
        for column, taken in self.taken.items():
            for draft in _with(f"unique_{column}", taken, drafts):
                holder = taken[getattr(draft.row, f"unique_{column}")]
                if draft.twin is None:
                    draft.block(f"{self.target} has a {draft.kind.name} of its own with this {column}")
                elif holder != draft.twin.id:
                    draft.block(f"{self.target} has another {draft.kind.name} with this {column}, {holder}")

    def _meet(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            twin = draft.twin = self.twins.get(draft.id)
            if twin is not None:
                draft.target_id = twin.id
                self._judge_twin(draft, twin)

    def _judge_twin(self, draft: Draft, twin: Row[Any]) -> None:
        if twin.is_deleted:
            draft.block(f"its twin {twin.id} in {self.target} is deleted")
        elif twin.is_test_data:
            draft.block(f"its twin {twin.id} in {self.target} is marked as test data")
        elif twin.promotion_status == PromotionStatus.PROMOTING:
            draft.block(f"its twin {twin.id} in {self.target} is held by the promotion {twin.held_by_promotion_id}")
        elif twin.is_edited:
            draft.block(f"its twin {twin.id} in {self.target} was edited since it arrived")
        elif twin.is_held and draft.effect is Effect.UPDATE:
            draft.block(f"a legal hold is on its twin {twin.id} in {self.target}, which would lose what it says")


@dataclass(frozen=True, slots=True)
class Question:
    """What there is to ask of a target, in few statements, which answer only where there is something to say."""

    source: str
    """The source environment."""
    target: str
    """The target environment."""
    between: Sequence[str]
    """The environments by way of which items can get there too."""
    at: datetime
    """The time now."""

    def ask(self, session: Session, kind: PromotableType, drafts: Sequence[Draft]) -> Standing:
        """What stands there for items of one type.

        Args:
            session: A transaction in the target.
            kind: The type.
            drafts: The items.
        """
        columns = kind.table.c
        ids = (draft.id for draft in drafts)
        rows = session.execute(twins(kind, self.source, self.at).where(among(columns.source_id, ids)))
        found = {row.source_id: row for row in rows}
        alone = [draft for draft in drafts if draft.id not in found]
        came = {draft.id: (draft.row.came_from, draft.row.came_as) for draft in alone if draft.row.came_as is not None}
        by_way = ways(kind, [draft.id for draft in alone], came, self.between)
        arrived = list(other_ways(session, kind, by_way))
        missing = {column: _missing(session, kind, column, drafts) for column in kind.needs}
        taken: dict[str, Mapping[str, str]] = {}
        for column in kind.unique:
            values = {getattr(draft.row, f"unique_{column}") for draft in drafts}
            known = select(cast(columns[column], Text), cast(columns.id, Text)).where(among(columns[column], values))
            taken[column] = {value: holder for value, holder in session.execute(known)}  # noqa: C416
        return Standing(self.target, found, arrived, missing, taken)


def ways(
    kind: PromotableType, ids: Iterable[str], came: Mapping[str, tuple[str, str]], between: Sequence[str]
) -> Mapping[str, Mapping[str, str]]:
    """Under which ids items are known that get to a target another way: by environment, id → the item's.

    Args:
        kind: The items' type.
        ids: The items, by their ids at the source.
        came: The environment and the id that items came from to the source themselves.
        between: The environments by way of which they can get to the target too.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for item_id in ids:
        if item_id in came:
            place, came_as = came[item_id]
            found[place][came_as] = item_id
        for name in between:
            found[name][target_id(item_id, kind.name, name)] = item_id
    return found


def other_ways(
    session: Session, kind: PromotableType, by_way: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, str, str]]:
    """The items that are in a target already, having come another way: their ids, those of their rows there, and the
    environment that these came from.

    Args:
        session: A transaction in the target.
        kind: The items' type.
        by_way: As `ways` finds it.
    """
    columns = kind.table.c
    for name, members in by_way.items():
        came = select(cast(columns.id, Text), cast(columns.source_id, Text)).where(
            columns.source_environment == name, ~columns.is_deleted, among(columns.source_id, members)
        )
        for there, came_as in session.execute(came):
            yield members[came_as], there, name


def _missing(session: Session, kind: PromotableType, column: str, drafts: Sequence[Draft]) -> set[str]:
    needed = table_of(kind.needs[column])
    values = {getattr(draft.row, f"needs_{column}") for draft in drafts}
    wanted = func.unnest(array(needed.c.id.type, values)).column_valued("wanted")
    there = select(literal(1)).where(needed.c.id == wanted, ~needed.c.is_deleted).exists()
    return set(session.scalars(select(cast(wanted, Text)).where(~there)))


def _with(name: str, values: Collection[str], drafts: Sequence[Draft]) -> Sequence[Draft]:
    """The drafts whose rows have one of these values."""
    return [draft for draft in drafts if getattr(draft.row, name) in values] if values else ()
