"""A worker that is killed: imports everything once, then forks a child for each deed and kills it when it is told to.

Reads lines `DEED ID SECONDS` and answers each with `EXIT_CODE SECONDS`; a deed without a time ends by itself.
"""

import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from uuid import UUID

from tests.faults.deeds import CLOCKS, DEEDS, Deed
from tests.fixtures.stack import PROJECT
from wisqu_pipelines.bootstrap import open_services
from wisqu_pipelines.settings import Settings, load

NEVER = -1.0


class Worker:
    """The worker, seen from the test."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders = orders
        self._answers = answers

    def work(self, deed: Deed, about: UUID, kill_after: float = NEVER) -> tuple[int, float]:
        """Let it do something, and kill it after so many seconds; returns its exit code and how long it lived."""
        self._orders.write(f"{deed} {about} {kill_after}\n")
        self._orders.flush()
        code, seconds = self._answers.readline().split()
        return int(code), float(seconds)


@contextmanager
def worker() -> Iterator[Worker]:
    """A worker with the settings that this process's environment names."""
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Worker(process.stdin, process.stdout)
        process.stdin.close()
        assert process.wait() == 0


def main() -> None:
    """Take orders until there are no more."""
    settings = load()
    with open_services(settings) as services:  # once, for what is imported on the way: no child has to do it again
        for name in services.environments:
            assert services.environments[name].name == name
    for line in sys.stdin:
        deed, about, kill_after = line.split()
        code, seconds = _forked(settings, Deed(deed), UUID(about), float(kill_after))
        print(code, seconds, flush=True)


def _forked(settings: Settings, deed: Deed, about: UUID, kill_after: float) -> tuple[int, float]:
    ready, begun = os.pipe()
    child = os.fork()
    if child == 0:
        os._exit(_work(settings, deed, about, begun))
    os.close(begun)
    os.read(ready, 1)
    os.close(ready)
    started = time.monotonic()
    end = os.pidfd_open(child)
    select.select([end], [], [], None if kill_after == NEVER else kill_after)
    os.close(end)
    seconds = time.monotonic() - started
    os.kill(child, signal.SIGKILL)  # one that has ended is still there until it is waited for
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), seconds


def _work(settings: Settings, deed: Deed, about: UUID, begun: int) -> int:
    try:
        with open_services(settings, CLOCKS[deed]()) as services:
            for name in services.environments:
                assert services.environments[name].name == name  # opened and checked before the clock runs
            os.close(begun)
            DEEDS[deed](services, about)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
