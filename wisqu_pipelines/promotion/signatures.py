"""The identity service's signature on an approval: without it a row approves nothing, whoever wrote it."""

from datetime import datetime

from wisqu_pipelines.identity.signatures import SignedApprovals
from wisqu_pipelines.promotion.models import PromotionApproval
from wisqu_pipelines.settings import Settings

AUDIENCE = "wisqu:approvals"


class ApprovalSignatures:
    """Signs approvals where the private key is, and verifies them wherever the public one is."""

    def __init__(self, settings: Settings) -> None:
        """Use the installation's ring of keys for approvals."""
        self._approvals = SignedApprovals(settings, AUDIENCE)

    def sign(self, approval: PromotionApproval, environment: str) -> str:
        """The signature on a decision about what enters `environment`.

        Raises:
            BadSettings: this host has no key that signs approvals.
        """
        lasts = approval.expires_at - approval.decided_at
        return self._approvals.sign(approval.user_id, approval.decided_at, lasts, _claims(approval, environment))

    def holds(self, approval: PromotionApproval, environment: str, now: datetime) -> bool:
        """Whether an approval is signed, and says nothing else than what was signed."""
        return self._approvals.holds(
            approval.signature,
            approval.user_id,
            approval.decided_at,
            approval.expires_at - approval.decided_at,
            _claims(approval, environment),
            now,
        )


def _claims(approval: PromotionApproval, environment: str) -> dict[str, str]:
    return {
        "promotion_id": str(approval.promotion_id),
        "plan_digest": approval.plan_digest,
        "environment": environment,
        "decision": str(approval.decision),
        "role": approval.role,
    }
