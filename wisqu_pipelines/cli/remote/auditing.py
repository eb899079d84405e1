"""The audit through a server: verified, and what restores have cut off of it."""

from collections.abc import Sequence
from uuid import UUID

from wisqu_pipelines.audit.verification import AuditReport
from wisqu_pipelines.checkpoints.restores import RestoreReport
from wisqu_pipelines.cli.remote.door import Door
from wisqu_pipelines.errors import UnknownEnvironment


class RemoteCheckpoints(Door):
    """As `CheckpointService`."""

    def verify(self, names: Sequence[str] = ()) -> Sequence[AuditReport]:
        """What reading the audit chains came to: of all databases, or of these."""
        reports: list[AuditReport] = self._server.post(list[AuditReport], "/audit/verify")
        for name in names:
            if name not in (known := [each.environment for each in reports]):
                raise UnknownEnvironment(name=name, known=known)
        return [each for each in reports if not names or each.environment in names]


class RemoteRestores(Door):
    """As `RestoreService`."""

    def report(self, database: str, person: str | UUID, reason: str) -> RestoreReport:
        """Say that a database was restored from a backup."""
        body = {"database": database, "reason": reason}
        return self._server.post(RestoreReport, "/restores", body)

    def confirm(self, restore_id: UUID, person: str | UUID, reason: str) -> RestoreReport:
        """Confirm what another person has said."""
        return self._server.post(RestoreReport, f"/restores/{restore_id}/confirm", {"reason": reason})

    def list(self, database: str | None = None) -> Sequence[RestoreReport]:
        """The restores of a database, or of all, newest first."""
        found: list[RestoreReport] = self._server.get(list[RestoreReport], "/restores", database=database)
        return found
