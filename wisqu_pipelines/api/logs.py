"""The API's log: a line of JSON for each thing that happens, without secrets."""

import logging
import re
import sys
from collections.abc import Callable, Collection, MutableMapping
from typing import Any

import structlog

from wisqu_pipelines.redaction import REDACTED, redactor

_NAMES = re.compile(r"pass(?:word|wd|phrase)?|secret|token|authorization|cookie|api[_-]?key|credential", re.IGNORECASE)


def log_as_json(secrets: Collection[str], level: int = logging.INFO) -> None:
    """Make structlog and the standard library's loggers write JSON lines to stderr.

    Args:
        secrets: What is taken out wherever it stands: the settings' own.
        level: From which level on.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        Redaction(redactor(secrets)),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


class Redaction:
    """Takes out what is called a secret, what looks like one, and what is known to be one."""

    def __init__(self, redacted: Callable[[str], str]) -> None:
        """Clean texts with `redacted`."""
        self._redacted = redacted

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Clean one line."""
        del logger, method
        for name, value in event.items():
            event[name] = REDACTED if _NAMES.search(name) and value is not None else self._cleaned(value)
        return event

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redacted(value)
        if isinstance(value, dict):
            return {k: REDACTED if _NAMES.search(str(k)) else self._cleaned(each) for k, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._cleaned(each) for each in value]
        return value
