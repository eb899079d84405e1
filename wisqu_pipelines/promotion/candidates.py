"""An environment's items of the promotable types: listed, approved and marked, one transaction a call."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.repository import EnvironmentAwareRepository
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import PreconditionFailed
from wisqu_pipelines.promotion.types import PromotableType, promotable

ANY = "*"
"""The version that every row has."""
_Act: TypeAlias = Callable[[EnvironmentAwareRepository[Any], UUID], Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that can be promoted."""

    id: UUID
    type: str
    label: str
    promotion_status: PromotionStatus
    is_test_data: bool
    test_data_reason: str | None
    source_environment: str | None
    source_id: UUID | None
    updated_at: datetime
    etag: str
    """Another one as soon as the row is written again: a strong validator of HTTP, with its quotation marks."""


class CandidateService:
    """Lists and marks the items of an environment."""

    def __init__(self, environment: Environment) -> None:
        """Work on `environment`."""
        self._database = environment.database

    def list(
        self, type_: str, *, status: PromotionStatus | None = None, limit: int = 50, after: UUID | None = None
    ) -> Sequence[Candidate]:
        """Items of a type in the order in which they were created.

        Args:
            type_: The type's name.
            status: Only those with this promotion status.
            limit: At most so many.
            after: Only those behind this one: the last of the page before.

        Raises:
            UnknownType: there is no such type.
            BadInput: the limit is not positive.
            ItemNotFound: there is no item `after`.
        """
        kind = promotable(type_)
        with self._database.snapshot() as session:
            rows = EnvironmentAwareRepository(session, kind.model).get_all(limit, after=after, status=status)
            return [_candidate(kind, row) for row in rows]

    def approve(
        self, type_: str, item_ids: Sequence[UUID], person: UUID, reason: str | None = None, *, if_match: str = ANY
    ) -> Sequence[Candidate]:
        """Say that items may go to the next environment: all of them, or none if one may not.

        Args:
            type_: The type's name.
            item_ids: Which items.
            person: Who says so.
            reason: Why, for the audit.
            if_match: The `etag` that each must have.

        Raises:
            UnknownType, ItemNotFound: there is no such type, or no such item.
            ItemRefused: one is test data, or a running promotion holds it.
            BadInput: the reason is not usable.
            PreconditionFailed: one was written since it was read.
        """

        def act(repository: EnvironmentAwareRepository[Any], item_id: UUID) -> Any:
            return repository.approve_for_promotion(item_id, developer_id=person, reason=reason)

        return self._each(type_, item_ids, if_match, act)

    def mark_as_test_data(
        self, type_: str, item_ids: Sequence[UUID], person: UUID, reason: str, *, if_match: str = ANY
    ) -> Sequence[Candidate]:
        """Say that items are test data; they can then not be promoted. Arguments and errors as of `approve`."""

        def act(repository: EnvironmentAwareRepository[Any], item_id: UUID) -> Any:
            return repository.mark_as_test_data(item_id, reason, developer_id=person)

        return self._each(type_, item_ids, if_match, act)

    def mark_as_real(
        self, type_: str, item_ids: Sequence[UUID], person: UUID, reason: str | None = None, *, if_match: str = ANY
    ) -> Sequence[Candidate]:
        """Say that items are no test data; no scan marks them again. Arguments and errors as of `approve`."""

        def act(repository: EnvironmentAwareRepository[Any], item_id: UUID) -> Any:
            return repository.mark_as_real(item_id, developer_id=person, reason=reason)

        return self._each(type_, item_ids, if_match, act)

    def _each(self, type_: str, item_ids: Sequence[UUID], if_match: str, act: _Act) -> Sequence[Candidate]:
        kind = promotable(type_)
        changed = []
        with self._database.begin() as session:
            repository = EnvironmentAwareRepository(session, kind.model)
            for item_id in item_ids:
                row = session.get(kind.model, item_id, with_for_update=True)
                if row is not None and if_match not in {ANY, _etag(row)}:
                    raise PreconditionFailed(what=f"{kind.name} {item_id}")
                changed.append(act(repository, item_id))
            session.flush()
            for row in changed:
                session.refresh(row)
            return [_candidate(kind, row) for row in changed]


def _candidate(kind: PromotableType, row: Any) -> Candidate:
    return Candidate(
        id=row.id,
        type=kind.name,
        label=str(getattr(row, kind.label)),
        promotion_status=PromotionStatus(row.promotion_status),
        is_test_data=row.is_test_data,
        test_data_reason=row.test_data_reason,
        source_environment=row.source_environment,
        source_id=row.source_id,
        updated_at=row.updated_at,
        etag=_etag(row),
    )


def _etag(row: Any) -> str:
    said = f"{row.id}/{row.updated_at.isoformat()}/{row.promotion_status}/{row.is_test_data}"
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'
