"""Standard output, which tells as an error of this project's that it cannot be written."""

import io
import os
import sys
from pathlib import Path
from typing import Any

from wisqu_pipelines.errors import OutputFailed


class _Told(io.FileIO):
    """A descriptor; what cannot be written to it is told once, and what comes after that is dropped."""

    _is_lost = False

    def write(self, data: Any, /) -> int:
        """Write bytes. A reader that has gone stays a `BrokenPipeError`, which ends the command quietly.

        Raises:
            OutputFailed: the disk is full, the terminal has gone, …
        """
        if self._is_lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._is_lost = True  # the interpreter flushes once more as it ends, and would add a traceback
            raise OutputFailed(cause=error.strerror or type(error).__name__) from None


def install() -> None:
    """Put it in the place of `sys.stdout`, unless something else than this process's own is there already. Where it
    was closed, nobody reads: what is written goes nowhere.
    """
    if sys.__stdout__ is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - ends with the process
    elif (given := sys.stdout) is sys.__stdout__:
        given.flush()
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Told(given.fileno(), "wb", closefd=False)),
            encoding=given.encoding,
            errors=given.errors,
            line_buffering=os.isatty(given.fileno()),
        )
