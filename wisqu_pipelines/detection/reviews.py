"""The queue of items that look like test data, but not enough for a machine: a person says what each is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import EnvironmentRow, table_of
from wisqu_pipelines.catalog.repository import EnvironmentAwareRepository
from wisqu_pipelines.detection.fields import MODELS, label_of, model_named, text_fields
from wisqu_pipelines.detection.models import TestDataReview
from wisqu_pipelines.errors import ItemNotFound
from wisqu_pipelines.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class Review:
    """An item that waits, with what speaks for and against it."""

    item_type: str
    item_id: UUID
    label: str
    score: float
    reason: str
    evidence: list[dict[str, Any]]
    """Each with `recogniser`, `group`, `field`, `weight`, `found` and `explanation`."""
    found_at: datetime


class ReviewQueue:
    """The queue of one environment, in a transaction of the caller's."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Work in the environment of the session."""
        self._session = session
        self._clock = clock

    def waiting(self, limit: int) -> tuple[list[Review], int]:
        """The items that wait, the likeliest test data first, and how many there are in all. One that was decided on
        elsewhere, or deleted, waits no more.

        Args:
            limit: At most so many.
        """
        found: list[Review] = []
        total = 0
        for model in MODELS.values():
            table = table_of(model)
            waiting = (
                select(TestDataReview, *(table.c[name] for name in text_fields(model)))
                .join(table, table.c.id == TestDataReview.item_id)
                .where(
                    TestDataReview.item_type == table.name,
                    ~table.c.test_data_by_person,
                    ~table.c.is_deleted,
                )
            )
            total += self._session.scalars(select(func.count()).select_from(waiting.subquery("waiting"))).one()
            for row in self._session.execute(waiting.order_by(TestDataReview.score.desc()).limit(limit)):
                review = row[0]
                found.append(
                    Review(
                        item_type=review.item_type,
                        item_id=review.item_id,
                        label=label_of({name: getattr(row, name) for name in text_fields(model)})
                        or str(review.item_id),
                        score=review.score,
                        reason=review.reason,
                        evidence=review.evidence,
                        found_at=review.found_at,
                    )
                )
        found.sort(key=lambda each: (-each.score, each.found_at, each.item_id))
        return found[:limit], total

    def decide(self, item_id: UUID, *, is_test_data: bool, person: UUID, reason: str | None) -> EnvironmentRow:
        """Say what an item is; no scan says anything else of it from then on.

        Args:
            item_id: Of an item that waits.
            is_test_data: What it is.
            person: Who says so.
            reason: Why. Without one, test data keeps the reason that put it into the queue.

        Raises:
            ItemNotFound: no such item waits.
            ItemRefused: a running promotion holds it.
            BadInput: the reason is not usable.
        """
        review = self._session.scalar(select(TestDataReview).where(TestDataReview.item_id == item_id).with_for_update())
        if review is None:
            environment = str(self._session.info["environment"].name)
            raise ItemNotFound(type="item that waits for a review", item_id=str(item_id), environment=environment)
        items = EnvironmentAwareRepository(
            self._session, model_named(review.item_type), auto_exclude_test_data=False, clock=self._clock
        )
        row = (
            items.mark_as_test_data(item_id, reason or review.reason, developer_id=person)
            if is_test_data
            else items.mark_as_real(item_id, developer_id=person, reason=reason)
        )
        self._session.execute(delete(TestDataReview).where(TestDataReview.item_id == item_id))
        return row
