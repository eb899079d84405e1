"""An environment's items, test accounts and statistics."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select

from wisqu_pipelines.accounts.removal import Removed
from wisqu_pipelines.accounts.service import NewTestAccount, TestAccount
from wisqu_pipelines.api.access import (
    ADMINS,
    DEVELOPERS,
    LOGGED_IN,
    MAKES_TEST_ACCOUNTS,
    STAFF,
    Opened,
    Who,
    in_environment,
    route,
)
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import (
    SECRET_ANSWER,
    Cursor,
    Limit,
    LongText,
    OptionalReason,
    Page,
    Reason,
    ReasonText,
    cursor_of,
    id_of,
    position_of,
)
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import User
from wisqu_pipelines.catalog.repository import EnvironmentAwareRepository
from wisqu_pipelines.errors import PreconditionFailed
from wisqu_pipelines.identity.matrix import Entry
from wisqu_pipelines.promotion.types import TYPES, PromotableType, promotable

router = APIRouter(prefix="/v1", tags=["environments"], route_class=IdempotentRoute)


class Item(BaseModel):
    """A row that can be promoted."""

    id: UUID
    type: str = Field(examples=[next(iter(TYPES))])
    label: str
    promotion_status: PromotionStatus
    is_test_data: bool
    test_data_reason: str | None
    source_environment: str | None
    source_id: UUID | None
    updated_at: datetime
    etag: str
    """Send it as `If-Match` to change the row only as it was read."""


class NewAccount(BaseModel):
    """What for, and for how long."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText
    expires_in_hours: Annotated[int, Field(ge=1, le=168)] = 24


class UserCount(BaseModel):
    """How many accounts there are."""

    total: int
    active: int


class TestAccountCount(BaseModel):
    """How many developers' test accounts there are."""

    __test__ = False

    total: int
    live: int


class Statistics(BaseModel):
    """Users and developers' test accounts apart."""

    environment: str
    users: UserCount
    developer_test_accounts: TestAccountCount


_ITEM = "/environments/{environment}/items/{item_type}/{item_id}"
IfMatch = Annotated[str | None, Header(max_length=200, description="The `etag` with which the item was read.")]


@route(router, "GET", "/environments", LOGGED_IN)
def environments(who: Who) -> list[Entry]:
    """The environments that you may enter, and as what."""
    return list(who.entries)


