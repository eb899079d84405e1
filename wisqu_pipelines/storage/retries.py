"""Trying again: only what may pass, only so often, only so long."""

import logging
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import stamina
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

ATTEMPTS = 5
SECONDS = 20.0
"""After so long no further attempt begins."""
FIRST_WAIT = 0.1
LONGEST_WAIT = 2.0

Result = TypeVar("Result")


def with_retries(act: Callable[[int], Result], transient: Callable[[Exception], bool]) -> Result:
    """Do something, again where the trouble may pass.

    Args:
        act: Is told the number of the attempt, counted from 1.
        transient: Whether an error may pass; any other is raised at once.

    Raises:
        Exception: the last attempt's error, as it is.
    """
    _log_with_logging()
    for attempt in stamina.retry_context(
        on=transient, attempts=ATTEMPTS, timeout=SECONDS, wait_initial=FIRST_WAIT, wait_max=LONGEST_WAIT
    ):
        with attempt:
            return act(attempt.num)
    raise AssertionError("a retry ends with a result or an error")


@cache
def _log_with_logging() -> None:
    """Where structlog is installed, as it is beside Dagster, stamina would print into the output of a command; and
    where nobody has set logging up, logging itself would.
    """
    set_on_retry_hooks([LoggingOnRetryHook])
    logging.getLogger("stamina").addHandler(logging.NullHandler())
