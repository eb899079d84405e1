"""Running `wisqu` as a process of its own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def wisqu_process(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """`wisqu` with these arguments, ended with the block if it has not ended before."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "wisqu_pipelines.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
