"""The folders of the stack: everything that it writes lies below one directory."""

import os
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the stack keeps what."""

    root: Path
    """Absolute."""

    @property
    def private(self) -> Path:
        """Secrets, ports, locks and the engines' own settings: for nobody else's eyes."""
        return self.root / "stack"

    @property
    def data(self) -> Path:
        """What the engines store."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """What the engines say."""
        return self.root / "log"

    @property
    def dagster_home(self) -> Path:
        """`DAGSTER_HOME`."""
        return self.root / "dagster"

    @property
    def settings_file(self) -> Path:
        """What the other settings are merged with, see `StackSettings.settings_file`."""
        return self.private / "settings.toml"

    def log(self, service: str) -> Path:
        """The log of a service."""
        return self.logs / f"{service}.log"

    def create(self) -> None:
        """Make the folders."""
        for folder in (self.root, self.data):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.private, self.logs):
            self.private_folder(folder)

    @staticmethod
    def private_folder(folder: Path) -> Path:
        """Make a folder that only this user may enter."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(PRIVATE_FOLDER)
        return folder


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by nobody else at any moment."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
