"""Making, listing and ending developers' test accounts in one environment."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.accounts.removal import Belongings, Removed, close, is_held, remove
from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.models import AccountType, User
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import AccountNotFound, BadInput, NotPermitted, TooManyAccounts
from wisqu_pipelines.identity import passwords
from wisqu_pipelines.identity.reasons import check_reason, required_reason
from wisqu_pipelines.ports.clock import Clock

MOST_HOURS = 168
"""A week."""
MOST_LIVE = 5
"""Of one developer in one environment; `users.test_place` holds it."""
ROLE = "user"
"""A test account is never more than an end user."""
WARNING = "This account and everything that belongs to it is deleted when its time is over."
AT_ONCE = 100
"""Expired accounts that one sweep takes from the database at a time."""


@dataclass(frozen=True, slots=True)
class Developer:
    """Who asks, and whether they may: the door that let them in knows."""

    id: UUID
    email: str
    full_name: str | None
    makes_test_accounts: bool


@dataclass(frozen=True, slots=True)
class NewTestAccount:
    """A test account with its password, which is shown this once and kept nowhere."""

    id: UUID
    email: str
    password: str
    environment: str
    expires_at: datetime
    created_by: str
    reason: str
    warning: str = WARNING


@dataclass(frozen=True, slots=True)
class TestAccount:
    """A test account, as its developer sees it."""

    __test__ = False  # pytest takes it for one of its own

    id: UUID
    email: str
    created_at: datetime
    expires_at: datetime
    is_expired: bool
    login_count: int


class TestAccountService:
    """The test accounts of one environment."""

    __test__ = False

    def __init__(self, environment: Environment, clock: Clock) -> None:
        """Work in `environment`."""
        self._environment = environment
        self._clock = clock

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self._environment.name

    def create(self, developer: Developer, reason: str, expires_in_hours: int = 24) -> NewTestAccount:
        """Make a test account.

        Args:
            developer: Who makes it.
            reason: What for.
            expires_in_hours: After how many hours it is deleted.

        Raises:
            NotPermitted: they may not make test accounts here.
            BadInput: the reason or the hours are not usable.
            TooManyAccounts: they have `MOST_LIVE` live ones here.
        """
        self._require_permission(developer, "make test accounts")
        why = required_reason(reason, "a test account")
        if not 1 <= expires_in_hours <= MOST_HOURS:
            raise BadInput(what=f"a time of {expires_in_hours} hours", reason=f"it takes 1 to {MOST_HOURS}")
        password = passwords.generate()
        kept = passwords.hash_password(password)  # before the transaction: it takes its time
        now = self._clock.now()
        with self._environment.database.begin() as session:
            place = self._free_place(session, developer, now)
            account = User(
                id=uuid4(),
                email=f"dev-test-{secrets.token_hex(4)}@test.{self._environment.settings.domain}",
                full_name=f"Developer test account ({developer.full_name or developer.email})"[:255],
                role=ROLE,
                account_type=AccountType.DEVELOPER_TEST,
                is_test_account=True,
                created_by_developer=developer.id,
                test_expires_at=now + timedelta(hours=expires_in_hours),
                test_place=place,
                password_hash=kept,
            )
            session.add(account)
            session.flush()
            ends = now + timedelta(hours=expires_in_hours)
            details = {"email": account.email, "expires_at": ends.isoformat()}
            self._write_down(session, developer.id, "create_test_account", account.id, why, **details)
            return NewTestAccount(
                account.id, account.email, password, self._environment.name, ends, developer.email, why
            )

    def list(self, developer: Developer) -> Sequence[TestAccount]:
        """A developer's own test accounts here, newest first.

        Raises:
            NotPermitted: they may not make test accounts here.
        """
        self._require_permission(developer, "list test accounts")
        now = self._clock.now()
        wanted = (
            select(User)
            .where(User.is_test_account, User.created_by_developer == developer.id, ~User.is_deleted)
            .order_by(User.created_at.desc(), User.id)
        )
        with self._environment.database.begin() as session:
            return [_info(each, now) for each in session.scalars(wanted)]

    def ending(self, within: timedelta) -> Sequence[tuple[TestAccount, UUID]]:
        """The live test accounts that end within a time, each with its developer's id; the first to end first."""
        now = self._clock.now()
        wanted = (
            select(User)
            .where(
                User.is_test_account,
                ~User.is_deleted,
                User.created_by_developer.is_not(None),
                User.test_expires_at > now,
                User.test_expires_at <= now + within,
            )
            .order_by(User.test_expires_at, User.id)
        )
        with self._environment.database.begin() as session:
            return [
                (_info(each, now), each.created_by_developer)
                for each in session.scalars(wanted)
                if each.created_by_developer is not None
            ]

    def delete(self, developer: Developer, account_id: UUID, reason: str | None = None) -> Removed:
        """Delete a test account of one's own, with its sessions, data, files and vectors.

        Raises:
            NotPermitted: they may not make test accounts here.
            AccountNotFound: there is no such test account of theirs.
            ItemRefused: a running promotion holds something of it; nothing was deleted.
            BadInput: the reason is not usable.
        """
        self._require_permission(developer, "delete test accounts")
        why = check_reason(reason)
        with self._environment.database.begin() as session:
            account = session.get(User, account_id, with_for_update=True)
            mine = account is not None and account.is_test_account and account.created_by_developer == developer.id
            if account is None or not mine:
                raise AccountNotFound(account_id=str(account_id), environment=self._environment.name)
            close(session, account, self._environment, self._clock.now())
        return self._remove(account_id, developer.id, "delete_test_account", why)

    def over(self) -> Sequence[TestAccount]:
        """What `expire` would delete now. Nothing is changed."""
        now = self._clock.now()
        with self._environment.database.begin() as session:
            found = session.scalars(select(User).where(*_is_over(now)).order_by(User.id))
            return [_info(each, now) for each in found]

    def expire(self) -> Sequence[Removed]:
        """Delete every test account whose time is over and that no hold keeps, and finish interrupted deletions."""
        now = self._clock.now()
        gone: list[Removed] = []
        while True:
            with self._environment.database.begin() as session:
                over = session.scalars(
                    select(User)
                    .where(*_is_over(now))
                    .order_by(User.id)
                    .limit(AT_ONCE)
                    .with_for_update(skip_locked=True)
                ).all()
                for each in over:
                    close(session, each, self._environment, now)
            if not over:
                return gone
            gone += [
                self._remove(each.id, each.created_by_developer, "expire_test_account", "its time was over")
                for each in over
            ]

    def _remove(self, account_id: UUID, developer: UUID | None, action: str, reason: str | None) -> Removed:
        """What makes sessions, points, objects and at last the rows of a closed account disappear."""

        def audited(session: Session, removed: Removed) -> None:
            details = {"email": removed.email, "files": removed.files, "points": removed.points, "rows": removed.rows}
            self._write_down(session, developer, action, account_id, reason, **details)

        return remove(self._environment, Belongings(account_id), audited)

    def _free_place(self, session: Session, developer: Developer, now: datetime) -> int:
        """The first place that no live account of the developer takes; others of theirs wait until this one is made."""
        key = f"test accounts of {developer.id}"
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
        own = (User.created_by_developer == developer.id, User.is_test_account)
        session.execute(update(User).where(*own, User.test_expires_at <= now).values(test_place=None))
        taken = set(session.scalars(select(User.test_place).where(*own, User.test_place.is_not(None))))
        free = sorted(set(range(1, MOST_LIVE + 1)) - taken)
        if not free:
            raise TooManyAccounts(person=developer.email, environment=self._environment.name, most=MOST_LIVE)
        return free[0]

    def _require_permission(self, developer: Developer, act: str) -> None:
        if not developer.makes_test_accounts:
            reason = "the access matrix does not let them"
            raise NotPermitted(person=developer.email, act=act, environment=self._environment.name, reason=reason)

    def _write_down(
        self,
        session: Session,
        developer: UUID | None,
        action: str,
        account_id: UUID,
        reason: str | None,
        **details: Any,
    ) -> None:
        append(
            session,
            DeveloperAction(
                developer_id=developer,
                environment=self._environment.name,
                action=action,
                reason=reason,
                details={"account_id": str(account_id), **details},
                occurred_at=self._clock.now(),
            ),
        )


def _is_over(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Of test accounts whose time is over and that no hold keeps, and of those whose deletion was interrupted."""
    return User.is_test_account.expression, (User.test_expires_at <= now) | User.is_deleted, ~is_held(now)


def _info(account: User, now: datetime) -> TestAccount:
    expires = account.test_expires_at or now
    return TestAccount(account.id, account.email, account.created_at, expires, expires <= now, account.login_count)
