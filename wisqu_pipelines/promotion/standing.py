"""What stands in a target, and what that means for the items of a plan."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import table_of
from wisqu_pipelines.database.bulk import among, array
from wisqu_pipelines.promotion.drafts import Draft, target_id, twins
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
    taken: Mapping[str, Collection[str]]
    """By column, values that the target has, and may have once."""

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
                if draft.twin is None:
                    draft.block(f"{self.target} has a {draft.kind.name} of its own with this {column}")

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


@dataclass(frozen=True, slots=True)
class Question:
    """What there is to ask of a target, in few statements, which answer only where there is something to say."""

    source: str
    """The source environment."""
    target: str
    """The target environment."""
    between: Sequence[str]
    """The environments by way of which items can get there too."""

    def ask(self, session: Session, kind: PromotableType, drafts: Sequence[Draft]) -> Standing:
        """What stands there for items of one type.

        Args:
            session: A transaction in the target.
            kind: The type.
            drafts: The items.
        """
        columns = kind.table.c
        ids = (draft.id for draft in drafts)
        rows = session.execute(twins(kind, self.source).where(among(columns.source_id, ids)))
        found = {row.source_id: row for row in rows}
        alone = [draft for draft in drafts if draft.id not in found]
        other_ways = list(self._other_ways(session, kind, alone))
        missing = {column: _missing(session, kind, column, drafts) for column in kind.needs}
        taken: dict[str, Collection[str]] = {}
        for column in kind.unique:
            values = {getattr(draft.row, f"unique_{column}") for draft in alone}
            known = select(cast(columns[column], Text)).where(among(columns[column], values))
            taken[column] = set(session.scalars(known))
        return Standing(self.target, found, other_ways, missing, taken)

    def _other_ways(
        self, session: Session, kind: PromotableType, drafts: Sequence[Draft]
    ) -> Iterator[tuple[str, str, str]]:
        ways: dict[str, dict[str, str]] = defaultdict(dict)
        for draft in drafts:
            if draft.row.came_as is not None:
                ways[draft.row.came_from][draft.row.came_as] = draft.id
            for name in self.between:
                ways[name][target_id(draft.id, kind.name, name)] = draft.id
        columns = kind.table.c
        for name, members in ways.items():
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
