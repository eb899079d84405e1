"""Writing messages, and delivering them.

Whoever has something to say writes it into the control database and goes on: nothing is sent there and then, so no
target that hangs keeps a run waiting. `deliver` sends what is due. A message is delivered at least once to each target
that wants it: a crash between the sending and its being written down sends it again.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import func, select, true, update
from sqlalchemy.orm import Session

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import UnknownTarget
from wisqu_pipelines.figures import counted
from wisqu_pipelines.notifications.events import Event, words
from wisqu_pipelines.notifications.models import Notification
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.messages import Messenger
from wisqu_pipelines.redaction import redactor
from wisqu_pipelines.settings import NotificationTarget, Settings

ADDRESS = "{address}"
"""Stands in a target's URL for the one person whom a message is for."""
AT_ONCE = 10
"""Messages of one delivery, so that a sensor's tick is short."""
SECONDS = 20.0
"""After which a delivery sends no more: a target that does not answer takes its time."""
ATTEMPTS = 6
FIRST_WAIT = timedelta(minutes=1)
"""After the first attempt; twice as long after each further one."""
NEWS = timedelta(hours=24)
"""What is older is no news any more, and is not sent to targets that come later."""
NO_TARGET = "there was no target for a day"
"""What is kept of a message that waited for one in vain."""
LONGEST_TITLE = 200
LONGEST_BODY = 4_000
"""Characters; what messengers take."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message, as people see it."""

    id: UUID
    event: str
    title: str
    body: str
    address: str | None
    repeats: int
    created_at: datetime
    delivered_to: Sequence[str]
    attempts: int
    next_attempt_at: datetime | None
    error: str | None


