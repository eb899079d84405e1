"""Dagster's daemon, killed and doubled, and what it has written down of its ticks and runs."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.devstack.commands import Commands, wait_until
from wisqu_pipelines.devstack import dagster, postgres, stack
from wisqu_pipelines.devstack.service import launched

NAME = "dagster-daemon"
START_SECONDS = 120
STARTED = "STARTED"
TICKS = "SELECT id, status FROM job_ticks WHERE tick_body LIKE '%%' || %s || '%%' AND id > %s ORDER BY id"
RUNS = """
    SELECT wanted.value, run_key.value, runs.status, parent.value IS NOT NULL FROM runs
    JOIN run_tags AS wanted ON wanted.run_id = runs.run_id AND wanted.key = %s
    LEFT JOIN run_tags AS run_key ON run_key.run_id = runs.run_id AND run_key.key = 'dagster/run_key'
    LEFT JOIN run_tags AS parent ON parent.run_id = runs.run_id AND parent.key = 'dagster/parent_run_id'
"""
HEARTBEAT = "SELECT daemon_id, extract(epoch FROM timestamp) FROM daemon_heartbeats WHERE daemon_type = 'SENSOR'"


@dataclass(frozen=True)
class Run:
    """One run for something that a tag names."""

    about: str
    run_key: str | None
    status: str
    is_retry: bool
    """Whether Dagster made it of a run that had crashed, with that one's tags."""


class Daemons:
    """The daemons of a stack that is up."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        with commands.variables():
            self._site = stack.site(commands.declared())

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of Dagster's own database."""
        with postgres.connect(self._site, self._site.declared.dagster_database) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def ticks(self, sensor: str, after: int = 0) -> list[tuple[int, str]]:
        """The ticks of a sensor that came after that one, oldest first, with their status."""
        return [(int(id_), str(status)) for id_, status in self.ask(TICKS, sensor, after)]

    def last_tick(self, sensor: str) -> int:
        """The number of a sensor's last tick."""
        return max((id_ for id_, _ in self.ticks(sensor)), default=0)

    def runs(self, tag: str) -> list[Run]:
        """The runs that a tag names something for."""
        return [Run(*row) for row in self.ask(RUNS, tag)]

    def beats(self) -> set[str]:
        """Which daemon has reported last that it looks after sensors."""
        return {str(daemon) for daemon, _ in self.ask(HEARTBEAT)}

    def kill(self) -> None:
        """`kill -9` of the stack's daemon itself; its supervisor starts another one."""
        (daemon,) = _children(self._commands.state["processes"][NAME])
        os.kill(daemon, signal.SIGKILL)

    @contextmanager
    def another(self) -> Iterator[None]:
        """One more daemon on the same instance; it ends with the block, with all that it has started."""
        (service,) = (each for each in dagster.services(self._site) if each.name == NAME)
        command = launched(service.command, stop_signal=service.stop_signal, leash_seconds=service.stop_seconds)
        environment = {**self._commands.environment, **service.environment}
        log = self._commands.directory / "second-daemon.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=service.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(service.stop_seconds * 2 + 1)

    def wait_for_both(self) -> None:
        """Until two daemons have looked after the sensors."""
        seen: set[str] = set()

        def both() -> bool:
            seen.update(self.beats())
            return len(seen) > 1

        wait_until(both, START_SECONDS, "two daemons look after the sensors")


def _children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
