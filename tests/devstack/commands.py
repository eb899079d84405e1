"""The stack's commands as processes of their own, and what a stack has left running."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.stack import PROJECT
from wisqu_pipelines.devstack import declaration
from wisqu_pipelines.devstack.declaration import Declaration
from wisqu_pipelines.settings import CONFIG_VARIABLE, PREFIX, Settings, load

START_SECONDS = 120
END_SECONDS = 30


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s: {what}"
        time.sleep(0.05)


@dataclass
class Commands:
    """`wisqu` for a stack in a directory."""

    directory: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The caller's variables, without settings of the caller's own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return {
            **inherited,
            CONFIG_VARIABLE: str(PROJECT / "wisqu.toml"),
            "WISQU_STACK__EMBEDDED": "true",
            "WISQU_STACK__DIRECTORY": str(self.directory),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "wisqu_pipelines.cli", *arguments],
            env=self.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=START_SECONDS * 2,
            check=False,
        )

    def start(self) -> subprocess.Popen[bytes]:
        """Start a supervisor of the stores."""
        with (self.directory / "up.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.devstack.supervise"],
                env=self.environment,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def up(self) -> subprocess.Popen[bytes]:
        """Start a supervisor of the stores, and wait until everything works."""
        process = self.start()
        wait_until(lambda: process.poll() is not None or self._is_up(process.pid), START_SECONDS, "the stack is up")
        assert process.poll() is None, self.said
        return process

    def declared(self) -> Declaration:
        """What the stack is made from."""
        with self.variables():
            return declaration.read()

    def settings(self) -> Settings:
        """The settings that a command gets while the stack is up."""
        with self.variables():
            return load()

    @contextmanager
    def variables(self) -> Iterator[None]:
        """The stack's variables in this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield

    @property
    def said(self) -> str:
        """What the supervisors have printed."""
        return (self.directory / "up.log").read_text(encoding="utf-8")

    @property
    def state(self) -> dict[str, Any]:
        """What the supervisor has written down."""
        state: dict[str, Any] = json.loads((self.directory / "stack" / "state.json").read_text(encoding="utf-8"))
        return state

    def processes(self) -> dict[int, str]:
        """Every process that belongs to the stack, whoever its parent is, with its command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid() and self._belongs(entry):
                with suppress(OSError):  # it has just ended
                    found[int(entry.name)] = _command_line(entry)
        return found

    def sockets(self) -> list[Path]:
        """The socket files that SeaweedFS makes outside the directory, by the stack's ports."""
        file = self.directory / "stack" / "ports.json"
        ports = json.loads(file.read_text(encoding="utf-8")).values() if file.exists() else ()
        return [
            path for path in Path("/tmp").glob("seaweedfs-*.sock") if path.stem.rsplit("-", 1)[1] in map(str, ports)
        ]

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(END_SECONDS * 2)
        if self.processes():
            self.run("down")
        wait_until(lambda: not self.processes(), END_SECONDS, "no process is left")
        for socket in self.sockets():  # a stack that was killed leaves them to its next start
            socket.unlink(missing_ok=True)

    def _is_up(self, pid: int) -> bool:
        try:
            state = self.state
        except (FileNotFoundError, ValueError):
            return False
        return bool(state["pid"] == pid and state["phase"] == "up")

    def _belongs(self, entry: Path) -> bool:
        """By its variables, its arguments, or the lock that every service holds."""
        try:
            if str(self.directory) in _command_line(entry) + (entry / "environ").read_text(errors="replace"):
                return (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            return any(_target(file).startswith(f"{self.directory}/") for file in (entry / "fd").iterdir())
        except OSError:
            return False


def _command_line(entry: Path) -> str:
    return (entry / "cmdline").read_text(errors="replace").replace("\0", " ")


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
