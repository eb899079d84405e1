"""Loopback ports for the services: free ones, the same again after a restart, or a fixed range."""

import json
import random
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from wisqu_pipelines.devstack.layout import write_private
from wisqu_pipelines.errors import StackFailed

HOST = "127.0.0.1"
RANGE = range(10_240, 32_000)
"""Below the ports that Linux gives to outgoing connections, which could otherwise take one before its service does."""
TRIES = 1_000


def is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


class Ports:
    """The port of each service, by name."""

    def __init__(self, file: Path) -> None:
        """Read which ports an earlier start had."""
        self._file = file
        try:
            self._ports: dict[str, int] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        except (OSError, ValueError):
            self._ports = {}  # only a preference: other free ports do as well

    def __getitem__(self, name: str) -> int:
        return self._ports[name]

    def knows(self, names: Iterable[str]) -> bool:
        """Whether each of the names has a port."""
        return all(name in self._ports for name in names)

    def choose(self, names: Sequence[str], *, base: int | None, preferred: Mapping[str, int]) -> None:
        """Give each name a port and remember it.

        Args:
            names: The names, in the order in which a fixed range is given out.
            base: First port of a fixed range; None for any free ports, the earlier ones before others.
            preferred: Ports to try first for a name that had none.

        Raises:
            StackFailed: a port of the fixed range is taken, or none is free.
        """
        self._ports = self._fixed(names, base) if base is not None else self._free(names, preferred)
        write_private(self._file, json.dumps(self._ports, indent=1))

    def _fixed(self, names: Sequence[str], base: int) -> dict[str, int]:
        chosen = {name: base + place for place, name in enumerate(names)}
        if base < 1 or base + len(names) > 65_536:
            raise StackFailed(act="choose ports", cause=f"{len(names)} ports do not fit in from {base} on")
        taken = [f"{port} ({name})" for name, port in chosen.items() if not is_free(port)]
        if taken:
            raise StackFailed(act="choose ports", cause=f"taken already: {', '.join(taken)}")
        return chosen

    def _free(self, names: Sequence[str], preferred: Mapping[str, int]) -> dict[str, int]:
        chosen: dict[str, int] = {}
        for name in names:
            wished = self._ports.get(name, preferred.get(name))
            taken = set(chosen.values())
            if wished is not None and wished not in taken and is_free(wished):
                chosen[name] = wished
            else:
                chosen[name] = _any_free(taken | set(self._ports.values()))
        return chosen

    def forget(self, names: Iterable[str]) -> None:
        """Give up ports that turned out to be taken."""
        for name in names:
            self._ports.pop(name, None)


def _any_free(taken: set[int]) -> int:
    numbers = random.SystemRandom()
    for _ in range(TRIES):
        port = numbers.choice(RANGE)
        if port not in taken and is_free(port):
            return port
    raise StackFailed(act="choose ports", cause=f"none of {TRIES} ports that were tried is free")
