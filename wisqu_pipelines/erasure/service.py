"""Erasing a person from an environment: asked for by one, approved by another, done whatever interrupts it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.accounts import traces
from wisqu_pipelines.accounts.removal import Belongings, Removed, close, is_held, remove
from wisqu_pipelines.accounts.traces import Lying
from wisqu_pipelines.audit.canonical import digest
from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.models import EnvironmentRow, RagDocument, StoredFile, User
from wisqu_pipelines.catalog.users import find_user
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.environments.turns import one_at_a_time
from wisqu_pipelines.erasure import involved
from wisqu_pipelines.erasure.certificates import certificate, certified, email_hash, places
from wisqu_pipelines.erasure.models import APPROVAL_LASTS, OPEN, Erasure, ErasureState
from wisqu_pipelines.erasure.report import ErasedAgain, ErasurePreview, ErasureReport
from wisqu_pipelines.errors import ErasureNotFound, ErasureRefused, ItemRefused, NotPermitted, UnknownEnvironment
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.reasons import check_reason, required_reason
from wisqu_pipelines.identity.signatures import SignedApprovals
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.settings import Settings

ERASERS = ("admin", "superadmin")
"""Roles, held in the environment, that may ask for an erasure, approve somebody else's, and have it done."""
AUDIENCE = "wisqu:erasures"
"""What signed approvals of erasures are for: they are none of anything else."""
TURN = 0x57_49_53_51_55_07
"""The advisory lock of the environment's database that lets one erasure at a time work on it."""
ERASED, AGAIN = "erased", "erased_again"
"""What the environment's audit calls it; its guard on before-images knows these two."""


