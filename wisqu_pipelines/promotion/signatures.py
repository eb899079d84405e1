"""The identity service's signature on an approval: without it a row approves nothing, whoever wrote it."""

from datetime import datetime

from wisqu_pipelines.errors import TokenRefused
from wisqu_pipelines.identity.keys import APPROVALS, KeyRing
from wisqu_pipelines.identity.tokens import APPROVAL_TYPE, Kind, sign, verify
from wisqu_pipelines.promotion.models import PromotionApproval
from wisqu_pipelines.settings import Settings

AUDIENCE = "wisqu:approvals"


class ApprovalSignatures:
    """Signs approvals where the private key is, and verifies them wherever the public one is."""

    def __init__(self, settings: Settings) -> None:
        """Use the installation's ring of keys for approvals; it is read when it is first needed."""
        self._settings = settings
        self._kind = Kind(APPROVAL_TYPE, settings.identity.issuer, AUDIENCE)
        self._opened: KeyRing | None = None

    def sign(self, approval: PromotionApproval, environment: str) -> str:
        """The signature on a decision about what enters `environment`.

        Raises:
            BadSettings: this host has no key that signs approvals.
        """
        token, _ = sign(
            self._ring.signing_key(approval.decided_at),
            self._kind,
            approval.user_id,
            approval.decided_at,
            approval.expires_at - approval.decided_at,
            _claims(approval, environment),
        )
        return token

    def holds(self, approval: PromotionApproval, environment: str, now: datetime) -> bool:
        """Whether an approval is signed, and says nothing else than what was signed."""
        if approval.signature is None:
            return False
        try:
            claims = verify(approval.signature, self._ring.verifying(), self._kind, now)
        except TokenRefused:
            return False
        signed = _claims(approval, environment)
        return (
            signed == {name: claims.all.get(name) for name in signed}
            and claims.subject == approval.user_id
            and claims.issued_at == approval.decided_at.replace(microsecond=0)
            and claims.expires_at == approval.expires_at.replace(microsecond=0)
        )

    @property
    def _ring(self) -> KeyRing:
        if self._opened is None:
            self._opened = KeyRing(self._settings.key_directory, APPROVALS)
        return self._opened


def _claims(approval: PromotionApproval, environment: str) -> dict[str, str]:
    return {
        "promotion_id": str(approval.promotion_id),
        "plan_digest": approval.plan_digest,
        "environment": environment,
        "decision": str(approval.decision),
        "role": approval.role,
    }
