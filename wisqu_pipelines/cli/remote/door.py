"""What all services behind a server have in common."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from wisqu_pipelines.cli.remote.server import Server


class Door:
    """A service behind a server's API."""

    def __init__(self, server: "Server") -> None:
        """Ask `server`."""
        self._server = server


def texts(ids: Collection[UUID] | None) -> list[str] | None:
    """Ids as a request has them."""
    return None if ids is None else [str(each) for each in ids]


def iso(at: datetime | None) -> str | None:
    """A time as a request has it."""
    return None if at is None else at.isoformat()
