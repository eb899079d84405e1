"""Which files an ingest takes: named by their path below the folder that was given, always in the same order."""

import hashlib
import os
import stat
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wisqu_pipelines.catalog.filenames import check_filename
from wisqu_pipelines.errors import BadInput

MAX_FILE_BYTES = 50 * 1024 * 1024
READ_BYTES = 1024 * 1024
IN_MEMORY_BYTES = 4 * READ_BYTES
"""Larger files are copied to disk while they are worked on."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file and what it is called in the catalog."""

    path: Path
    name: str
    """Its path below the given folder, or its own name if it was given itself; `/` between the parts, NFC."""
    refusal: str | None = None
    """Why it is not taken, if that is plain from the outside."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A file's bytes as they were when they were read; what happens to the file afterwards changes nothing."""

    file: BinaryIO
    size: int
    """Bytes."""
    sha256: str
    """Of the bytes, hex."""


def find(paths: Iterable[Path]) -> list[SourceFile]:
    """The files to ingest: those given, and those below the given folders.

    Hidden files and folders are left out. A link is followed to a file inside of the same folder only. A file that is
    given itself under a name that is not accepted, or that is not there, refuses the whole; one that is found in a
    folder only itself.

    Raises:
        BadInput: a given path is not usable.
    """
    found: list[SourceFile] = []
    for path in paths:
        found.extend(_given(path))
    names: set[str] = set()
    for position, source in enumerate(found):
        if source.name in names and source.refusal is None:
            reason = f"another file of this ingest has the same name '{source.name}'"
            found[position] = SourceFile(source.path, source.name, str(BadInput(what=str(source.path), reason=reason)))
        names.add(source.name)
    return found


@contextmanager
def contents(source: SourceFile, limit: int = MAX_FILE_BYTES) -> Iterator[Contents]:
    """Read a file once, in bounded memory, into a copy that stays the same.

    Args:
        source: the file.
        limit: most bytes that it may have.

    Raises:
        BadInput: it cannot be read, or is larger.
    """
    digest, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as copy:
        try:
            with source.path.open("rb") as file:
                while data := file.read(READ_BYTES):
                    size += len(data)
                    if size > limit:
                        raise BadInput(what=f"the file '{source.name}'", reason=f"it has more than {limit} bytes")
                    digest.update(data)
                    copy.write(data)
        except OSError as error:
            raise BadInput(what=f"the file '{source.name}'", reason=f"it cannot be read ({error.strerror})") from None
        copy.seek(0)
        yield Contents(copy, size, digest.hexdigest())  # type: ignore[arg-type]  # a binary file in all but its type


def _given(path: Path) -> Iterator[SourceFile]:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        check_filename(path.name)
        raise BadInput(what=f"the path '{path}'", reason="there is no such file or folder") from None
    if is_folder:
        yield from _below(path, path.resolve())
        return
    name = _name(path.name)
    check_filename(name)
    yield SourceFile(path, name, None if path.is_file() else _no_file(name))


def _below(root: Path, resolved: Path) -> Iterator[SourceFile]:
    waiting = [root]
    while waiting:
        folders: list[Path] = []
        with os.scandir(waiting.pop()) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            else:
                name = _name(path.relative_to(root).as_posix())
                yield SourceFile(path, name, _refusal(path, name, resolved))
        waiting += reversed(folders)


def _refusal(path: Path, name: str, root: Path) -> str | None:
    try:
        check_filename(name)
    except BadInput as error:
        return str(error)
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        return str(BadInput(what=f"the file '{name}'", reason="it is a link that leads out of the folder"))
    return None if path.is_file() else _no_file(name)


def _no_file(name: str) -> str:
    return str(BadInput(what=f"the file '{name}'", reason="it is no ordinary file"))


def _name(name: str) -> str:
    return unicodedata.normalize("NFC", name)
