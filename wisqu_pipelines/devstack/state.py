"""What a supervisor tells the commands that look at its stack from outside."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from wisqu_pipelines.devstack.layout import Layout, write_private


class Phase(StrEnum):
    """How far a supervisor is."""

    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class SupervisorState:
    """One supervisor and its processes."""

    pid: int
    phase: Phase
    dagster: bool
    """Whether Dagster is part of the stack."""
    processes: dict[str, int] = field(default_factory=dict)
    """Process ids by service; those that were started until now."""

    def write(self, layout: Layout) -> None:
        """Say so."""
        write_private(layout.private / "state.json", json.dumps(asdict(self)))


def read(layout: Layout) -> SupervisorState | None:
    """What the last supervisor said; it may be gone since."""
    file = layout.private / "state.json"
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return SupervisorState(**{**values, "phase": Phase(values["phase"])})
