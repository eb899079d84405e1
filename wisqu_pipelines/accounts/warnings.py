"""Telling developers of their test accounts that end soon."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from wisqu_pipelines.accounts.service import TestAccountService
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.notifications.events import Event
from wisqu_pipelines.notifications.service import NotificationService


def warn_developers(
    accounts: TestAccountService, control: Database, notifications: NotificationService, within: timedelta
) -> Sequence[UUID]:
    """Write a message for each test account that ends within a time, once each; returns those accounts' ids."""
    told = []
    for account, developer_id in accounts.ending(within):
        with control.begin() as session:
            developer = session.get(CentralUser, developer_id)
        if developer is None or not developer.is_active:
            continue
        written = notifications.post(
            Event.ACCOUNT_ENDS,
            f"{accounts.environment} {account.id}",
            address=developer.email,
            once=True,
            account=account.email,
            environment=accounts.environment,
            ends=f"{account.expires_at:%Y-%m-%d %H:%M} UTC",
        )
        told += [] if written is None else [account.id]
    return told
