"""An environment's items, test accounts and statistics."""

from collections.abc import Sequence
from typing import Annotated

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
    EnvironmentName,
    Id,
    ItemType,
    Limit,
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
from wisqu_pipelines.identity.matrix import Entry
from wisqu_pipelines.promotion.candidates import ANY, Candidate

router = APIRouter(prefix="/v1", tags=["environments"], route_class=IdempotentRoute)


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
IfMatch = Annotated[str, Header(max_length=200, description="The `etag` with which the item was read.")]


@route(router, "GET", "/environments", LOGGED_IN)
def environments(who: Who) -> list[Entry]:
    """The environments that you may enter, and as what."""
    return list(who.entries)


@route(router, "GET", "/environments/{environment}/items/{item_type}", in_environment(*STAFF))
def items(
    environment: EnvironmentName,
    item_type: ItemType,
    services: Opened,
    status: Annotated[PromotionStatus | None, Query()] = None,
    after: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> Page[Candidate]:
    """An environment's items of a type, in the order in which they were created."""
    position = position_of(after, 1)
    behind = None if position is None else id_of(position[0])
    found = services.candidates(environment).list(item_type, status=status, limit=limit, after=behind)
    return Page(items=list(found), next=cursor_of(str(found[-1].id)) if len(found) == limit else None)


@route(router, "POST", f"{_ITEM}/approve", in_environment(*DEVELOPERS), 412)
def approve_item(
    environment: EnvironmentName,
    item_type: ItemType,
    item_id: Id,
    body: OptionalReason,
    services: Opened,
    who: Who,
    response: Response,
    if_match: IfMatch = ANY,
) -> Candidate:
    """Say that an item may go to the next environment."""
    items = services.candidates(environment)
    return _only(items.approve(item_type, [item_id], who.user_id, body.reason, if_match=if_match), response)


@route(router, "POST", f"{_ITEM}/mark", in_environment(*DEVELOPERS), 412)
def mark_item(
    environment: EnvironmentName,
    item_type: ItemType,
    item_id: Id,
    body: Reason,
    services: Opened,
    who: Who,
    response: Response,
    if_match: IfMatch = ANY,
) -> Candidate:
    """Say that an item is test data; it can then not be promoted."""
    items = services.candidates(environment)
    return _only(items.mark_as_test_data(item_type, [item_id], who.user_id, body.reason, if_match=if_match), response)


@route(router, "POST", f"{_ITEM}/unmark", in_environment(*DEVELOPERS), 412)
def unmark_item(
    environment: EnvironmentName,
    item_type: ItemType,
    item_id: Id,
    body: OptionalReason,
    services: Opened,
    who: Who,
    response: Response,
    if_match: IfMatch = ANY,
) -> Candidate:
    """Say that an item is no test data; no scan marks it again."""
    items = services.candidates(environment)
    return _only(items.mark_as_real(item_type, [item_id], who.user_id, body.reason, if_match=if_match), response)


_ACCOUNTS = "/environments/{environment}/developer/test-accounts"


@route(router, "GET", _ACCOUNTS, MAKES_TEST_ACCOUNTS)
def test_accounts(environment: EnvironmentName, services: Opened, who: Who) -> list[TestAccount]:
    """Your own test accounts in an environment, newest first."""
    developer = services.developer(who.user_id, environment)
    return list(services.test_accounts(environment).list(developer))


@route(router, "POST", _ACCOUNTS, MAKES_TEST_ACCOUNTS, status_code=201, openapi_more={SECRET_ANSWER: True})
def make_test_account(
    environment: EnvironmentName, body: NewAccount, services: Opened, who: Who, response: Response
) -> NewTestAccount:
    """Make a test account. Its password is shown this once."""
    response.headers["Cache-Control"] = "no-store"
    developer = services.developer(who.user_id, environment)
    return services.test_accounts(environment).create(developer, body.reason, body.expires_in_hours)


@route(router, "DELETE", _ACCOUNTS + "/{account_id}", MAKES_TEST_ACCOUNTS)
def delete_test_account(environment: EnvironmentName, account_id: Id, services: Opened, who: Who) -> Removed:
    """Delete a test account of your own, with its sessions, data, files and vectors."""
    developer = services.developer(who.user_id, environment)
    return services.test_accounts(environment).delete(developer, account_id)


@route(router, "GET", "/environments/{environment}/statistics", in_environment(*ADMINS, "developer"))
def statistics(environment: EnvironmentName, services: Opened) -> Statistics:
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


def _only(changed: Sequence[Candidate], response: Response) -> Candidate:
    """The one item that was changed, with its new version for whoever changes it next."""
    (item,) = changed
    response.headers["ETag"] = item.etag
    return item
