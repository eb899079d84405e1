"""Verifying the audit against what was sealed of it, and sealing how it stands now.

The checkpoints in the control database prove an environment's chains to whoever trusts that database. These ones are
outside of every database: whoever can write to all of them, with every credential there is, cannot change what an
object lock keeps, nor sign anything in its place without the identity service's key.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from uuid import NAMESPACE_URL, uuid5

from wisqu_pipelines.audit.verification import (
    CONTROL,
    Anchor,
    AuditReport,
    heads,
    verify_control,
    verify_environment,
)
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import TokenRefused
from wisqu_pipelines.identity.keys import CHECKPOINTS, KeyRing
from wisqu_pipelines.identity.tokens import Kind, sign, verify
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings

BUCKET = "audit-checkpoints"
"""Its base name; each environment has one of its own."""
TYPE = "wisqu-audit-checkpoint+jwt"
AUDIENCE = "wisqu:audit"
KEPT = timedelta(days=10 * 365)
"""For so long nobody can delete a checkpoint."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a verification found, and what was sealed after it."""

    report: AuditReport
    checkpoints: int
    """Sealed earlier, and verified against."""
    key: str | None
    """Of the new checkpoint; None if the audit does not hold."""


class CheckpointService:
    """Verifies and seals every environment's chains, and the control database's in the last environment's bucket."""

    def __init__(
        self, control: Database, environments: Mapping[str, Environment], settings: Settings, clock: Clock
    ) -> None:
        """Seal with the key for checkpoints: the host that seals can sign nothing else with it."""
        self._control = control
        self._environments = environments
        self._settings = settings
        self._kind = Kind(TYPE, settings.identity.issuer, AUDIENCE)
        self._clock = clock

    def verify_and_seal(self) -> Sequence[Sealed]:
        """Read every chain from end to end, and seal those that hold.

        Raises:
            BadSettings: this host has no key that signs.
        """
        sealed = [self._seal(name, each.database, each) for name, each in self._environments.items()]
        return [*sealed, self._seal(CONTROL, self._control, self._environments[list(self._environments)[-1]])]

    def _seal(self, name: str, database: Database, environment: Environment) -> Sealed:
        bucket = environment.settings.get_bucket_name(BUCKET)
        anchors, count = self._anchors(name, bucket, environment)
        with database.snapshot() as session:  # before they are verified: what is sealed has been read
            now_heads = heads(session, name)
        if name == CONTROL:
            report = verify_control(self._control, anchors)
        else:
            report = verify_environment(self._control, database, name, anchors)
        if not report.holds:
            return Sealed(report, count, None)
        now = self._clock.now()
        subject = uuid5(NAMESPACE_URL, f"{self._settings.identity.issuer}/audit/{name}")
        claims = {"database": name, "chains": {chain: list(each) for chain, each in now_heads.items()}}
        token, _ = sign(self._ring.signing_key(now), self._kind, subject, now, KEPT, claims)
        key = f"{name}/{now:%Y-%m-%dT%H-%M-%SZ}.jwt"
        environment.objects.seal(bucket, key, token.encode(), now + KEPT)
        return Sealed(report, count, key)

    def _anchors(self, name: str, bucket: str, environment: Environment) -> tuple[dict[str, list[Anchor]], int]:
        """What was sealed of a database's chains, and in how many checkpoints. What is not signed is nobody's word."""
        anchors: dict[str, list[Anchor]] = defaultdict(list)
        count = 0
        keys = self._ring.verifying()
        for _, data in environment.objects.sealed(bucket, f"{name}/"):
            try:
                claims = verify(data.decode("ascii", "replace"), keys, self._kind, self._clock.now())
            except TokenRefused:
                continue
            if claims.all.get("database") != name:
                continue
            count += 1
            for chain, (length, last_hash) in claims.all["chains"].items():
                anchors[chain].append(Anchor(length, last_hash, claims.issued_at))
        return anchors, count

    @cached_property
    def _ring(self) -> KeyRing:
        return KeyRing(self._settings.key_directory, CHECKPOINTS)
