"""The gate: who says yes or no to a plan, who takes a yes back, and whether enough people have said it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from sqlalchemy import literal, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import NotPermitted, PlanStale, PromotionRefused
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.identity.reasons import check_reason
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.promotion.ledger import Ledger, move, write_down
from wisqu_pipelines.promotion.models import MOVING, Decision, Promotion, PromotionApproval, PromotionState
from wisqu_pipelines.promotion.paths import path_of
from wisqu_pipelines.promotion.plan import policy_changes, policy_of
from wisqu_pipelines.promotion.results import moving
from wisqu_pipelines.promotion.signatures import ApprovalSignatures
from wisqu_pipelines.settings import PathSettings, Settings

REVOCABLE = frozenset({PromotionState.PLANNED, PromotionState.APPROVED, PromotionState.FAILED})
"""The states in which no run holds a promotion, and the next one counts its approvals anew."""


class ApprovalService:
    """Takes people's decisions on plans. Every decision is audited in the transaction that takes it."""

    def __init__(self, control: Database, settings: Settings, clock: Clock) -> None:
        """Keep decisions in `control`, under the policies of `settings`."""
        self._control = control
        self._settings = settings
        self._clock = clock
        self._ledger = Ledger(control, clock)
        self._signatures = ApprovalSignatures(settings)

    def grant(self, promotion_id: UUID, person: str | UUID, reason: str | None = None) -> PromotionState:
        """Say yes to a plan; returns the promotion's state after it.

        Raises:
            PromotionNotFound: there is no such promotion.
            UnknownPerson: there is no such active person.
            NotPermitted: the person's role in the target is not one that approves, or the plan is their own and the
                path forbids self-approval.
            PromotionRefused: the plan waits for no approval, moves nothing, or the person has decided already.
            PlanStale: the path's policy is not the one that the plan was made under.
        """
        reason = check_reason(reason)
        with self._control.begin() as session:
            promotion, path, user, role = self._deciding(session, promotion_id, person, "approve this promotion")
            self._settings.path(path.source, path.target)  # nobody approves what cannot go any more
            if promotion.state != PromotionState.PLANNED:
                self._refuse(promotion, "approved", f"it is {promotion.state}")
            if not moving(promotion.totals, "items"):
                self._refuse(promotion, "approved", "its plan moves nothing")
            check_policy(promotion, path)
            if not path.self_approval:
                self._check_not_own(promotion, path, user)
            self._decide(session, promotion, path, (user, role), Decision.APPROVE, reason)
            session.flush()
            if len(valid(session, promotion, path, self._signatures, self._clock.now())) >= path.approvals:
                move(promotion, PromotionState.APPROVED)
            return PromotionState(promotion.state)

    def reject(self, promotion_id: UUID, person: str | UUID, reason: str) -> PromotionState:
        """Say no to a plan, for good.

        Raises:
            PromotionNotFound: there is no such promotion.
            UnknownPerson: there is no such active person.
            NotPermitted: the person's role in the target is not one that decides.
            PromotionRefused: the plan can no longer be rejected, no reason is given, or the person has decided already.
        """
        why = check_reason(reason)
        with self._control.begin() as session:
            promotion, path, user, role = self._deciding(session, promotion_id, person, "reject this promotion")
            if why is None:
                self._refuse(promotion, "rejected", "a rejection says why")
            if promotion.state not in {PromotionState.PLANNED, PromotionState.APPROVED}:
                self._refuse(promotion, "rejected", f"it is {promotion.state}")
            self._decide(session, promotion, path, (user, role), Decision.REJECT, why)
            move(promotion, PromotionState.REJECTED)
            promotion.error = f"{user.email} said no: {why}"
            promotion.finished_at = self._clock.now()
            return PromotionState.REJECTED

    def revoke(self, promotion_id: UUID, person: str | UUID, reason: str) -> PromotionState:
        """Take one's own yes back, until a run claims the promotion; returns the promotion's state after it.

        The decision stays written down, so the same person does not say yes to this plan again. A promotion that is
        left with too few approvals waits for other people's.

        Raises:
            PromotionNotFound: there is no such promotion.
            UnknownPerson: there is no such active person.
            PromotionRefused: a run has claimed the promotion, no reason is given, or the person has not approved it.
        """
        why = check_reason(reason)
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id, lock=True)
            path = path_of(self._settings, promotion)
            user = people.find(session, person)
            given = session.get(PromotionApproval, (promotion.id, user.id), populate_existing=True)
            if why is None:
                self._refuse_revocation(promotion, "who takes an approval back says why")
            if given is None or given.decision != Decision.APPROVE:
                self._refuse_revocation(promotion, f"{user.email} has not approved it")
            if given.revoked_at is not None:
                self._refuse_revocation(promotion, f"{user.email} has taken their approval back already")
            if promotion.state not in REVOCABLE:
                run = f", claimed by the run {promotion.run_id}" if promotion.run_id else ""
                self._refuse_revocation(
                    promotion, f"it is {promotion.state}{run}, and an approval can be taken back until the claim"
                )
            now = self._clock.now()
            given.revoked_at, given.revoked_reason = now, why
            session.flush()
            needed = max(path.approvals, int(promotion.policy["approvals"]))
            if (
                promotion.state == PromotionState.APPROVED
                and len(valid(session, promotion, path, self._signatures, now)) < needed
            ):
                move(promotion, PromotionState.PLANNED)
            write_down(session, promotion, "promotion_approval_revoked", user, why, now)
            return PromotionState(promotion.state)

    def standing(self, promotion_id: UUID) -> Sequence[UUID]:
        """The people whose approval of a promotion counts now, in the order in which they gave it.

        Raises:
            PromotionNotFound: there is no such promotion.
        """
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id)
            path = path_of(self._settings, promotion)
            return [each.user_id for each in valid(session, promotion, path, self._signatures, self._clock.now())]

    def pending(self) -> Sequence[UUID]:
        """The promotions that wait for a decision, oldest first. One that would write nothing needs none, and none can
        be made where nobody may approve their own and it is not known who asked.
        """
        by_effect = Promotion.totals["by_effect"]
        items = sum((by_effect[effect.value]["items"].as_integer() for effect in MOVING), literal(0))
        can_be = or_(Promotion.requested_by_user_id.is_not(None), Promotion.policy["self_approval"].as_boolean())
        wanted = select(Promotion.id).where(Promotion.state == PromotionState.PLANNED, items > 0, can_be)
        with self._control.begin() as session:
            return session.scalars(wanted.order_by(Promotion.created_at)).all()

    def _deciding(
        self, session: Session, promotion_id: UUID, person: str | UUID, act: str
    ) -> tuple[Promotion, PathSettings, CentralUser, str]:
        promotion = self._ledger.get(session, promotion_id, lock=True)
        path = path_of(self._settings, promotion)
        user = people.find(session, person)
        role = people.require_role(user, path.target, path.approver_roles, act, self._clock.now())
        given = session.get(PromotionApproval, (promotion.id, user.id))
        if given is not None:
            back = " and taken it back" if given.revoked_at is not None else ""
            self._refuse(promotion, "decided twice by one person", f"{user.email} has decided already{back}")
        return promotion, path, user, role

    @staticmethod
    def _check_not_own(promotion: Promotion, path: PathSettings, user: CentralUser) -> None:
        if promotion.requested_by_user_id is None:
            reason = "it is not known who asked for it, and nobody may approve their own; preview it as a known person"
        elif promotion.requested_by_user_id == user.id:
            reason = f"they asked for it themselves, and {path.name} takes somebody else's yes"
        else:
            return
        raise NotPermitted(person=user.email, act="approve this promotion", environment=path.target, reason=reason)

    def _decide(
        self,
        session: Session,
        promotion: Promotion,
        path: PathSettings,
        by: tuple[CentralUser, str],
        decision: Decision,
        reason: str | None,
    ) -> None:
        user, role = by
        now = self._clock.now()
        approval = PromotionApproval(
            promotion_id=promotion.id,
            user_id=user.id,
            plan_digest=promotion.plan_digest,
            decision=decision,
            role=role,
            reason=reason,
            decided_at=now,
            expires_at=now + path.approval_lifetime,
        )
        approval.signature = self._signatures.sign(approval, path.target)
        session.add(approval)
        write_down(session, promotion, f"promotion_{decision}", user, reason, now, role=role)

    @staticmethod
    def _refuse(promotion: Promotion, act: str, reason: str) -> NoReturn:
        raise PromotionRefused(promotion_id=str(promotion.id), act=act, reason=reason)

    def _refuse_revocation(self, promotion: Promotion, reason: str) -> NoReturn:
        self._refuse(promotion, "relieved of an approval", reason)


