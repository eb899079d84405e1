"""Asking for promotions as the automation's account: it has roles as people have, and the paths' rules hold for it."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from wisqu_pipelines.automation.models import CiResult
from wisqu_pipelines.automation.waiting import waits
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadSettings, CiRefused, CiResultNotFound, NotPermitted
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.notifications.events import Event
from wisqu_pipelines.notifications.service import NotificationService
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.promotion.approvals import ApprovalService
from wisqu_pipelines.promotion.models import Promotion, PromotionState
from wisqu_pipelines.promotion.results import PromotionPreview
from wisqu_pipelines.promotion.service import EnvironmentPromotionService
from wisqu_pipelines.promotion.types import TYPES, PromotableType
from wisqu_pipelines.settings import PathSettings, Settings, decision_url

VIA = "automation"
CI = "ci"
"""Recorded as how a plan was asked for."""
FRESH = timedelta(minutes=5)
"""How far CI's clock and ours may be apart, and how long a signed result can be sent."""
PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that ought to be made."""

    source: str
    target: str
    since: datetime
    """When the last item was approved that it is about."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A result of CI, as it was sent."""

    id: UUID
    commit: str
    suite: str
    outcome: str
    url: str | None = None


class AutomationService:
    """What the schedules and sensors ask for. Nothing is executed here, and nothing gets round an approval."""

    def __init__(
        self,
        control: Database,
        environments: Mapping[str, Environment],
        promotions: EnvironmentPromotionService,
        approvals: ApprovalService,
        notifications: NotificationService,
        settings: Settings,
        clock: Clock,
    ) -> None:
        """Ask `promotions` for what the environments' people have approved."""
        self._control = control
        self._environments = environments
        self._promotions = promotions
        self._approvals = approvals
        self._notifications = notifications
        self._settings = settings
        self._clock = clock

    def wishes(self) -> Sequence[Wish]:
        """The requests that ought to be made now: for what has been approved for a while, with no more coming.

        Only along the first path that is declared: what goes on from there is asked for by its path's own `request`.
        """
        minutes = self._settings.automation.preview_after_minutes
        path = next(iter(self._settings.paths.values()), None)
        if minutes is None or path is None:
            return []
        quiet_since = self._clock.now() - timedelta(minutes=minutes)
        found = [self._waits(path, kind) for kind in TYPES.values()]
        approved = [at for at in found if at is not None]
        return [Wish(path.source, path.target, max(approved))] if approved and max(approved) <= quiet_since else []

    def request(
        self, source: str, target: str, reason: str, *, via: str = VIA, progress: Progress = no_progress
    ) -> Sequence[PromotionPreview]:
        """Preview all that is approved and not yet looked at along a path, and tell those who may approve it.

        Nothing is executed: the previews wait for their approvals. Asking again finds the plans that are there.

        Args:
            source: Where the items are.
            target: Where they are to go.
            reason: What for; it is kept with each plan.
            via: Through which door.
            progress: Told how far it is.

        Returns:
            The plans that have something to do.

        Raises:
            PathRefused: there is no such path.
            BadSettings: `automation.person` is not set.
            UnknownPerson, NotPermitted: its account is not there, or may not ask.
            BadInput: the reason cannot be kept.
        """
        path = self._settings.path(source, target)
        person = self._person()
        made = self._preview(path, person, reason, via, progress)
        for preview in made:
            self._tell_approvers(preview, path, person, reason)
        return made

    def receive(self, delivery: Delivery, signed_at: datetime, signature: str, body: bytes) -> bool:
        """Take a result from CI; whether it is new. The sensor does what follows from it.

        Args:
            delivery: What it says.
            signed_at: When CI signed it, as it says.
            signature: Hexadecimal HMAC-SHA-256, under `automation.ci_secret`, of the time in whole seconds since 1970,
                a dot and the body.
            body: What was sent, byte for byte.

        Raises:
            CiRefused: no results are taken, the signature is not CI's, or it is too old or from the future.
        """
        secret = self._settings.automation.ci_secret
        if secret is None:
            raise CiRefused(reason="automation.ci_secret is not set, so none are taken")
        signed = f"{int(signed_at.timestamp())}.".encode() + body
        wanted = hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), signature.encode()):
            raise CiRefused(reason="it is not signed with the key that is agreed on")
        now = self._clock.now()
        if abs(now - signed_at) > FRESH:
            raise CiRefused(reason=f"it was signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC, and counts for 5 minutes")
        with self._control.begin() as session:
            if session.get(CiResult, delivery.id, with_for_update=True) is not None:
                return False
            session.add(
                CiResult(
                    delivery_id=delivery.id,
                    commit=delivery.commit,
                    suite=delivery.suite,
                    outcome=delivery.outcome,
                    url=delivery.url,
                    received_at=now,
                )
            )
            return True

    def unhandled(self, limit: int = 20) -> Sequence[UUID]:
        """Deliveries that nothing has followed from yet, oldest first."""
        with self._control.begin() as session:
            wanted = select(CiResult.delivery_id).where(CiResult.handled_at.is_(None))
            return session.scalars(wanted.order_by(CiResult.received_at, CiResult.delivery_id).limit(limit)).all()

    def handle(self, delivery_id: UUID, *, progress: Progress = no_progress) -> Sequence[UUID]:
        """Ask for what may be promoted because tests have passed, and approve it where the account may do that.

        Doing it again finds the plans and approvals that are there.

        Returns:
            The ids of the promotions.

        Raises:
            CiResultNotFound: there is no such delivery.
            BadSettings: `automation.person` is not set, and a path has `auto_promote_after_tests`.
        """
        with self._control.begin() as session:
            result = session.get(CiResult, delivery_id)
            if result is None:
                raise CiResultNotFound(delivery_id=str(delivery_id))
            if result.handled_at is not None:
                return []
            paths = [path for path in self._settings.paths.values() if self._passed(session, result, path)]
            session.expunge(result)
        asked: list[UUID] = []
        for path in paths:
            why = f"the tests {', '.join(path.test_suites) or result.suite} passed at {result.commit}"
            asked += self._after_tests(path, why, progress)
        with self._control.begin() as session:
            done = session.get_one(CiResult, delivery_id, with_for_update=True)
            done.handled_at = self._clock.now()
            done.promotions = [str(each) for each in asked]
        return asked

    def _after_tests(self, path: PathSettings, why: str, progress: Progress) -> Sequence[UUID]:
        """Preview what waits along a path, and approve it or tell those who may; returns the promotions' ids."""
        person = self._person()
        made = {each.promotion_id: each for each in self._preview(path, person, why, CI, progress)}
        with self._control.begin() as session:  # also those that a run which broke off has left without its yes
            planned = session.scalars(
                select(Promotion.id).where(
                    Promotion.requested_by_user_id == person.id,
                    Promotion.requested_via == CI,
                    Promotion.reason == why,
                    Promotion.source_environment == path.source,
                    Promotion.target_environment == path.target,
                    Promotion.state == PromotionState.PLANNED,
                )
            ).all()
        for promotion_id in planned:
            preview = made.get(promotion_id) or self._promotions.preview(promotion_id)
            if not preview.total_count or person.id in self._approvals.standing(promotion_id):
                continue
            try:
                self._approvals.grant(promotion_id, person.id, why)
            except NotPermitted:  # the path wants people's
                self._tell_approvers(preview, path, person, why)
        return [*{**made, **dict.fromkeys(planned)}]

    def _passed(self, session: Session, result: CiResult, path: PathSettings) -> bool:
        """Whether a path goes by tests, and this result is the last one that it has waited for."""
        if not path.auto_promote_after_tests or result.outcome != PASSED:
            return False
        if not path.test_suites:
            return True
        latest = (
            select(CiResult.suite, CiResult.outcome)
            .where(CiResult.commit == result.commit, CiResult.suite.in_(path.test_suites))
            .order_by(CiResult.suite, CiResult.received_at.desc(), CiResult.delivery_id)
            .ext(distinct_on(CiResult.suite))
        )
        outcomes = {row.suite: row.outcome for row in session.execute(latest)}
        return all(outcomes.get(each) == PASSED for each in path.test_suites)

    def _preview(
        self, path: PathSettings, person: CentralUser, reason: str, via: str, progress: Progress
    ) -> Sequence[PromotionPreview]:
        """Plans of what waits along a path, those that have something to do."""
        made = [
            self._promotions.preview_promotion(
                kind.name,
                path.source,
                path.target,
                requested_by_user_id=person.id,
                requested_via=via,
                reason=reason,
                progress=progress,
            )
            for kind in self._waiting(path)
        ]
        return [each for each in made if each.total_count]

    def _waits(self, path: PathSettings, kind: PromotableType) -> datetime | None:
        return waits(self._control, self._environments[path.source], path.target, kind)

    def _waiting(self, path: PathSettings) -> Iterator[PromotableType]:
        """The types of which something waits. Each is asked for when the one before has been previewed: a document
        brings its file.
        """
        for kind in sorted(TYPES.values(), key=lambda kind: not kind.belongs_to):
            if self._waits(path, kind) is not None:
                yield kind

    def _person(self) -> CentralUser:
        address = self._settings.automation.person
        if address is None:
            raise BadSettings(message="automation.person is not set: it names the account that asks for promotions")
        with self._control.begin() as session:
            return people.find(session, address)

    def _tell_approvers(self, preview: PromotionPreview, path: PathSettings, person: CentralUser, reason: str) -> None:
        approvers = people.holders(
            self._control,
            path.target,
            path.approver_roles,
            self._clock.now(),
            but=None if path.self_approval else person.id,
        )
        for address in approvers:
            self._notifications.post(
                Event.APPROVAL_WANTED,
                f"{preview.promotion_id}",
                address=address,
                items=preview.total_count,
                person=person.email,
                path=path.name,
                target=path.target,
                promotion=preview.promotion_id,
                link=decision_url(self._settings.api_url, "promotions", preview.promotion_id),
                reason=reason,
            )
