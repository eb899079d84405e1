"""What the CLI prints: tables and progress for people on stderr and stdout, JSON for programs on stdout."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from wisqu_pipelines.errors import printable
from wisqu_pipelines.figures import size
from wisqu_pipelines.ports import progress as ports

SHOWN_CHARACTERS = 300
"""Longest value that is shown whole."""
WIDTH_OF_NO_TERMINAL = 200
"""Columns, where what is printed goes into a file or another program."""
OUT = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_NO_TERMINAL)
"""Results."""
ERR = Console(stderr=True, highlight=False)
"""Progress and errors."""


def print_json(value: Any) -> None:
    """Print a result as JSON on stdout, dataclasses by their fields."""
    text = TypeAdapter(Any).dump_json(value, indent=2, fallback=str).decode()
    OUT.out(text, highlight=False)


def print_done(act: str, **about: Any) -> None:
    """Print what a command has done as JSON on stdout.

    Args:
        act: What was done, as a participle: `done` of the object.
        about: What it was done to, with its ids, and what came of it: the object's other members.
    """
    print_json({"done": act, **about})


def print_json_list(about: Mapping[str, Any], name: str, items: Iterable[Any]) -> None:
    """Print an object with a long list as its last member on stdout; one element is held at a time."""
    adapter = TypeAdapter(Any)
    head = adapter.dump_json(about, indent=2, fallback=str).decode()
    OUT.out(head[: head.rindex("}")].rstrip() + f',\n  "{name}": [', end="", highlight=False)
    for number, item in enumerate(items):
        OUT.out(
            (",\n    " if number else "\n    ") + adapter.dump_json(item, fallback=str).decode(),
            end="",
            highlight=False,
        )
    OUT.out("\n  ]\n}", highlight=False)


def cell(value: Any, characters: int = SHOWN_CHARACTERS) -> str:
    """A value in a table or a line: foreign text with nothing hidden in it, and no markup."""
    return "" if value is None else escape(printable(str(value), characters))


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, characters: int = SHOWN_CHARACTERS
) -> Group:
    """A table of plain values, each cut at so many characters, under its title; a column whose name begins with `#`
    holds numbers, with `!` ids that are never cut.
    """
    made = Table()
    for column in columns:
        kind, name = (column[0], column[1:]) if column[0] in "#!" else ("", column)
        made.add_column(name, justify="right" if kind == "#" else "left", no_wrap=kind == "!", overflow="fold")
    for row in rows:
        made.add_row(*(cell(each, characters) for each in row))
    return Group(Text(title, "bold"), made)  # a title of the table's own would be as narrow as the table


def moment(at: datetime | None) -> str | None:
    """A time as people read it, in UTC, to the second."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


class _Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


@contextmanager
def progress_bar() -> Iterator[ports.Progress]:
    """A progress bar on stderr, for a service to call; one line for each step."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[amount]}"),
        _Rate(),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    ) as bar:
        tasks: dict[str, Any] = {}

        def tell(step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
            amount = ", ".join(text for text, count in ((size(bytes), bytes), (f"{points} points", points)) if count)
            if step not in tasks:
                tasks[step] = bar.add_task(escape(step), total=total, amount=amount)
            bar.update(tasks[step], completed=done, total=total, amount=amount)

        yield tell
