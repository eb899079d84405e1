"""The audit chains of one database, with all that was noted of them in other places."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from uuid import NAMESPACE_URL, uuid5

from wisqu_pipelines.audit.anchors import CONTROL, Anchor, Anchors, Ending
from wisqu_pipelines.audit.chain import CONTROL_CHAINS, ENVIRONMENT_CHAINS
from wisqu_pipelines.audit.models import ChainedMixin
from wisqu_pipelines.audit.verification import AuditReport, verify_control, verify_environment
from wisqu_pipelines.checkpoints.acknowledged import Acknowledged, acknowledged
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
class SealedAnchors:
    """What was sealed of a database's chains."""

    anchors: Anchors
    checkpoints: int
    """In how many checkpoints."""


class AuditedDatabase:
    """An environment's database, or the control database: the latter's checkpoints lie in the last environment."""

    def __init__(
        self, name: str, control: Database, environments: Mapping[str, Environment], settings: Settings, clock: Clock
    ) -> None:
        """The chains of the database `name`: an environment's, or `CONTROL`."""
        self.name = name
        self.is_control = name == CONTROL
        self.keeper = environments[list(environments)[-1] if self.is_control else name]
        """In whose bucket its checkpoints are, and whose roles count for it."""
        self.database = control if self.is_control else self.keeper.database
        self.models: tuple[type[ChainedMixin], ...] = CONTROL_CHAINS if self.is_control else ENVIRONMENT_CHAINS
        self._control = control
        self._settings = settings
        self._clock = clock
        self._bucket = self.keeper.settings.get_bucket_name(BUCKET)
        self._kind = Kind(TYPE, settings.identity.issuer, AUDIENCE)

    def verify(self, anchors: Anchors | None = None, more: frozenset[Ending] = frozenset()) -> AuditReport:
        """Read its chains from end to end.

        Args:
            anchors: What was sealed of them; without it the databases are compared with each other alone.
            more: What is lost besides that of which two people have said so.
        """
        known = self.acknowledged()
        lost = known.lost | more
        if self.is_control:
            report = verify_control(self._control, anchors, lost)
        else:
            report = verify_environment(self._control, self.database, self.name, anchors, lost)
        return replace(report, restores=known.restores)

    def acknowledged(self) -> Acknowledged:
        """What is known to be lost by restores."""
        return acknowledged(self._control, self.name, self._settings, self._clock.now())

    def sealed(self) -> SealedAnchors:
        """What was sealed of its chains. What is not signed is nobody's word."""
        anchors: dict[str, list[Anchor]] = defaultdict(list)
        count = 0
        keys = self._ring.verifying()
        for _, data in self.keeper.objects.sealed(self._bucket, f"{self.name}/"):
            try:
                claims = verify(data.decode("ascii", "replace"), keys, self._kind, self._clock.now())
            except TokenRefused:
                continue
            if claims.all.get("database") != self.name:
                continue
            count += 1
            for chain, (length, last_hash) in claims.all["chains"].items():
                anchors[chain].append(Anchor(length, last_hash, claims.issued_at))
        return SealedAnchors(anchors, count)

    def seal(self, heads: Mapping[str, tuple[int, str]]) -> str:
        """Seal how its chains ended; returns the key of the checkpoint.

        Raises:
            BadSettings: this host has no key that signs.
        """
        now = self._clock.now()
        subject = uuid5(NAMESPACE_URL, f"{self._settings.identity.issuer}/audit/{self.name}")
        claims = {"database": self.name, "chains": {chain: list(each) for chain, each in heads.items()}}
        token, _ = sign(self._ring.signing_key(now), self._kind, subject, now, KEPT, claims)
        key = f"{self.name}/{now:%Y-%m-%dT%H-%M-%SZ}.jwt"
        self.keeper.objects.seal(self._bucket, key, token.encode(), now + KEPT)
        return key

    @cached_property
    def _ring(self) -> KeyRing:
        return KeyRing(self._settings.key_directory, CHECKPOINTS)
