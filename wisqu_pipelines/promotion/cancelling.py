"""Stopping what nobody wants any more: a promotion before its run begins or while the run is at it, and a rollback that
was asked for and has not begun.
"""

from uuid import UUID

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import PromotionRefused
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.reasons import check_reason
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.promotion.ledger import Ledger, cancellation, move, write_down
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.paths import path_of
from wisqu_pipelines.settings import Settings

WAITING = frozenset({PromotionState.PLANNED, PromotionState.APPROVED, PromotionState.FAILED})


class CancellationService:
    """Takes people's word that a promotion shall not happen. Every cancellation is audited in its own transaction."""

    def __init__(self, control: Database, settings: Settings, clock: Clock) -> None:
        """Cancel what `control` keeps."""
        self._control = control
        self._settings = settings
        self._clock = clock
        self._ledger = Ledger(control, clock)

    def cancel(self, promotion_id: UUID, person: str | UUID, reason: str) -> PromotionState:
        """Cancel a promotion, or its rollback; returns its state after that.

        One that waits, or has failed and could be executed again, is rejected at once. One that a run is at stays
        `executing` until the run, or the next one if that is gone, has swept what it staged; then it is rejected too.
        One that has happened and is to be taken back stays, as long as no run has begun with that.

        Raises:
            PromotionNotFound: there is no such promotion.
            UnknownPerson: there is no such active person.
            NotPermitted: they neither asked for what they cancel nor decide on its path.
            PromotionRefused: it has happened, is over, was cancelled before, or no reason is given.
            BadInput: the reason cannot be kept.
        """
        why = check_reason(reason)
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id, lock=True)
            path = path_of(self._settings, promotion)
            user = people.find(session, person)
            now = self._clock.now()
            goes_back = promotion.state == PromotionState.SUCCEEDED and promotion.rollback_requested_at is not None
            asked = promotion.rollback_requested_by_user_id if goes_back else promotion.requested_by_user_id
            if asked != user.id:
                people.require_role(user, path.target, path.approver_roles, "cancel this promotion", now)
            if goes_back and why is not None:
                promotion.rollback_requested_at = promotion.rollback_requested_by_user_id = None
                promotion.rollback_reason = None
                write_down(session, promotion, "rollback_withdrawn", user, why, now)
                return PromotionState.SUCCEEDED
            if problem := _problem(PromotionState(promotion.state), why, promotion.cancelled_by_user_id is not None):
                raise PromotionRefused(promotion_id=str(promotion.id), act="cancelled", reason=problem)
            promotion.cancelled_by_user_id, promotion.cancel_reason = user.id, why
            if promotion.state in WAITING:
                move(promotion, PromotionState.REJECTED)
                promotion.error = str(cancellation(session, promotion))
                promotion.finished_at = now
            write_down(session, promotion, "promotion_cancelled", user, why, now)
            return PromotionState(promotion.state)


def _problem(state: PromotionState, why: str | None, is_cancelled: bool) -> str | None:
    """Why a promotion cannot be cancelled; None: it can."""
    if why is None:
        return "who cancels says why"
    if state == PromotionState.ROLLING_BACK:
        return "it is being taken back, and that is finished"
    if state in {PromotionState.PUBLISHED, PromotionState.SUCCEEDED}:
        return f"it has happened (it is {state}), and can be rolled back"
    if state not in {*WAITING, PromotionState.EXECUTING}:
        return f"it is {state}"
    return "it is being cancelled already" if is_cancelled else None