class ErasureService:
    """Erases people from environments, and keeps the ledger of it in the control database."""

    def __init__(
        self, control: Database, environments: Mapping[str, Environment], settings: Settings, clock: Clock
    ) -> None:
        """Erase in `environments`, with people, promotions and the ledger in `control`."""
        self._control = control
        self._environments = environments
        self._signatures = SignedApprovals(settings, AUDIENCE)
        self._clock = clock

    def preview(self, environment: str, user: str | UUID) -> ErasurePreview:
        """What an erasure would take now, and what would stop it. Nothing is changed.

        Args:
            environment: Where.
            user: The id or the address of an account there.

        Raises:
            UnknownEnvironment: there is none of that name.
            ItemNotFound: there is no such account.
        """
        place = self._environments[environment]
        with place.database.snapshot() as session:
            account = find_user(session, user, environment)
            rows = _ids(session, Belongings(account.id))
            size = func.coalesce(func.sum(StoredFile.file_size_bytes), 0)
            points = func.coalesce(func.sum(RagDocument.point_count), 0)
            held = session.scalar(select(User.id).where(User.id == account.id, is_held(self._clock.now())))
            files, documents = rows.get("stored_files", ()), rows.get("rag_documents", ())
            bytes_ = session.scalar(select(size).where(among(StoredFile.id, files)))
            count = session.scalar(select(points).where(among(RagDocument.id, documents)))
        with self._control.begin() as session:
            return ErasurePreview(
                environment=environment,
                user_id=account.id,
                email_hash=email_hash(account.email),
                rows={kind: len(ids) for kind, ids in rows.items()},
                bytes=int(bytes_ or 0),
                points=int(count or 0),
                is_held=held is not None,
                promotions=involved.running(session, environment, rows),
                copies=involved.copies(session, environment, rows),
            )

    def request(self, environment: str, user: str | UUID, person: str | UUID, reason: str) -> ErasureReport:
        """Ask for an erasure.

        Args:
            environment: Where.
            user: The id or the address of an account there.
            person: Who asks.
            reason: The number of the case; it is kept for good, so no names.

        Raises:
            UnknownEnvironment, ItemNotFound: there is no such environment or account.
            UnknownPerson, NotPermitted: the person may not ask for it.
            BadInput: the reason is not usable.
            ErasureRefused: it is asked for already.
        """
        place = self._environments[environment]
        who = self._permitted(person, environment, "ask for an erasure")
        why = required_reason(reason, "an erasure")
        with place.database.begin() as session:
            account = find_user(session, user, environment)
        with self._control.begin() as session:
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"erasure of {account.id}", 0))))
            wanted = select(Erasure).where(
                Erasure.environment == environment, Erasure.user_id == account.id, Erasure.state.in_(OPEN)
            )
            for before in session.scalars(wanted.with_for_update()):
                if not self._has_lapsed(before):
                    what = f"The erasure of the user {account.id} of {environment}"
                    _refuse(what, "asked for", f"it is {before.state} already, as {before.id}")
                before.state = ErasureState.REJECTED
                session.flush()
            made = Erasure(
                id=uuid4(),
                environment=environment,
                user_id=account.id,
                email_hash=email_hash(account.email),
                state=ErasureState.REQUESTED,
                requested_by=who,
                reason=why,
                requested_at=self._clock.now(),
                again=[],
            )
            session.add(made)
            session.flush()
            with place.database.begin() as there:
                self._write_down(there, "erasure_requested", who, why, made)
            return _report(made)

    def approve(self, erasure_id: UUID, person: str | UUID) -> ErasureReport:
        """Let an erasure happen: of the person, with what is there when it runs. The approval is signed.

        Raises:
            ErasureNotFound, ErasureRefused: it is not there, or does not wait.
            UnknownPerson, NotPermitted: the person may not do it, or asked for it themselves.
        """
        environment = self.status(erasure_id).environment
        who = self._permitted(person, environment, "approve an erasure")
        with self._control.begin() as session:
            erasure = _get(session, erasure_id)
            self._require(erasure, "approved", ErasureState.REQUESTED)
            if erasure.requested_by == who:
                raise NotPermitted(
                    person=people.address(self._control, who),
                    act="approve this erasure",
                    environment=environment,
                    reason="they asked for it themselves, and it takes somebody else's yes",
                )
            now = self._clock.now()
            erasure.approved_by, erasure.approved_at = who, now
            erasure.signature = self._signatures.sign(who, now, APPROVAL_LASTS, _signed(erasure))
            erasure.state = ErasureState.APPROVED
            session.flush()
            with self._environments[environment].database.begin() as there:
                self._write_down(there, "erasure_approved", who, None, erasure)
            return _report(erasure)

    def reject(self, erasure_id: UUID, person: str | UUID, reason: str) -> ErasureReport:
        """Say no to an erasure that has not begun, for good. Errors as of `approve`."""
        why = required_reason(reason, "saying no")
        environment = self.status(erasure_id).environment
        who = self._permitted(person, environment, "reject an erasure")
        place = self._environments[environment]
        with self._control.begin() as session:
            erasure = _get(session, erasure_id)
            self._require(erasure, "rejected", ErasureState.REQUESTED, ErasureState.APPROVED, lapsed=True)
            erasure.state, erasure.rejected_by = ErasureState.REJECTED, who
            session.flush()
            with place.database.begin() as there:
                self._write_down(there, "erasure_rejected", who, why, erasure)
            return _report(erasure)

    def run(
        self, erasure_id: UUID, person: str | UUID | None = None, *, progress: Progress = no_progress
    ) -> ErasureReport:
        """Carry out an approved erasure, or finish one that was interrupted. One that is done stays as it is.

        Args:
            erasure_id: Which.
            person: Who has it done; None: a door that knows no people.
            progress: Told how far it is.

        Raises:
            ErasureNotFound, ErasureRefused: it is not there, not approved, or a running promotion has something of it.
            ItemRefused: a legal hold is on something of it.
            UnknownPerson, NotPermitted: the person may not do it.
        """
        standing = self.status(erasure_id)
        who = None if person is None else self._permitted(person, standing.environment, "carry out an erasure")
        place = self._environments[standing.environment]
        with one_at_a_time(place.database, TURN):
            with self._control.begin() as session:
                erasure = _get(session, erasure_id)
                if erasure.state == ErasureState.DONE:
                    return _report(erasure)
                self._require_approved(erasure)
            if not self._has_gone(place, erasure):
                self._close(place, erasure, Belongings(erasure.user_id))
                self._take(place, erasure, who, progress)
            return self._finish(erasure_id)

    def list(self, environment: str | None = None, limit: int = 50) -> Sequence[ErasureReport]:
        """The erasures, newest first.

        Raises:
            UnknownEnvironment: there is no environment of that name.
        """
        wanted = select(Erasure).order_by(Erasure.requested_at.desc(), Erasure.id).limit(limit)
        if environment is not None:
            # Looked up, it would be opened, and one that is down has a list too.
            if environment not in list(self._environments):
                raise UnknownEnvironment(name=environment, known=sorted(self._environments))
            wanted = wanted.where(Erasure.environment == environment)
        with self._control.begin() as session:
            return [_report(each) for each in session.scalars(wanted)]

    def waiting(self) -> Sequence[ErasureReport]:
        """The erasures that wait for a decision, oldest first."""
        since = self._clock.now() - APPROVAL_LASTS
        wanted = select(Erasure).where(Erasure.state == ErasureState.REQUESTED, Erasure.requested_at >= since)
        with self._control.begin() as session:
            return [_report(each) for each in session.scalars(wanted.order_by(Erasure.requested_at, Erasure.id))]

    def ready(self) -> Sequence[ErasureReport]:
        """The erasures that wait for a run, oldest first: approved ones, and those whose run was interrupted."""
        wanted = select(Erasure).where(Erasure.state.in_((ErasureState.APPROVED, ErasureState.RUNNING)))
        with self._control.begin() as session:
            found = session.scalars(wanted.order_by(Erasure.requested_at, Erasure.id))
            return [_report(each) for each in found if not self._has_lapsed(each)]

    def status(self, erasure_id: UUID) -> ErasureReport:
        """How an erasure stands.

        Raises:
            ErasureNotFound: there is none.
        """
        with self._control.begin() as session:
            return _report(_get(session, erasure_id, lock=False))

    def certificate(self, erasure_id: UUID) -> Mapping[str, Any]:
        """The certificate of an erasure that is done, with its digest.

        Raises:
            ErasureNotFound, ErasureRefused: it is not there, or not done.
        """
        with self._control.begin() as session:
            erasure = _get(session, erasure_id, lock=False)
            if erasure.state != ErasureState.DONE or erasure.certificate is None:
                _refuse(f"The erasure {erasure.id}", "certified", f"it is {erasure.state}")
            return {"certificate": erasure.certificate, "digest": erasure.digest, "again": erasure.again}

    def reapply(
        self, environment: str, person: str | UUID | None = None, *, progress: Progress = no_progress
    ) -> Sequence[ErasedAgain]:
        """Erase again what a restore from a backup brought back; it needs no new approval. Nothing to do is fine.

        Args:
            environment: Where.
            person: Who has it done; None: a door that knows no people.
            progress: Told how far it is.

        Raises:
            UnknownEnvironment: there is none of that name.
            UnknownPerson, NotPermitted: the person may not do it.
        """
        place = self._environments[environment]
        who = None if person is None else self._permitted(person, environment, "carry out an erasure")
        wanted = (
            select(Erasure)
            .where(Erasure.environment == environment, Erasure.state == ErasureState.DONE)
            .order_by(Erasure.done_at, Erasure.id)
        )
        done: list[ErasedAgain] = []
        with one_at_a_time(place.database, TURN):
            with self._control.begin() as session:
                ledger = session.scalars(wanted).all()
            for number, erasure in enumerate(ledger, 1):
                progress("erasures looked at", number, len(ledger))
                back, strays = self._is_back(place, erasure)
                if back is None:
                    continue
                try:
                    self._close(place, erasure, back)
                except (ItemRefused, ErasureRefused) as error:
                    done.append(ErasedAgain(erasure.id, erasure.user_id, 0, 0, 0, str(error)))
                    continue
                gone = self._take(place, erasure, who, progress, back, strays)
                done.append(ErasedAgain(erasure.id, erasure.user_id, gone.rows, gone.files, gone.points))
        return done

    def _finish(self, erasure_id: UUID) -> ErasureReport:
        with self._control.begin() as session:
            erasure = _get(session, erasure_id)
            told = erasure.certificate or {}
            erasure.state, erasure.done_at = ErasureState.DONE, datetime.fromisoformat(told["erased_at"])
            session.flush()
            return _report(erasure)

    def _require_approved(self, erasure: Erasure) -> None:
        """Let it begin, or go on; the approval counts as of when it began."""
        begins = erasure.state != ErasureState.RUNNING
        if begins:
            self._require(erasure, "run", ErasureState.APPROVED)
        by, at, now = erasure.approved_by, erasure.approved_at, erasure.begun_at or self._clock.now()
        if not self._signatures.holds(erasure.signature, by, at, APPROVAL_LASTS, _signed(erasure), now):
            _refuse(f"The erasure {erasure.id}", "run", "its approval is not signed, or says something else")

    def _close(self, place: Environment, erasure: Erasure, what: Belongings) -> None:
        """Hide everything, in one transaction, if nothing forbids it."""
        with place.database.begin() as session:
            account = session.get(User, what.owner, with_for_update=True) if what.with_owner else None
            rows = _ids(session, what)
            with self._control.begin() as control:
                if busy := involved.running(control, place.name, rows):
                    reason = f"the promotion {busy[0]} is under way with something of it; try again when it has ended"
                    _refuse(f"The erasure {erasure.id}", "run", reason)
            close(session, account, place, self._clock.now(), what)
            with self._control.begin() as control:
                now = _get(control, erasure.id)
                if now.state == ErasureState.APPROVED:
                    now.state, now.begun_at = ErasureState.RUNNING, self._clock.now()

    def _take(
        self,
        place: Environment,
        erasure: Erasure,
        who: UUID | None,
        progress: Progress,
        what: Belongings | None = None,
        strays: Lying | None = None,
    ) -> Removed:
        """Take what is closed out of the stores, and certify it.

        The ledger is written just before the environment's transaction ends. If that is lost, the rows are still there
        and the next run certifies them anew; if it is not, the environment's audit has the certificate's digest.
        """
        action = ERASED if what is None else AGAIN

        def audited(session: Session, removed: Removed) -> None:
            now = self._clock.now()
            told = certificate(erasure, removed, now)
            proof = digest(told)
            amounts = {"rows": removed.rows, "files": removed.files, "points": removed.points}
            with self._control.begin() as control:
                entry = _get(control, erasure.id)
                if what is None:
                    entry.certificate, entry.digest = told, proof
                else:
                    entry.again = [*entry.again, {"at": now.isoformat(), **amounts, "digest": proof}]
            self._write_down(session, action, who, erasure.reason, erasure, digest=proof, **amounts)

        taken = what or Belongings(erasure.user_id)
        return remove(place, taken, audited, every_trace=True, strays=strays, progress=progress)

    def _has_gone(self, place: Environment, erasure: Erasure) -> bool:
        """Whether the rows have gone with the certificate that the ledger has."""
        if erasure.digest is None:
            return False
        wanted = select(DeveloperAction.id).where(
            DeveloperAction.action == ERASED,
            DeveloperAction.details["erasure_id"].astext == str(erasure.id),
            DeveloperAction.details["digest"].astext == erasure.digest,
        )
        with place.database.begin() as session:
            return session.scalar(wanted.limit(1)) is not None

    def _is_back(self, place: Environment, erasure: Erasure) -> tuple[Belongings | None, Lying]:
        """What of a done erasure is there again; who came anew after it, or what was brought anew, is not."""
        assert erasure.done_at is not None  # noqa: S101 - a check of the table
        told = erasure.certificate or {"rows": []}
        back: dict[str, Sequence[UUID]] = {}
        anew: set[UUID] = set()
        with place.database.begin() as session:
            account = session.get(User, erasure.user_id)
            for model, _ in Belongings(erasure.user_id).conditions():
                name = str(model.__tablename__)
                ids = list(certified(told).get(name, ()))
                if not ids:
                    continue
                before = (model.created_at <= erasure.done_at) & or_(
                    model.promoted_at.is_(None), model.promoted_at <= erasure.done_at
                )
                found = session.execute(select(model.id, before).where(among(model.id, ids))).all()
                back[name] = [id_ for id_, is_old in found if is_old]
                anew |= {id_ for id_, is_old in found if not is_old}
        strays = traces.every_version(
            place,
            [each for each in places(told, "vectors", "collection") if each[1] not in anew],
            [each for each in places(told, "file", "bucket") if each[1] not in anew],
        )
        is_account_back = account is not None and account.created_at <= erasure.done_at
        if not (is_account_back or any(back.values()) or strays.is_any):
            return None, strays
        return Belongings(erasure.user_id, back, with_owner=is_account_back), strays

    def _require(self, erasure: Erasure, act: str, *states: ErasureState, lapsed: bool = False) -> None:
        if erasure.state not in states:
            _refuse(f"The erasure {erasure.id}", act, f"it is {erasure.state}")
        if not lapsed and self._has_lapsed(erasure):
            _refuse(f"The erasure {erasure.id}", act, "it has waited longer than 72 hours; ask for it anew")

    def _has_lapsed(self, erasure: Erasure) -> bool:
        since = erasure.approved_at or erasure.requested_at
        return erasure.state != ErasureState.RUNNING and self._clock.now() - since > APPROVAL_LASTS

    def _permitted(self, person: str | UUID, environment: str, act: str) -> UUID:
        return people.permitted(self._control, person, environment, ERASERS, act, self._clock.now()).id

    def _write_down(
        self, session: Session, action: str, who: UUID | None, reason: str | None, erasure: Erasure, **details: Any
    ) -> None:
        append(
            session,
            DeveloperAction(
                developer_id=who,
                environment=erasure.environment,
                action=action,
                reason=check_reason(reason),
                details={"erasure_id": str(erasure.id), "user_id": str(erasure.user_id), **details},
                occurred_at=self._clock.now(),
            ),
        )