@route(router, "GET", "/environments/{environment}/items/{item_type}", in_environment(*STAFF))
def items(
    environment: LongText,
    item_type: LongText,
    services: Opened,
    status: Annotated[PromotionStatus | None, Query()] = None,
    after: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> Page[Item]:
    """An environment's items of a type, in the order in which they were created."""
    kind = promotable(item_type)
    position = position_of(after, 1)
    with services.environments[environment].database.snapshot() as session:
        repository = EnvironmentAwareRepository(session, kind.model)
        behind = None if position is None else id_of(position[0])
        found = [_item(kind, row) for row in repository.get_all(limit, after=behind, status=status)]
    return Page(items=found, next=cursor_of(str(found[-1].id)) if len(found) == limit else None)


@route(router, "POST", f"{_ITEM}/approve", in_environment(*DEVELOPERS), 412)
def approve_item(
    environment: LongText,
    item_type: LongText,
    item_id: UUID,
    body: OptionalReason,
    services: Opened,
    who: Who,
    response: Response,
    if_match: IfMatch = None,
) -> Item:
    """Say that an item may go to the next environment."""

    def act(repository: EnvironmentAwareRepository[Any]) -> Any:
        return repository.approve_for_promotion(item_id, developer_id=who.user_id, reason=body.reason)

    return _change(services, environment, item_type, item_id, if_match, response, act)


@route(router, "POST", f"{_ITEM}/mark", in_environment(*DEVELOPERS), 412)
def mark_item(
    environment: LongText,
    item_type: LongText,
    item_id: UUID,
    body: Reason,
    services: Opened,
    who: Who,
    response: Response,
    if_match: IfMatch = None,
) -> Item:
    """Say that an item is test data; it can then not be promoted."""

    def act(repository: EnvironmentAwareRepository[Any]) -> Any:
        return repository.mark_as_test_data(item_id, body.reason, developer_id=who.user_id)

    return _change(services, environment, item_type, item_id, if_match, response, act)


@route(router, "POST", f"{_ITEM}/unmark", in_environment(*DEVELOPERS), 412)
def unmark_item(
    environment: LongText,
    item_type: LongText,
    item_id: UUID,
    body: OptionalReason,
    services: Opened,
    who: Who,
    response: Response,
    if_match: IfMatch = None,
) -> Item:
    """Say that an item is no test data; no scan marks it again."""

    def act(repository: EnvironmentAwareRepository[Any]) -> Any:
        return repository.mark_as_real(item_id, developer_id=who.user_id, reason=body.reason)

    return _change(services, environment, item_type, item_id, if_match, response, act)


_ACCOUNTS = "/environments/{environment}/developer/test-accounts"


@route(router, "GET", _ACCOUNTS, MAKES_TEST_ACCOUNTS)
def test_accounts(environment: LongText, services: Opened, who: Who) -> list[TestAccount]:
    """Your own test accounts in an environment, newest first."""
    developer = services.developer(who.user_id, environment)
    return list(services.test_accounts(environment).list(developer))


@route(router, "POST", _ACCOUNTS, MAKES_TEST_ACCOUNTS, status_code=201, openapi_more={SECRET_ANSWER: True})
def make_test_account(
    environment: LongText, body: NewAccount, services: Opened, who: Who, response: Response
) -> NewTestAccount:
    """Make a test account. Its password is shown this once."""
    response.headers["Cache-Control"] = "no-store"
    developer = services.developer(who.user_id, environment)
    return services.test_accounts(environment).create(developer, body.reason, body.expires_in_hours)


@route(router, "DELETE", _ACCOUNTS + "/{account_id}", MAKES_TEST_ACCOUNTS)
def delete_test_account(environment: LongText, account_id: UUID, services: Opened, who: Who) -> Removed:
    """Delete a test account of your own, with its sessions, data, files and vectors."""
    developer = services.developer(who.user_id, environment)
    return services.test_accounts(environment).delete(developer, account_id)


@route(router, "GET", "/environments/{environment}/statistics", in_environment(*ADMINS, "developer"))
def statistics(environment: LongText, services: Opened) -> Statistics:
    """How many users there are; developers' test accounts are counted apart."""
    now = services.clock.now()
    with services.environments[environment].database.snapshot() as session:
        total, active, tests, live = session.execute(
            select(
                func.count().filter(~User.is_test_account),
                func.count().filter(~User.is_test_account, User.login_count > 0),
                func.count().filter(User.is_test_account),
                func.count().filter(User.is_test_account, User.test_expires_at > now),
            ).where(~User.is_deleted)
        ).one()
    return Statistics(
        environment=environment,
        users=UserCount(total=total, active=active),
        developer_test_accounts=TestAccountCount(total=tests, live=live),
    )


def _change(
    services: Opened,
    environment: str,
    item_type: str,
    item_id: UUID,
    if_match: str | None,
    response: Response,
    act: Callable[[EnvironmentAwareRepository[Any]], Any],
) -> Item:
    """Change a row, if it is still what it was when it was read."""
    kind = promotable(item_type)
    with services.environments[environment].database.begin() as session:
        row = session.get(kind.model, item_id, with_for_update=True)
        if row is not None and if_match not in {None, "*", _etag(row)}:
            raise PreconditionFailed(what=f"{kind.name} {item_id}")
        changed = act(EnvironmentAwareRepository(session, kind.model))
        session.flush()
        session.refresh(changed)
        item = _item(kind, changed)
    response.headers["ETag"] = item.etag
    return item


def _item(kind: PromotableType, row: Any) -> Item:
    return Item(
        id=row.id,
        type=kind.name,
        label=str(getattr(row, kind.label)),
        promotion_status=row.promotion_status,
        is_test_data=row.is_test_data,
        test_data_reason=row.test_data_reason,
        source_environment=row.source_environment,
        source_id=row.source_id,
        updated_at=row.updated_at,
        etag=_etag(row),
    )


def _etag(row: Any) -> str:
    """Another one as soon as the row was written again."""
    said = f"{row.id}/{row.updated_at.isoformat()}/{row.promotion_status}/{row.is_test_data}"
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'
