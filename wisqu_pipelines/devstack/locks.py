"""Two locks on the stack's folder: one supervisor at a time, and nobody beside what an earlier one left running.

Both are `flock`s, which the kernel drops with the last process that holds them. The supervisor's is its alone. The
services' is handed down to every service, so it is free only once the last process of the earlier stack has ended, even
after a kill -9 of everything else; then stale pid files may be removed without a doubt.
"""

import fcntl
import os
import time
from pathlib import Path

from wisqu_pipelines.devstack.layout import PRIVATE_FILE
from wisqu_pipelines.errors import StackAlreadyUp, StackFailed

LEFT_OVER_SECONDS = 30.0
HOLDER_SECONDS = 2.0
POLL_SECONDS = 0.02


class FileLock:
    """An exclusive lock on a file, in which the process that took it says who it is."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is locked yet."""
        self._path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file that carries the lock, to hand down."""
        if self._descriptor is None:
            raise RuntimeError("not locked")
        return self._descriptor

    def acquire(self, seconds: float = 0.5) -> bool:
        """Take the lock, unless another process has it for longer than a look at it takes."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        deadline = time.monotonic() + seconds
        while not _lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(descriptor)
                return False
            time.sleep(POLL_SECONDS)
        pid = os.getpid()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{pid} {_start_of(pid)}".encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Close this process's hold; those to whom it was handed down keep theirs."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The process that took the lock; None if nobody has it.

        Raises:
            StackFailed: somebody has it and does not say who they are.
        """
        if not self._path.exists():
            return None
        deadline = time.monotonic() + HOLDER_SECONDS
        descriptor = os.open(self._path, os.O_RDWR)
        try:
            while not _lock(descriptor, fcntl.LOCK_SH):
                pid, _, start = os.pread(descriptor, 100, 0).decode("ascii", "replace").partition(" ")
                if pid.isdigit() and start and start == _start_of(int(pid)):  # and not of an earlier holder
                    return int(pid)
                if time.monotonic() > deadline:
                    raise StackFailed(act="find its supervisor", cause=f"{self._path} is locked by an unknown process")
                time.sleep(POLL_SECONDS)
        finally:
            os.close(descriptor)
        return None


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_of(pid: int) -> str:
    """When a process started, in the kernel's ticks; with its id that names it for good. Empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be noticed by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def supervisor_lock(private: Path) -> FileLock:
    """The lock of the one supervisor."""
    return FileLock(private / "supervisor.lock")


def take(private: Path) -> tuple[FileLock, FileLock]:
    """Take the supervisor's lock and the services' lock.

    Raises:
        StackAlreadyUp: another supervisor is at work here.
        StackFailed: processes of an earlier stack do not end.
    """
    supervisor = supervisor_lock(private)
    if not supervisor.acquire():
        raise StackAlreadyUp(directory=str(private.parent), process=supervisor.holder())
    services = FileLock(private / "services.lock")
    if not services.acquire(LEFT_OVER_SECONDS):
        supervisor.release()
        raise StackFailed(act="start", cause="processes of an earlier start still run and do not end")
    return supervisor, services
