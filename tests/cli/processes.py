"""Running `wisqu` as a process of its own, and holding it up at a request."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.ports.proxies import Action, Drop, Forward, Request, http_proxy
from wisqu_pipelines.settings import Settings

SECONDS = 60
"""How long anything here may take; far more than it does."""


@dataclass
class Held:
    """Requests of one kind to a store, held up until they are let go."""

    method: str
    ending: str
    """How the path of such a request ends."""
    _came: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _then: Action = field(default_factory=Forward)

    def plan(self, request: Request) -> Action:
        if request.method == self.method and request.path.partition("?")[0].endswith(self.ending):
            self._came.set()
            assert self._over.wait(SECONDS)
            return self._then
        return Forward()

    def wait(self) -> None:
        """Wait for the first such request."""
        assert self._came.wait(SECONDS), "there was no such request"

    def let_go(self) -> None:
        """Hand those that wait, and all that come, to the store."""
        self._over.set()

    def lose(self) -> None:
        """Hand those that wait to nobody; their sender is gone."""
        self._then = Drop()
        self._over.set()


@contextmanager
def held_at(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, environment: str, method: str, ending: str
) -> Iterator[Held]:
    """Processes that start in the block are held up at such requests to an environment's vector server."""
    held = Held(method, ending)
    upstream = urlsplit(settings.environment(environment).vector_index.url).netloc
    with http_proxy(upstream, held.plan) as proxy, monkeypatch.context() as patch:
        patch.setenv(f"WISQU_ENVIRONMENTS__{environment.upper()}__VECTOR_INDEX__URL", f"http://{proxy.address}")
        try:
            yield held
        finally:
            held.let_go()


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
