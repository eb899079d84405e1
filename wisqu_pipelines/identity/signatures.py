"""The identity service's signature on an approval: without it a row lets nothing happen, whoever wrote it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from wisqu_pipelines.errors import TokenRefused
from wisqu_pipelines.identity.keys import APPROVALS, KeyRing
from wisqu_pipelines.identity.tokens import APPROVAL_TYPE, Kind, sign, verify
from wisqu_pipelines.settings import Settings


class SignedApprovals:
    """Signs approvals of one sort where the private key is, and verifies them wherever the public one is."""

    def __init__(self, settings: Settings, audience: str) -> None:
        """Use the installation's ring of keys for approvals; it is read when it is first needed.

        Args:
            settings: The installation's.
            audience: What is approved. A signature on one sort of thing is none on another.
        """
        self._settings = settings
        self._kind = Kind(APPROVAL_TYPE, settings.identity.issuer, audience)

    def sign(self, person: UUID, at: datetime, lasts: timedelta, claims: Mapping[str, str]) -> str:
        """The signature of `person` under `claims`.

        Raises:
            BadSettings: this host has no key that signs approvals.
        """
        return sign(self._ring.signing_key(at), self._kind, person, at, lasts, claims)[0]

    def holds(
        self,
        signature: str | None,
        person: UUID | None,
        at: datetime | None,
        lasts: timedelta,
        claims: Mapping[str, str],
        now: datetime,
    ) -> bool:
        """Whether an approval is signed, and says nothing else than what was signed."""
        if signature is None or at is None:
            return False
        try:
            signed = verify(signature, self._ring.verifying(), self._kind, now)
        except TokenRefused:
            return False
        return (
            claims == {name: signed.all.get(name) for name in claims}
            and signed.subject == person
            and signed.issued_at == at.replace(microsecond=0)
            and signed.expires_at == (at + lasts).replace(microsecond=0)
        )

    @cached_property
    def _ring(self) -> KeyRing:
        return KeyRing(self._settings.key_directory, APPROVALS)
