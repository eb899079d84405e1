"""Verifying the audit against what was sealed of it, and sealing how it stands now.

The checkpoints in the control database prove an environment's chains to whoever trusts that database. These ones are
outside of every database: whoever can write to all of them, with every credential there is, cannot change what an
object lock keeps, nor sign anything in its place without the identity service's key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wisqu_pipelines.audit.anchors import CONTROL, heads
from wisqu_pipelines.audit.verification import AuditReport
from wisqu_pipelines.checkpoints.chains import AuditedDatabase
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import Failed, SchemaDiffers, StoreNotSetUp, UnknownEnvironment, WisquError, WrongStore
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings

AWAY = (Failed, WrongStore, StoreNotSetUp, SchemaDiffers)
"""What says that a database cannot be read now, and nothing of the others."""


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
        self._clock = clock

    def audited(self, name: str) -> AuditedDatabase:
        """The chains of an environment's database, or of `control`.

        Raises:
            UnknownEnvironment: there is none of that name.
        """
        if name not in self._all:
            raise UnknownEnvironment(name=name, known=self._all)
        return AuditedDatabase(name, self._control, self._environments, self._settings, self._clock)

    def verify(self, names: Sequence[str] = ()) -> Sequence[AuditReport]:
        """Read the audit chains of these databases from end to end; none are named: of all. One that is away keeps no
        other from being read.

        Raises:
            UnknownEnvironment: there is none of that name.
        """
        return [self._verify(name) for name in names or self._all]

    def verify_and_seal(self) -> Sequence[Sealed]:
        """Read every chain from end to end, against what was sealed of it as well, and seal those that hold.

        Raises:
            BadSettings: this host has no key that signs.
        """
        return [self._seal(name) for name in self._all]

    @property
    def _all(self) -> Sequence[str]:
        return [*self._environments, CONTROL]

    def _verify(self, name: str) -> AuditReport:
        try:
            return self.audited(name).verify()
        except AWAY as error:
            return _unread(name, error)

    def _seal(self, name: str) -> Sealed:
        try:
            audited = self.audited(name)
            sealed = audited.sealed()
            with audited.database.snapshot() as session:  # before they are verified: what is sealed has been read
                now = heads(session, name)
            report = audited.verify(sealed.anchors)
            return Sealed(report, sealed.checkpoints, audited.seal(now) if report.holds else None)
        except AWAY as error:
            return Sealed(_unread(name, error), 0, None)


def _unread(name: str, error: WisquError) -> AuditReport:
    return AuditReport(name, (), unread=str(error))
