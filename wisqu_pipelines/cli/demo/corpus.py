"""Real documents that are always at hand: what the installed packages say about themselves."""

import shutil
import sysconfig
from pathlib import Path

WANTED = ("README*", "LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "AUTHORS*", "CHANGELOG*")
NO_TEXT = {".py", ".pyc", ".pyi", ".so", ".json", ".toml"}
LARGEST = 400_000
"""Bytes; a few licence collections are larger than all other files together."""


def gather(folder: Path) -> int:
    """Copy the installed packages' READMEs and licences below `folder`, by package; returns how many there are.

    Files that are there with the same size stay as they are; what is not wanted any more goes.
    """
    packages = Path(sysconfig.get_paths()["purelib"])
    wanted = {}
    for pattern in WANTED:
        for path in packages.rglob(pattern):
            if path.is_file() and path.suffix.lower() not in NO_TEXT and 0 < path.stat().st_size <= LARGEST:
                wanted[folder / path.relative_to(packages)] = path
    for copy in [path for path in folder.rglob("*") if path.is_file()]:
        if copy not in wanted:
            copy.unlink()
    for copy, original in wanted.items():
        if not copy.exists() or copy.stat().st_size != original.stat().st_size:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, copy)
    return len(wanted)


def write_notes(folder: Path, run: str) -> Path:
    """Write what makes this run of the demo a new one: a note that is new, and one that changes each time.

    Returns:
        Their folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"run-{run}.md").write_text(
        f"# Demonstration {run}\n\nThis note was written for this run and is promoted by it, with all the others.\n"
    )
    (folder / "latest.md").write_text(
        f"# The latest demonstration\n\nIt ran as {run}. Each run changes this note, so that a promotion updates it.\n"
    )
    return folder


def write_mistake(folder: Path, run: str) -> Path:
    """Write the documents that are promoted and taken back again; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 4):
        (folder / f"mistake-{run}-{number}.md").write_text(
            f"# A mistake of {run}, part {number}\n\nThis text goes to the target and is taken back from there.\n"
        )
    return folder
