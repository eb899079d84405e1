"""Sweeps, legal holds and erasures through a server."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from wisqu_pipelines.cli.remote.door import Door, iso, texts
from wisqu_pipelines.cli.remote.finding import where
from wisqu_pipelines.erasure.report import ErasedAgain, ErasurePreview, ErasureReport
from wisqu_pipelines.errors import ErasureNotFound, NotPermitted, ServerRefused
from wisqu_pipelines.holds.service import Held, Hold
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.retention.report import CleanupReport, RestoreReport, SweepReport, SweptItem
from wisqu_pipelines.settings import RetentionSettings

if TYPE_CHECKING:
    from wisqu_pipelines.cli.remote.server import Server

SECONDS_OF_WORK = 3_600.0
"""How long the server may take where it does all the work before it answers."""


class RemoteRetention(Door):
    """As `RetentionService`."""

    def __init__(self, server: "Server", environment: str) -> None:
        """The sweeps of `environment`."""
        super().__init__(server)
        self._environment = f"/environments/{environment}"
        self._sweeps = f"{self._environment}/sweeps"

    @cached_property
    def policy(self) -> RetentionSettings:
        """How long rows are kept there."""
        return self._server.get(RetentionSettings, f"{self._environment}/retention")

    def rehearse(
        self, types: Sequence[str] | None = None, *, test_data_only: bool = False, force: bool = False
    ) -> CleanupReport:
        """What a run would do now."""
        query = {"types": types, "test_data_only": test_data_only, "force": force}
        return self._server.get(CleanupReport, f"{self._sweeps}/preview", seconds=SECONDS_OF_WORK, **query)

    def run(
        self,
        types: Sequence[str] | None = None,
        *,
        test_data_only: bool = False,
        person: str | UUID | None = None,
        reason: str | None = None,
        force: bool = False,
        progress: Progress = no_progress,
    ) -> CleanupReport:
        """Go on with earlier sweeps, and begin a new one."""
        del person, progress
        body = {"types": types, "test_data_only": test_data_only, "reason": reason, "force": force}
        return self._server.post(CleanupReport, self._sweeps, body, seconds=SECONDS_OF_WORK)

    def list(self, limit: int = 50) -> Sequence[SweepReport]:
        """The sweeps, newest first."""
        found: list[SweepReport] = self._server.get(list[SweepReport], self._sweeps, limit=limit)
        return found

    def status(self, sweep_id: UUID) -> SweepReport:
        """How a sweep stands."""
        return self._server.get(SweepReport, f"{self._sweeps}/{sweep_id}")

    def items(self, sweep_id: UUID) -> Iterator[SweptItem]:
        """Everything that a sweep has marked."""
        return self._server.lines(SweptItem, f"{self._sweeps}/{sweep_id}/items")

    def approve(self, sweep_id: UUID, person: str | UUID, reason: str | None = None) -> SweepReport:
        """Let a sweep happen."""
        return self._server.post(SweepReport, f"{self._sweeps}/{sweep_id}/approve", {"reason": reason})

    def reject(self, sweep_id: UUID, person: str | UUID, reason: str) -> SweepReport:
        """Say no to a sweep."""
        return self._server.post(SweepReport, f"{self._sweeps}/{sweep_id}/reject", {"reason": reason})

    def restore(
        self, sweep_id: UUID, person: str | UUID, reason: str, item_ids: Sequence[UUID] | None = None
    ) -> RestoreReport:
        """Give back what a sweep has hidden."""
        body = {"reason": reason, "item_ids": texts(item_ids)}
        return self._server.post(RestoreReport, f"{self._sweeps}/{sweep_id}/restore", body)


class RemoteHolds(Door):
    """As `HoldService`."""

    def __init__(self, server: "Server", environment: str) -> None:
        """The holds in `environment`."""
        super().__init__(server)
        self._holds = f"/environments/{environment}/holds"

    def place(
        self, person: str | UUID, of: Held, reason: str, until: datetime | None = None, *, user: str | None = None
    ) -> tuple[UUID, int]:
        """Hold something; returns the hold's id, and how many rows it holds now."""
        body = {
            "item_type": of.item_type,
            "item_id": None if of.item_id is None else str(of.item_id),
            "user": user,
            "words": of.words,
            "created_from": iso(of.created_from),
            "created_until": iso(of.created_until),
            "until": iso(until),
            "reason": reason,
        }
        made: dict[str, Any] = self._server.post(dict[str, Any], self._holds, body)
        return UUID(made["id"]), made["rows"]

    def release(self, hold_id: UUID, person: str | UUID, reason: str) -> None:
        """End a hold."""
        self._server.post(dict[str, bool], f"{self._holds}/{hold_id}/release", {"reason": reason})

    def list(self, *, everything: bool = False) -> Sequence[Hold]:
        """The holds that count now, or all there ever were, newest first."""
        found: list[Hold] = self._server.get(list[Hold], self._holds, everything=everything)
        return found


