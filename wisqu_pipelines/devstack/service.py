"""One service of the stack: what to run, how to see that it works, how to end it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wisqu_pipelines.errors import StackFailed

LAUNCH = Path(__file__).with_name("launch.py")
LOG_LIMIT_BYTES = 16 * 1024 * 1024
SHOWN_LINES = 8
SHOWN_BYTES = 64 * 1024


@dataclass(frozen=True)
class Service:
    """What runs and how it is reached."""

    name: str
    command: tuple[str, ...]
    """The program's absolute path and its arguments. No secret is among them: everybody can read them."""
    address: str
    ports: tuple[str, ...]
    """Names of the ports that it listens on."""
    is_ready: Callable[[], bool]
    """Asks the service itself, for two seconds at most; any `OSError` also means no."""
    folder: Path
    """Where it runs."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    """What ends it in order, also when the supervisor dies."""
    stop_seconds: float = 10.0
    start_seconds: float = 60.0
    uid: int | None = None
    keep_paths: bool = False
    leashed: bool = False
    """Whether it has children that would outlive it."""


class Process:
    """A running service.

    The kernel ends it when the thread that started it ends, so start it from the main thread.
    """

    def __init__(self, service: Service, log: Path, handed_down: int) -> None:
        """Start it.

        Args:
            service: What to run.
            log: Where its output goes; what an earlier start wrote is kept beside it, once.
            handed_down: The descriptor that every process of the stack holds.
        """
        self.service = service
        self.log = log
        self.started_at = time.monotonic()
        if log.exists():
            log.replace(_previous(log))
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                launched(
                    service.command,
                    stop_signal=service.stop_signal,
                    uid=service.uid,
                    keep_paths=service.keep_paths,
                    leash_seconds=service.stop_seconds if service.leashed else None,
                ),
                cwd=service.folder,
                env={**os.environ, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(handed_down,),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._popen.poll()

    def is_ready(self) -> bool:
        """Whether it runs and answers."""
        return self.exit_code is None and answers(self.service)

    def ask_to_stop(self) -> None:
        """Tell it to end."""
        if self.exit_code is None:
            self._popen.send_signal(self.service.stop_signal)

    def wait_until_stopped(self) -> None:
        """Wait for its end, and force it when its time is over."""
        try:
            # A leash needs the same time once more for what its child leaves behind.
            self._popen.wait(self.service.stop_seconds * (2 if self.service.leashed else 1) + 1)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def bound_log(self) -> None:
        """Move a log that has grown too long aside; the service goes on writing at its start."""
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            shutil.copyfile(self.log, _previous(self.log))
            os.truncate(self.log, 0)

    def died(self, act: str) -> StackFailed:
        """The error that says how it ended and what it said last."""
        return StackFailed(
            act=act, cause=f"it ended with code {self.exit_code}; {self.log.name} ends: {self.last_lines()}"
        )

    def last_lines(self) -> str:
        """The end of its log."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - SHOWN_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return " | ".join(line.strip() for line in lines[-SHOWN_LINES:] if line.strip()) or "(nothing)"


def launched(
    command: Sequence[str],
    *,
    stop_signal: signal.Signals,
    uid: int | None = None,
    keep_paths: bool = False,
    leash_seconds: float | None = None,
) -> list[str]:
    """The command line that runs a command through the launcher, tied to this process."""
    line = [sys.executable, "-I", "-S", str(LAUNCH), "--parent", str(os.getpid()), "--signal", str(int(stop_signal))]
    if uid is not None:
        line += ["--uid", str(uid)]
    if keep_paths:
        line += ["--keep-paths"]
    if leash_seconds is not None:
        line += ["--leash", str(leash_seconds)]
    return [*line, "--", *command]


def answers(service: Service) -> bool:
    """Whether a service answers."""
    try:
        return service.is_ready()
    except OSError:
        return False


def _previous(log: Path) -> Path:
    return log.with_suffix(".previous.log")
