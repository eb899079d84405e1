"""Databases that were restored from a backup: what that has cut off their audit, by the word of two people.

A chain that ends before a checkpoint says it would is what somebody leaves who wipes traces away, and what a restore
leaves. Nothing in the database tells the two apart, so two people say which it was. From then on verifications pass,
and each says that it was so; what was noted of the rows that are there goes on counting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.anchors import Ending, checkpoint, compared, noted
from wisqu_pipelines.audit.chain import append, table_of
from wisqu_pipelines.audit.models import EnvironmentAccess, Restore
from wisqu_pipelines.checkpoints.acknowledged import lost, signature
from wisqu_pipelines.checkpoints.chains import AuditedDatabase
from wisqu_pipelines.checkpoints.service import CheckpointService
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import RestoreNotFound, RestoreRefused
from wisqu_pipelines.figures import counted
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.reasons import required_reason
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.promotion.lost import lost_promotions, lost_rollbacks
from wisqu_pipelines.settings import Settings

ADMINS = ("admin", "superadmin")
"""Roles, held in the environment, whose word counts."""
SUPERADMINS = ("superadmin",)
"""Roles, held in the last environment, whose word counts for the control database."""


@dataclass(frozen=True, slots=True)
class LostRows:
    """What one chain has lost."""

    chain: str
    after: int
    """The last row that agrees with what was noted before; 0: none was noted."""
    until: int
    """The last row that is known to have been there."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A restore, as people see it."""

    id: UUID
    database: str
    rows: tuple[LostRows, ...]
    promotions: tuple[UUID, ...]
    """Promotions into it that the restore lost, while the control database has them as happened."""
    rollbacks: tuple[UUID, ...]
    """Promotions into it that were rolled back, and stand there again."""
    reason: str
    reported_by: str
    reported_at: datetime
    confirmed_by: str | None
    """None: it waits for a second person, and counts for nothing until then."""
    confirmed_at: datetime | None
    confirm_reason: str | None


@dataclass(frozen=True, slots=True)
class _Gap:
    """Where the chains of a database contradict what was noted of them."""

    lost: frozenset[Ending]
    kept: Mapping[str, int]