class RemoteErasures(Door):
    """As `ErasureService`; the API has an erasure below its environment, so that one is looked for first."""

    def __init__(self, server: "Server", environments: Sequence[str]) -> None:
        """The erasures in `environments`."""
        super().__init__(server)
        self._environments = environments

    def preview(self, environment: str, user: str) -> ErasurePreview:
        """What an erasure would take now."""
        return self._server.get(ErasurePreview, f"{_all(environment)}/preview", seconds=SECONDS_OF_WORK, user=user)

    def request(self, environment: str, user: str, person: str | UUID, reason: str) -> ErasureReport:
        """Ask for an erasure."""
        return self._server.post(ErasureReport, _all(environment), {"user": user, "reason": reason})

    def approve(self, erasure_id: UUID, person: str | UUID) -> ErasureReport:
        """Let an erasure happen."""
        return self._server.post(ErasureReport, f"{self._one(erasure_id)}/approve")

    def reject(self, erasure_id: UUID, person: str | UUID, reason: str) -> ErasureReport:
        """Say no to an erasure."""
        return self._server.post(ErasureReport, f"{self._one(erasure_id)}/reject", {"reason": reason})

    def run(
        self, erasure_id: UUID, person: str | UUID | None = None, *, progress: Progress = no_progress
    ) -> ErasureReport:
        """Have the server carry out an approved erasure, and wait for its end."""
        del person, progress
        return self._server.post(ErasureReport, f"{self._one(erasure_id)}/run", seconds=SECONDS_OF_WORK)

    def certificate(self, erasure_id: UUID) -> Mapping[str, Any]:
        """The certificate of an erasure that is done, with its digest."""
        told: dict[str, Any] = self._server.get(dict[str, Any], f"{self._one(erasure_id)}/certificate")
        return told

    def reapply(
        self, environment: str, person: str | UUID | None = None, *, progress: Progress = no_progress
    ) -> Sequence[ErasedAgain]:
        """Have the server erase again what a restore brought back, and wait for its end."""
        del person, progress
        found: list[ErasedAgain] = self._server.post(
            list[ErasedAgain], f"{_all(environment)}/reapply", seconds=SECONDS_OF_WORK
        )
        return found

    def _one(self, erasure_id: UUID) -> str:
        """The address of an erasure, whose environment is looked for."""

        def look(name: str) -> ErasureReport:
            return self._server.get(ErasureReport, f"{_all(name)}/{erasure_id}")

        name = where(self._environments, look, ErasureNotFound(erasure_id=str(erasure_id)))
        return f"{_all(name)}/{erasure_id}"

    def _of(self, environment: str) -> list[ErasureReport]:
        found: list[ErasureReport] = self._server.get(list[ErasureReport], _all(environment))
        return found

    def list(self, environment: str | None = None) -> Sequence[ErasureReport]:
        """The erasures, newest first: where none is named, of the environments in which one may see them."""
        if environment is not None:
            return self._of(environment)
        found: list[ErasureReport] = []
        refused: list[ServerRefused] = []
        for name in self._environments:
            try:
                found += self._of(name)
            except ServerRefused as error:
                if error.details["error"] != NotPermitted.__name__:
                    raise
                refused.append(error)
        if refused and len(refused) == len(self._environments):
            raise refused[0]
        return sorted(found, key=lambda each: each.requested_at, reverse=True)


def _all(environment: str) -> str:
    return f"/environments/{environment}/erasures"