def check_policy(promotion: Promotion, path: PathSettings) -> None:
    """Refuse a plan that was made under another policy, before anybody counts its approvals by today's.

    Raises:
        PlanStale: the path's policy is not the one that the plan carries.
    """
    if promotion.policy != policy_of(path):
        changes = f"the policy of {path.name} changed ({policy_changes(promotion.policy, policy_of(path))})"
        raise PlanStale(promotion_id=str(promotion.id), changes=changes)


def valid(
    session: Session, promotion: Promotion, path: PathSettings, signatures: ApprovalSignatures, now: datetime
) -> list[PromotionApproval]:
    """The approvals that count now: signed, for this very plan, not expired, not revoked, by people who still hold a
    role that approves.
    """
    rows = session.execute(
        select(PromotionApproval, CentralUser)
        .join(CentralUser, CentralUser.id == PromotionApproval.user_id)
        .where(
            PromotionApproval.promotion_id == promotion.id,
            PromotionApproval.decision == Decision.APPROVE,
            PromotionApproval.plan_digest == promotion.plan_digest,
            PromotionApproval.expires_at > now,
            PromotionApproval.revoked_at.is_(None),
        )
        .order_by(PromotionApproval.decided_at)
    )
    return [
        approval
        for approval, person in rows
        if person.role_in(path.target, now) in path.approver_roles
        and signatures.holds(approval, path.target, now)
        and (path.self_approval or person.id != promotion.requested_by_user_id)
    ]
