"""The data directory: every collection in it, by name."""

import fcntl
import logging
import os
import shutil
from pathlib import Path
from uuid import uuid4

from qdrant_client.http import models

from wisqu_pipelines.devstack.qdrant_edge.collection import Collection
from wisqu_pipelines.devstack.qdrant_edge.errors import ConflictError, DataUnusableError, InvalidError, NotFoundError

FORBIDDEN_IN_NAMES = frozenset('<>:"/\\|?*\0\x1f')
"""Qdrant's rule: a name is a folder's name, on any system."""
LONGEST_NAME = 255

log = logging.getLogger(__name__)


class Store:
    """All collections of one data directory, which one process has for itself.

    A collection comes and goes by a rename between `collections` and `staging`, so a crash leaves it whole or away.
    """

    def __init__(self, data: Path) -> None:
        """Take the directory and open what is in it.

        Raises:
            DataUnusableError: another process has it, or a collection cannot be opened.
        """
        self._collections = data / "collections"
        self._staging = data / "staging"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (data / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise DataUnusableError(f"another server has {data} open") from None
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir()
        self._collections.mkdir(exist_ok=True)
        self._open: dict[str, Collection] = {}
        for folder in sorted(self._collections.iterdir()):
            try:
                self._open[folder.name] = Collection(folder)
            except Exception as error:
                self.close()
                raise DataUnusableError(f"the collection in {folder} cannot be opened: {error}") from error

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def names(self) -> list[str]:
        """The names of all collections, sorted."""
        return sorted(self._open)

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def __getitem__(self, name: str) -> Collection:
        """The collection of that name.

        Raises:
            NotFoundError: there is none.
        """
        try:
            return self._open[name]
        except KeyError:
            raise NotFoundError(f"Collection `{name}` doesn't exist!") from None

    def create(self, name: str, config: models.VectorParams) -> None:
        """Make a collection.

        Raises:
            InvalidError: no collection may have that name.
            ConflictError: there is one.
        """
        _check_name(name)
        if name in self._open:
            raise ConflictError(f"Wrong input: Collection `{name}` already exists!")
        made = self._staging / uuid4().hex
        Collection.make(made, config)
        _move(made, self._collections / name)
        self._open[name] = Collection(self._collections / name)

    def delete(self, name: str) -> bool:
        """Delete a collection; say whether there was one."""
        collection = self._open.pop(name, None)
        if collection is None:
            return False
        collection.close()
        gone = self._staging / uuid4().hex
        _move(collection.folder, gone)
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def maintain(self) -> None:
        """Flush and tidy every collection; what fails is logged and tried again next time."""
        for name, collection in self._open.items():
            try:
                collection.flush()
                collection.tidy()
            except Exception:
                log.exception("Maintenance of the collection %r failed", name)

    def close(self) -> None:
        """Close every collection and let go of the directory."""
        while self._open:
            self._open.popitem()[1].close()
        self._lock.close()


def _check_name(name: str) -> None:
    if not 1 <= len(name.encode()) <= LONGEST_NAME:
        raise InvalidError(
            f"collection_name: value {name[:LONGEST_NAME]!r} invalid, must be 1 to {LONGEST_NAME} bytes long"
        )
    if name in {".", ".."} or FORBIDDEN_IN_NAMES.intersection(name):
        raise InvalidError(f"collection_name: value {name!r} invalid, it is not usable as the name of a folder")


def _move(folder: Path, to: Path) -> None:
    """Rename a folder; the rename is on disk when this returns."""
    folder.rename(to)
    descriptor = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
