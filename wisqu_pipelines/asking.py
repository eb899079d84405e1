"""Asking those who may decide: of each sweep and each erasure that waits they get one message."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.erasure.service import ERASERS, ErasureService
from wisqu_pipelines.identity import people
from wisqu_pipelines.notifications.events import Event
from wisqu_pipelines.notifications.service import NotificationService
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.retention.service import APPROVERS, RetentionService
from wisqu_pipelines.settings import Settings, decision_url


class Asking:
    """Asks for decisions on what is not asked for by whoever made it: it is found waiting, so nothing gets lost."""

    def __init__(self, control: Database, notifications: NotificationService, settings: Settings, clock: Clock) -> None:
        """Ask the people of `control` by `notifications`."""
        self._control = control
        self._notifications = notifications
        self._settings = settings
        self._clock = clock

    def for_sweeps(self, retention: RetentionService, environment: str) -> int:
        """Ask for the sweeps that wait in an environment; returns how many messages are new."""
        return sum(
            self._ask(
                Event.SWEEP_WANTED,
                sweep.sweep_id,
                APPROVERS,
                sweep.requested_by,
                sweep.reason,
                {"environment": environment, "rows": sweep.rows},
                ("sweeps", environment, sweep.sweep_id),
            )
            for sweep in retention.waiting()
            if sweep.sweep_id is not None
        )

    def for_erasures(self, erasures: ErasureService) -> int:
        """Ask for the erasures that wait; returns how many messages are new."""
        return sum(
            self._ask(
                Event.ERASURE_WANTED,
                erasure.id,
                ERASERS,
                erasure.requested_by,
                erasure.reason,
                {"environment": erasure.environment},
                ("erasures", erasure.id),
            )
            for erasure in erasures.waiting()
        )

    def _ask(
        self,
        event: Event,
        wanted: UUID,
        roles: Collection[str],
        by: UUID | None,
        reason: str | None,
        values: Mapping[str, object],
        page: Sequence[object],
    ) -> int:
        """Ask everybody who has one of the roles there, but not who wants it: it takes somebody else's yes."""
        environment = str(values["environment"])
        new = [
            self._notifications.post(
                event,
                str(wanted),
                address=address,
                once=True,
                id=wanted,
                person=people.address(self._control, by) or "somebody who is not known any more",
                reason=reason or "no reason was given",
                link=decision_url(self._settings.api_url, *page),
                **values,
            )
            for address in people.holders(self._control, environment, roles, self._clock.now(), but=by)
        ]
        return sum(each is not None for each in new)