def _ids(session: Session, what: Belongings) -> Mapping[str, Sequence[UUID]]:
    """The rows that go, by type."""

    def of(model: type[EnvironmentRow], own: Any) -> Sequence[UUID]:
        return session.scalars(select(model.id).where(own)).all()

    found = {str(model.__tablename__): of(model, own) for model, own in what.conditions()}
    return {name: ids for name, ids in found.items() if ids}


def _get(session: Session, erasure_id: UUID, *, lock: bool = True) -> Erasure:
    found = session.get(Erasure, erasure_id, with_for_update=lock)
    if found is None:
        raise ErasureNotFound(erasure_id=str(erasure_id))
    return found


def _signed(erasure: Erasure) -> dict[str, str]:
    """What an approval is of: the person, not a list. What they add until the run goes as well."""
    return {
        "erasure_id": str(erasure.id),
        "environment": erasure.environment,
        "user_id": str(erasure.user_id),
        "email_hash": erasure.email_hash,
        "requested_by": str(erasure.requested_by),
    }


def _report(erasure: Erasure) -> ErasureReport:
    rows = (erasure.certificate or {}).get("counts", {}) if erasure.state == ErasureState.DONE else {}
    return ErasureReport(
        id=erasure.id,
        environment=erasure.environment,
        user_id=erasure.user_id,
        email_hash=erasure.email_hash,
        state=erasure.state,
        reason=erasure.reason,
        requested_by=erasure.requested_by,
        requested_at=erasure.requested_at,
        approved_by=erasure.approved_by,
        approved_at=erasure.approved_at,
        done_at=erasure.done_at,
        digest=erasure.digest,
        rows=rows,
        again=len(erasure.again),
    )


def _refuse(what: str, act: str, reason: str) -> NoReturn:
    raise ErasureRefused(what=what, act=act, reason=reason)
