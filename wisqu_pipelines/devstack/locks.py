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


class FileLock:
    """An exclusive lock on a file, which holds the holder's process id."""

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

    def acquire(self) -> bool:
        """Take the lock unless another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Close this process's hold; those to whom it was handed down keep theirs."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The process that has the lock; None if nobody has."""
        if not self._path.exists():
            return None
        descriptor = os.open(self._path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.pread(descriptor, 20, 0)
            return int(written) if written.isdigit() else 0
        finally:
            os.close(descriptor)
        return None


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
    deadline = time.monotonic() + LEFT_OVER_SECONDS
    while not services.acquire():
        if time.monotonic() > deadline:
            supervisor.release()
            raise StackFailed(act="start", cause="processes of an earlier start still run and do not end")
        time.sleep(0.05)
    return supervisor, services