class RestoreService:
    """Takes the word of people that a database was restored from a backup."""

    def __init__(self, control: Database, audit: CheckpointService, settings: Settings, clock: Clock) -> None:
        """Keep what is said in `control`, and compare it with the chains of `audit`."""
        self._control = control
        self._audit = audit
        self._settings = settings
        self._clock = clock

    def report(self, database: str, person: str | UUID, reason: str) -> RestoreReport:
        """Say that a database was restored. It counts when another person has confirmed it.

        Args:
            database: An environment's name, or `control`.
            person: Who says so.
            reason: From which backup, and why.

        Raises:
            UnknownEnvironment: there is none of that name.
            UnknownPerson, NotPermitted: the person's word does not count there.
            BadInput: the reason says nothing.
            RestoreRefused: nothing is cut off, or there is something wrong that no restore explains.
            StoreUnavailable, StoreDenied: a store is away.
        """
        why = required_reason(reason, "a restore")
        audited = self._audit.audited(database)
        who = self._permitted(audited, person)
        gap = self._gap(audited, "reported")
        with self._control.begin() as session, audited.database.snapshot() as there:
            made = Restore(
                id=uuid4(),
                database=database,
                lost=sorted(list(each) for each in gap.lost),
                kept=dict(gap.kept),
                promotions=[] if audited.is_control else _texts(lost_promotions(session, there, database)),
                rollbacks=[] if audited.is_control else _texts(lost_rollbacks(session, there, database)),
                reason=why,
                reported_by=who,
                reported_at=self._clock.now(),
            )
            session.add(made)
            session.flush()
            self._write_down(session, "restore_reported", made, who, why)
        return self._shown([made])[0]

    def confirm(self, restore_id: UUID, person: str | UUID, reason: str) -> RestoreReport:
        """Confirm what another person has said; the confirmation is signed, and how the chains end now is noted.

        Raises:
            RestoreNotFound: there is no such restore.
            UnknownPerson, NotPermitted: the person's word does not count there.
            BadInput: the reason says nothing.
            RestoreRefused: it is theirs or confirmed already, something else is lost now than was reported, or there is
                something wrong that no restore explains.
            BadSettings: this host has no key that signs approvals.
            StoreUnavailable, StoreDenied: a store is away.
        """
        why = required_reason(reason, "a restore")
        with self._control.begin() as session:
            found = session.get(Restore, restore_id)
        if found is None:
            raise RestoreNotFound(restore_id=str(restore_id))
        audited = self._audit.audited(found.database)
        who = self._permitted(audited, person)
        if found.confirmed_by is not None:
            _refuse(found.database, "confirmed", "it is already")
        if found.reported_by == who:
            _refuse(found.database, "confirmed", "you have reported it, and it takes a second person")
        gap = self._gap(audited, "confirmed")
        if gap.lost != lost(found):
            _refuse(found.database, "confirmed", "other rows are lost now than were reported; report it anew")
        with self._control.begin() as session, audited.database.snapshot() as there:
            restore = session.get_one(Restore, restore_id, with_for_update=True, populate_existing=True)
            if restore.confirmed_by is not None:
                _refuse(found.database, "confirmed", "it is already")
            restore.confirmed_by, restore.confirmed_at, restore.confirm_reason = who, self._clock.now(), why
            restore.signature = signature(self._settings, restore)
            session.flush()
            checkpoint(session, session if audited.is_control else there, restore.database)
            self._write_down(session, "restore_confirmed", restore, who, why)
        return self._shown([restore])[0]

    def list(self, database: str | None = None) -> Sequence[RestoreReport]:
        """The restores of a database, or of all, newest first; also those that wait for a second person."""
        wanted = select(Restore).order_by(Restore.reported_at.desc(), Restore.id)
        if database is not None:
            wanted = wanted.where(Restore.database == database)
        with self._control.begin() as session:
            return self._shown(session.scalars(wanted).all())

    def _permitted(self, audited: AuditedDatabase, person: str | UUID) -> UUID:
        roles = SUPERADMINS if audited.is_control else ADMINS
        act = f"say that the database of '{audited.name}' was restored"
        return people.permitted(self._control, person, audited.keeper.name, roles, act, self._clock.now()).id

    def _gap(self, audited: AuditedDatabase, act: str) -> _Gap:
        """What is cut off, if nothing else is wrong."""
        sealed = audited.sealed().anchors
        known = audited.acknowledged().lost
        missing: set[Ending] = set()
        kept: dict[str, int] = {}
        with self._control.snapshot() as control, audited.database.snapshot() as there:
            for model in audited.models:
                chain, agreed = table_of(model).name, 0
                for anchor, agrees in compared(there, model, noted(control, audited.name, chain, sealed)):
                    ending = (chain, anchor.length, anchor.last_hash)
                    if agrees and chain not in kept:
                        agreed = anchor.length
                    elif not agrees and ending not in known:
                        missing.add(ending)
                        kept.setdefault(chain, agreed)
        if not missing:
            _refuse(audited.name, act, "nothing is cut off, its audit agrees with all that was noted of it")
        findings = [str(each) for chain in audited.verify(sealed, frozenset(missing)).chains for each in chain.findings]
        if findings:
            more = "" if len(findings) == 1 else f", and {counted(len(findings) - 1, 'thing')} more"
            _refuse(audited.name, act, f"no restore explains that of {findings[0]}{more}")
        return _Gap(frozenset(missing), kept)

    def _shown(self, restores: Sequence[Restore]) -> Sequence[RestoreReport]:
        who = {person for each in restores for person in (each.reported_by, each.confirmed_by) if person is not None}
        names = {each: str(each) for each in who} | dict(people.addresses(self._control, who))
        return [
            RestoreReport(
                id=each.id,
                database=each.database,
                rows=tuple(
                    LostRows(chain, kept, max(length for name, length, _ in lost(each) if name == chain))
                    for chain, kept in sorted(each.kept.items())
                ),
                promotions=tuple(map(UUID, each.promotions)),
                rollbacks=tuple(map(UUID, each.rollbacks)),
                reason=each.reason,
                reported_by=names[each.reported_by],
                reported_at=each.reported_at,
                confirmed_by=None if each.confirmed_by is None else names[each.confirmed_by],
                confirmed_at=each.confirmed_at,
                confirm_reason=each.confirm_reason,
            )
            for each in restores
        ]

    def _write_down(self, session: Session, action: str, restore: Restore, who: UUID, reason: str) -> None:
        append(
            session,
            EnvironmentAccess(
                user_id=who,
                environment=restore.database,
                action=action,
                reason=reason,
                details={
                    "restore_id": str(restore.id),
                    "kept": restore.kept,
                    "promotions": len(restore.promotions),
                    "rollbacks": len(restore.rollbacks),
                },
                occurred_at=self._clock.now(),
            ),
        )


def _refuse(database: str, act: str, reason: str) -> NoReturn:
    raise RestoreRefused(database=database, act=act, reason=reason)


def _texts(ids: Sequence[UUID]) -> list[str]:
    return [str(each) for each in ids]
