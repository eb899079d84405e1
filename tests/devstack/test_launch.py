"""The launcher: what it starts dies with what started it, takes its children along, and gives up root when told."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.devstack.commands import wait_until
from wisqu_pipelines.devstack.locks import is_alive
from wisqu_pipelines.devstack.service import launched

NOBODY = 65534
SECONDS = 20
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
# A service whose grandchild has left its group and session and does not listen to SIGTERM.
FAMILY = """
import os, pathlib, signal, subprocess, sys, time
if len(sys.argv) > 2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], "grandchild"], start_new_session=True)
pathlib.Path(sys.argv[1], str(os.getpid())).touch()
time.sleep(600)
"""


class Family:
    """A supervisor's stand-in, the launcher, a service and its grandchild."""

    def __init__(self, folder: Path, *, leash_seconds: float | None) -> None:
        self.pids_folder = folder / "pids"
        self.pids_folder.mkdir()
        script = folder / "family.py"
        script.write_text(FAMILY)
        command = [sys.executable, str(script), str(self.pids_folder)]
        parent = f"""
            import subprocess, time
            from signal import SIGTERM
            from wisqu_pipelines.devstack.service import launched
            line = launched({command!r}, stop_signal=SIGTERM, leash_seconds={leash_seconds!r})
            print(subprocess.Popen(line).pid, flush=True)
            time.sleep(600)
        """
        self.parent = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(parent)], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.parent.stdout is not None
        self.launcher = int(self.parent.stdout.readline())
        wait_until(lambda: len(self.pids) == 2, SECONDS, "service and grandchild run")

    @property
    def pids(self) -> list[int]:
        """Service and grandchild."""
        return [int(path.name) for path in self.pids_folder.iterdir()]

    def is_gone(self) -> bool:
        return not any(map(is_alive, (self.launcher, *self.pids)))

    def end(self) -> None:
        for pid in (self.parent.pid, self.launcher, *self.pids):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.parent.wait(SECONDS)
        assert self.parent.stdout is not None
        self.parent.stdout.close()


def stop_launcher(family: Family) -> None:
    os.kill(family.launcher, signal.SIGTERM)


def kill_supervisor(family: Family) -> None:
    os.kill(family.parent.pid, signal.SIGKILL)


def kill_service(family: Family) -> None:
    (service,) = [pid for pid in family.pids if is_child(pid, family.launcher)]
    os.kill(service, signal.SIGKILL)


def is_child(pid: int, parent: int) -> bool:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == parent


@pytest.mark.parametrize("blow", [stop_launcher, kill_supervisor, kill_service])
def test_a_leash_leaves_no_grandchild(tmp_path: Path, blow: Callable[[Family], None]) -> None:
    family = Family(tmp_path, leash_seconds=0.5)
    try:
        blow(family)
        wait_until(family.is_gone, SECONDS, "the whole family is gone")
    finally:
        family.end()


def test_a_service_without_leash_dies_with_its_supervisor(tmp_path: Path) -> None:
    family = Family(tmp_path, leash_seconds=None)
    try:
        kill_supervisor(family)
        wait_until(lambda: not is_alive(family.launcher), SECONDS, "the service is gone")
    finally:
        family.end()


def test_a_launcher_whose_supervisor_is_gone_already_starts_nothing(tmp_path: Path) -> None:
    line = launched(["/usr/bin/env", "touch", str(tmp_path / "started")], stop_signal=signal.SIGTERM)
    line[line.index("--parent") + 1] = "1"
    assert subprocess.run(line, check=False).returncode == 1
    assert not (tmp_path / "started").exists()


@AS_ROOT
def test_root_is_given_up(tmp_path: Path) -> None:
    status = run_as_nobody("from pathlib import Path; print(Path('/proc/self/status').read_text())", keep_paths=False)
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert set(fields["Uid"].split()) == set(fields["Gid"].split()) == {str(NOBODY)}
    assert fields["Groups"].strip() == ""
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0


@AS_ROOT
@pytest.mark.parametrize("keep_paths", [True, False])
def test_paths_below_closed_folders_are_open_only_when_asked_for(tmp_path: Path, keep_paths: bool) -> None:
    """A checkout in root's home, or a folder of mktemp, is closed to the user as whom Postgres runs."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "file").write_text("read")
    reading = f"import os; print(os.access({str(closed / 'file')!r}, os.R_OK), os.geteuid())"
    assert run_as_nobody(reading, keep_paths=keep_paths).split() == [str(keep_paths), str(NOBODY)]


def run_as_nobody(code: str, *, keep_paths: bool) -> str:
    line = launched(
        ["/usr/bin/env", "python3", "-c", code], stop_signal=signal.SIGKILL, uid=NOBODY, keep_paths=keep_paths
    )
    return subprocess.run(line, check=True, capture_output=True, text=True, cwd="/").stdout
