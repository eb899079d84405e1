"""The identity service's signature on a sweep's approval: without it a row lets nothing happen, whoever wrote it."""

from datetime import datetime

from wisqu_pipelines.identity.signatures import SignedApprovals
from wisqu_pipelines.retention.models import APPROVAL_LASTS, Sweep
from wisqu_pipelines.settings import Settings

AUDIENCE = "wisqu:sweeps"


class SweepSignatures:
    """Signs approvals where the private key is, and verifies them wherever the public one is."""

    def __init__(self, settings: Settings) -> None:
        """Use the installation's ring of keys for approvals."""
        self._approvals = SignedApprovals(settings, AUDIENCE)

    def sign(self, sweep: Sweep, environment: str) -> str:
        """The signature on the approval that `sweep` carries.

        Raises:
            BadSettings: this host has no key that signs approvals.
        """
        assert sweep.approved_by is not None  # noqa: S101 - the caller has just written it
        assert sweep.approved_at is not None  # noqa: S101
        at = sweep.approved_at
        return self._approvals.sign(sweep.approved_by, at, at + APPROVAL_LASTS, _claims(sweep, environment))

    def holds(self, sweep: Sweep, environment: str, now: datetime) -> bool:
        """Whether the approval is signed, and says nothing else than what was signed."""
        at = sweep.approved_at
        until = None if at is None else at + APPROVAL_LASTS
        return self._approvals.hold(sweep.signature, sweep.approved_by, at, until, _claims(sweep, environment), now)


def _claims(sweep: Sweep, environment: str) -> dict[str, str]:
    return {"sweep_id": str(sweep.id), "digest": sweep.digest, "environment": environment}
