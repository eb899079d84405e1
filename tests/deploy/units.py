"""The units of `deploy/systemd`, read as systemd reads them, as far as they go."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.stack import PROJECT

FOLDER = PROJECT / "deploy" / "systemd"


@dataclass(frozen=True)
class Unit:
    """One unit: its lines by section and name, in their order."""

    name: str
    lines: tuple[tuple[str, str, str], ...]

    def all(self, option: str) -> list[str]:
        """Every value of an option."""
        return [value for _, name, value in self.lines if name == option]

    def one(self, option: str) -> str:
        """The value of an option that stands there once."""
        (value,) = self.all(option)
        return value

    def commands(self, option: str) -> list[list[str]]:
        """The commands of an option, with `$$` as the `$` that it stands for."""
        return [[each.replace("$$", "$") for each in shlex.split(value)] for value in self.all(option)]

    @property
    def variables(self) -> dict[str, str]:
        """What `Environment=` gives."""
        return dict(value.split("=", 1) for value in self.all("Environment"))

    @property
    def stop_seconds(self) -> int:
        """`TimeoutStopSec`."""
        return int(self.one("TimeoutStopSec"))


def read(path: Path) -> Unit:
    """The unit in a file."""
    return Unit(path.name, tuple(_lines(path.read_text(encoding="utf-8"))))


def services() -> dict[str, Unit]:
    """The services by their names, without `.service`."""
    return {path.stem: read(path) for path in sorted(FOLDER.glob("*.service"))}


def variables(name: str) -> dict[str, str]:
    """What an example of an environment file gives."""
    lines = (FOLDER / f"{name}.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, separator, value = line.partition("=")
            assert separator, f"no option: {line}"
            yield section, name, value
