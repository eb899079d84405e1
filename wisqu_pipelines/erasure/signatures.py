"""The identity service's signature on an erasure's approval: without it a row lets nothing happen, whoever wrote it."""

from datetime import datetime

from wisqu_pipelines.erasure.models import APPROVAL_LASTS, Erasure
from wisqu_pipelines.identity.signatures import SignedApprovals
from wisqu_pipelines.settings import Settings

AUDIENCE = "wisqu:erasures"


class ErasureSignatures:
    """Signs approvals where the private key is, and verifies them wherever the public one is."""

    def __init__(self, settings: Settings) -> None:
        """Use the installation's ring of keys for approvals."""
        self._approvals = SignedApprovals(settings, AUDIENCE)

    def sign(self, erasure: Erasure) -> str:
        """The signature on the approval that `erasure` carries.

        Raises:
            BadSettings: this host has no key that signs approvals.
        """
        assert erasure.approved_by is not None  # noqa: S101 - the caller has just written it
        assert erasure.approved_at is not None  # noqa: S101
        at = erasure.approved_at
        return self._approvals.sign(erasure.approved_by, at, at + APPROVAL_LASTS, _claims(erasure))

    def hold(self, erasure: Erasure, now: datetime) -> bool:
        """Whether the approval is signed, says nothing else than what was signed, and has not lapsed."""
        at = erasure.approved_at
        until = None if at is None else at + APPROVAL_LASTS
        return self._approvals.hold(erasure.signature, erasure.approved_by, at, until, _claims(erasure), now)


def _claims(erasure: Erasure) -> dict[str, str]:
    """It is of the person, not of a list: what they add until the run goes as well."""
    return {
        "erasure_id": str(erasure.id),
        "environment": erasure.environment,
        "user_id": str(erasure.user_id),
        "email_hash": erasure.email_hash,
        "requested_by": str(erasure.requested_by),
    }