class NotificationService:
    """Tells people what they would want to know without asking."""

    def __init__(self, control: Database, settings: Settings, messenger: Messenger, clock: Clock) -> None:
        """Keep messages in `control`, and send them by `messenger` to the settings' targets.

        Raises:
            BadSettings: a template or a target's list of events cannot be used.
        """
        self._control = control
        self._settings = settings.notifications
        self._words = words(self._settings)
        self._redacted = redactor(settings.secrets())
        self._messenger = messenger
        self._clock = clock

    def post(
        self, event: Event, cause: str, *, address: str | None = None, once: bool = False, **values: object
    ) -> UUID | None:
        """Write a message, unless there was one of the same cause a short time ago; that one's repeats are counted.

        Args:
            event: What has happened.
            cause: What it is about; of one cause there is one message in `quiet_minutes`.
            address: The one person whom it is for; None: everybody whom a target reaches.
            once: Of this cause there is one message for good.
            values: What the event's words name.

        Returns:
            The message's id; None if nothing new was written.
        """
        now = self._clock.now()
        told = self._words[event].filled({name: self._redacted(str(value)) for name, value in values.items()})
        digest = hashlib.sha256(f"{event}\0{address or ''}\0{cause}".encode()).hexdigest()
        with self._control.begin() as session:
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(digest, 0))))
            quiet_from = now - timedelta(minutes=self._settings.quiet_minutes)
            last = session.scalar(
                select(Notification)
                .where(Notification.cause == digest, true() if once else Notification.created_at > quiet_from)
                .order_by(Notification.created_at.desc())
                .limit(1)
            )
            if last is not None:
                last.repeats += not once  # what is told once for good is asked for again by every look at it
                return None
            made = Notification(
                event=event,
                cause=digest,
                address=address,
                title=told.title[:LONGEST_TITLE],
                body=told.body[:LONGEST_BODY],
                created_at=now,
                next_attempt_at=now,
            )
            session.add(made)
            session.flush()
            return made.id

    def deliver(self) -> tuple[int, Sequence[str]]:
        """Send what is due. While there is no target at all, messages wait for one as long as they are news.

        Returns:
            How many messages were delivered to all whom they are for, and what went wrong with the others.
        """
        if not self._settings.targets:
            self._give_up_old()
            return 0, []
        delivered, troubles = 0, []
        with self._control.begin() as session:
            due = session.scalars(
                select(Notification.id)
                .where(Notification.next_attempt_at <= self._clock.now())
                .order_by(Notification.next_attempt_at, Notification.id)
                .limit(AT_ONCE)
            ).all()
        enough = time.monotonic() + SECONDS
        for message_id in due:
            if time.monotonic() > enough:
                break  # the next delivery goes on
            error = self._deliver(message_id)
            delivered += error is None
            troubles += [] if error is None else [error]
        return delivered, troubles

    def test(self, person: str, target: str | None = None) -> dict[str, bool]:
        """Send a test message to a target, or to all, at once; whether each took it.

        Raises:
            UnknownTarget: there is no target of that name.
        """
        if target is not None and target not in self._settings.targets:
            raise UnknownTarget(name=target, known=sorted(self._settings.targets) or "none")
        told = self._words[Event.TEST].filled({"person": person})
        chosen = {name: each for name, each in self._settings.targets.items() if target in {None, name}}
        return {name: self._messenger.send(_url(each, person), told.title, told.body) for name, each in chosen.items()}

    def list(self, limit: int = 50) -> Sequence[Told]:
        """The messages, newest first."""
        with self._control.begin() as session:
            found = session.scalars(
                select(Notification).order_by(Notification.created_at.desc(), Notification.id).limit(limit)
            )
            return [
                Told(
                    id=each.id,
                    event=each.event,
                    title=each.title,
                    body=each.body,
                    address=each.address,
                    repeats=each.repeats,
                    created_at=each.created_at,
                    delivered_to=each.delivered_to,
                    attempts=each.attempts,
                    next_attempt_at=each.next_attempt_at,
                    error=each.error,
                )
                for each in found
            ]

    def _give_up_old(self) -> None:
        now = self._clock.now()
        waiting = Notification.next_attempt_at <= now, Notification.created_at < now - NEWS
        with self._control.begin() as session:
            session.execute(update(Notification).where(*waiting).values(next_attempt_at=None, error=NO_TARGET))

    def _deliver(self, message_id: UUID) -> str | None:
        """Send one message to the targets that have not taken it yet; what went wrong, or None."""
        with self._control.begin() as session:
            message = self._due(session, message_id)
            if message is None:
                return None  # somebody else is at it
            failed = []
            for name, target in self._targets(message).items():
                if name in message.delivered_to:
                    continue
                if self._messenger.send(_url(target, message.address), message.title, _body(message)):
                    message.delivered_to = [*message.delivered_to, name]
                else:
                    failed.append(name)
            message.attempts += 1
            message.error = f"not taken by {', '.join(failed)}" if failed else None
            given_up = message.attempts >= ATTEMPTS or self._clock.now() - message.created_at > NEWS
            wait = FIRST_WAIT * 2 ** (message.attempts - 1)
            message.next_attempt_at = self._clock.now() + wait if failed and not given_up else None
            return f"{message.title}: {message.error}" if failed else None

    def _due(self, session: Session, message_id: UUID) -> Notification | None:
        return session.scalar(
            select(Notification)
            .where(Notification.id == message_id, Notification.next_attempt_at <= self._clock.now())
            .with_for_update(skip_locked=True)
        )

    def _targets(self, message: Notification) -> dict[str, NotificationTarget]:
        """Whom a message goes to: what is for one person to targets that reach people, where there are any."""
        wanted = {
            name: each
            for name, each in self._settings.targets.items()
            if not each.events or message.event in each.events
        }
        personal = {name: each for name, each in wanted.items() if ADDRESS in each.url.get_secret_value()}
        if message.address is not None and personal:
            return personal
        return {name: each for name, each in wanted.items() if name not in personal}


def _url(target: NotificationTarget, address: str | None) -> str:
    return target.url.get_secret_value().replace(ADDRESS, quote(address or "", safe=""))


def _body(message: Notification) -> str:
    again = f"\n\nIt has happened again since: {counted(message.repeats, 'time')}." if message.repeats else ""
    return message.body + again
