"""Freezes and held paths through a server."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from wisqu_pipelines.cli.remote.door import Door, iso
from wisqu_pipelines.promotion.freezes import Freeze, HeldPath, Override
from wisqu_pipelines.promotion.windows import OneOff, When


class RemoteFreezes(Door):
    """As `FreezeService`."""

    def add(self, path: str, when: When, person: str | UUID, reason: str) -> UUID:
        """Freeze a path; returns the freeze's id."""
        body: dict[str, object] = {"path": path, "reason": reason, "time_zone": when.time_zone}
        if isinstance(when, OneOff):
            body |= {"starts_at": iso(when.starts_at), "ends_at": iso(when.ends_at)}
        else:
            body |= {"cron": when.cron, "duration_minutes": when.duration // timedelta(minutes=1)}
        return self._server.post(Freeze, "/freezes", body).freeze_id

    def end(self, freeze_id: UUID, person: str | UUID, reason: str) -> None:
        """Take a freeze away."""
        self._server.post(Freeze, f"/freezes/{freeze_id}/end", {"reason": reason})

    def list(self, path: str | None = None, *, ended: bool = False) -> Sequence[Freeze]:
        """The freezes of a path or of all."""
        found: list[Freeze] = self._server.get(list[Freeze], "/freezes", path=path, ended=ended)
        return found

    def get(self, freeze_id: UUID) -> Freeze:
        """One freeze."""
        return self._server.get(Freeze, f"/freezes/{freeze_id}")

    def override(self, promotion_id: UUID, person: str | UUID, reason: str) -> Override:
        """Say that a promotion may go in spite of the freezes in force."""
        said: dict[str, Override] = self._server.post(
            dict[str, Override], f"/promotions/{promotion_id}/override", {"reason": reason}
        )
        return said["said"]

    def holds(self, path: str | None = None) -> Sequence[HeldPath]:
        """What holds a path, or any."""
        found: list[HeldPath] = self._server.get(list[HeldPath], "/held-paths", path=path)
        return found

    def release(self, path: str, person: str | UUID, reason: str) -> Sequence[UUID]:
        """Open a held path; returns the promotions that held it."""
        found: list[UUID] = self._server.post(list[UUID], "/held-paths/release", {"path": path, "reason": reason})
        return found
