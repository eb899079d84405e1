"""What an environment writes down when somebody arrives: their row in `users`, and their login in the audit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccessLog
from wisqu_pipelines.catalog.models import AccountType, User
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import EntryRefused
from wisqu_pipelines.identity.service import Origin
from wisqu_pipelines.identity.tokens import LEEWAY
from wisqu_pipelines.ports.clock import Clock

LOGIN = "login"
"""The audit's access type."""
END_USER = "user"
"""The role of those who may be limited in what they use."""
SLACK = timedelta(minutes=1)
"""By how much the times in the audit may be out of the order of its rows."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who arrives with a valid token."""

    user_id: UUID
    email: str
    full_name: str | None
    role: str
    reason: str | None
    token_id: UUID
    session_id: str
    """Their central login."""
    issued_at: datetime


class Arrivals:
    """The people of one environment, as its own database knows them."""

    def __init__(self, environment: str, database: Database, clock: Clock) -> None:
        """Write to `database`."""
        self._environment = environment
        self._database = database
        self._clock = clock

    def record(self, arrival: Arrival, origin: Origin) -> None:
        """Create or update the person's row and audit the login, at the first request with a token; later ones read.

        Raises:
            EntryRefused: the person's row here is deleted, or their address is another account's.
            StoreUnavailable, StoreDenied: the database does not answer.
        """
        try:
            with self._database.begin() as session:
                if self._is_recorded(session, arrival, self._account(session, arrival)):
                    return
                # One login after the other, which they are anyway as links of one chain: whoever waits here finds
                # what was written meanwhile, be it by another process.
                session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("wisqu arrivals", 0))))
                session.expunge_all()
                account = self._account(session, arrival)
                if not self._is_recorded(session, arrival, account):
                    self._write(session, arrival, account, origin)
        except IntegrityError as error:
            # Somebody who does not come this way has just taken the address, or the id.
            raise _refused(arrival, "their row collides with another one") from error

    @staticmethod
    def _account(session: Session, arrival: Arrival) -> User | None:
        account = session.get(User, arrival.user_id)
        if account is not None and account.is_deleted:
            raise _refused(arrival, "their row here is deleted")
        if account is not None and account.is_test_account:
            raise _refused(arrival, "their row here is a test account's")
        return account

    @staticmethod
    def _is_recorded(session: Session, arrival: Arrival, account: User | None) -> bool:
        """Whether this token was brought before."""
        if account is None or account.last_login is None or account.last_login < arrival.issued_at - LEEWAY:
            return False
        # The audit grows for ever: only its end is read, back to when the token was issued.
        log = EnvironmentAccessLog
        older = (
            select(log.sequence)
            .where(log.occurred_at < arrival.issued_at - SLACK)
            .order_by(log.sequence.desc())
            .limit(1)
            .scalar_subquery()
        )
        return bool(
            session.scalar(
                select(
                    exists().where(
                        log.sequence > func.coalesce(older, 0),
                        log.access_type == LOGIN,
                        log.user_id == arrival.user_id,
                        log.details["token_id"].astext == str(arrival.token_id),
                    )
                )
            )
        )

    def _write(self, session: Session, arrival: Arrival, account: User | None, origin: Origin) -> None:
        now = self._clock.now()
        freed = self._free_address(session, arrival)
        if account is None:
            account = User(id=arrival.user_id, role=arrival.role, account_type=_account_type(arrival.role))
            session.add(account)
        elif account.role != arrival.role:
            # Only with the role: what somebody pays for stays theirs from one login to the next.
            account.role, account.account_type = arrival.role, _account_type(arrival.role)
        account.email, account.full_name = arrival.email, arrival.full_name
        account.last_login, account.login_count = now, (account.login_count or 0) + 1
        session.flush()
        details: dict[str, Any] = {
            "token_id": str(arrival.token_id),
            "session_id": arrival.session_id,
            "role": arrival.role,
            "email": arrival.email,
        }
        append(
            session,
            EnvironmentAccessLog(
                user_id=arrival.user_id,
                environment=self._environment,
                access_type=LOGIN,
                reason=arrival.reason,
                details=details | ({} if freed is None else {"address_taken_from": str(freed)}),
                occurred_at=now,
                **origin.columns(),
            ),
        )

    @staticmethod
    def _free_address(session: Session, arrival: Arrival) -> UUID | None:
        """Take the person's address from the row that has it and no longer owns it; returns which that was.

        An address is one person's in the central database. A row of somebody who came from there has an old address
        until they come again. A row that did not come from there may be this same person's from before, with what
        they own: nobody but a person can say, so it is left alone.
        """
        other = session.scalar(
            select(User).where(User.email == arrival.email, User.id != arrival.user_id).with_for_update()
        )
        if other is None:
            return None
        log = EnvironmentAccessLog
        came = select(exists().where(log.access_type == LOGIN, log.user_id == other.id))
        if other.is_test_account or not session.scalar(came):
            raise _refused(arrival, f"their address is the account's {other.id}, which is not known centrally")
        other.email = f"{other.id}@replaced.invalid"
        session.flush()
        return other.id


def _account_type(role: str) -> AccountType:
    return AccountType.FREE if role == END_USER else AccountType.UNLIMITED


def _refused(arrival: Arrival, reason: str) -> EntryRefused:
    return EntryRefused(person=str(arrival.user_id), reason=reason)
