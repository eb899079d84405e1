"""The identity service's signature on a sweep's approval: without it a row lets nothing happen, whoever wrote it."""

from datetime import datetime, timedelta

from wisqu_pipelines.errors import TokenRefused
from wisqu_pipelines.identity.keys import APPROVALS, KeyRing
from wisqu_pipelines.identity.tokens import APPROVAL_TYPE, Kind, sign, verify
from wisqu_pipelines.retention.models import Sweep
from wisqu_pipelines.settings import Settings

AUDIENCE = "wisqu:sweeps"


class SweepSignatures:
    """Signs approvals where the private key is, and verifies them wherever the public one is."""

    def __init__(self, settings: Settings) -> None:
        """Use the installation's ring of keys for approvals; it is read when it is first needed."""
        self._settings = settings
        self._kind = Kind(APPROVAL_TYPE, settings.identity.issuer, AUDIENCE)

    def sign(self, sweep: Sweep, environment: str, lasts: timedelta) -> str:
        """The signature on the approval that `sweep` carries.

        Raises:
            BadSettings: this host has no key that signs approvals.
        """
        assert sweep.approved_by is not None  # noqa: S101 - the caller has just written it
        assert sweep.approved_at is not None  # noqa: S101
        ring = self._ring()
        key = ring.signing_key(sweep.approved_at)
        return sign(key, self._kind, sweep.approved_by, sweep.approved_at, lasts, _claims(sweep, environment))[0]

    def holds(self, sweep: Sweep, environment: str, now: datetime) -> bool:
        """Whether the approval is signed, and says nothing else than what was signed."""
        if sweep.signature is None or sweep.approved_at is None:
            return False
        try:
            claims = verify(sweep.signature, self._ring().verifying(), self._kind, now)
        except TokenRefused:
            return False
        signed = _claims(sweep, environment)
        return signed == {name: claims.all.get(name) for name in signed} and claims.subject == sweep.approved_by

    def _ring(self) -> KeyRing:
        return KeyRing(self._settings.key_directory, APPROVALS)


def _claims(sweep: Sweep, environment: str) -> dict[str, str]:
    return {"sweep_id": str(sweep.id), "digest": sweep.digest, "environment": environment}
