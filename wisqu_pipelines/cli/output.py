"""What the CLI prints: tables and progress for people on stderr and stdout, JSON for programs on stdout."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
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
from wisqu_pipelines.figures import NOTHING, counted, plain, size
from wisqu_pipelines.ports import progress as ports

SHOWN_CHARACTERS = 300
"""Longest value that is shown whole."""
WIDTH_OF_NO_TERMINAL = 200
"""Columns, where what is printed goes into a file or another program."""
READABLE_WIDTH = 9
"""Columns of the terminal that a table's column of words is at least given; in fewer they are cut to pieces."""
BORDER_WIDTH = 3
"""What a table's column takes besides its cells: a line, and a space on both sides."""


def console(*, is_terminal: bool) -> Console:
    """What results are printed with. Sentences are broken into lines for a terminal alone; tables everywhere."""
    return Console(highlight=False, soft_wrap=not is_terminal, width=None if is_terminal else WIDTH_OF_NO_TERMINAL)


OUT = console(is_terminal=sys.stdout.isatty())
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
    return escape(printable(plain(value), characters))


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, characters: int = SHOWN_CHARACTERS
) -> RenderableType:
    """A table of plain values, each cut at so many characters, under its title; a column whose name begins with `#`
    holds numbers, with `!` ids that are never cut. Where it does not fit, each row is shown as lines of its own.
    """
    made = [_Column(name[1:], name[0]) if name[0] in "#!" else _Column(name, "") for name in columns]
    cells = [[cell(each, characters) for each in row] for row in rows]
    return Group(Text(title, "bold"), _Fitting(made, cells))  # its own title would be as narrow as the table


class _Column(NamedTuple):
    name: str
    kind: str

    def readable(self, cells: Iterable[str]) -> int:
        """In how many columns of the terminal it can still be read."""
        longest = max(map(_width, (*self.name.split(), *cells)))
        return longest if self.kind == "!" else min(longest, READABLE_WIDTH)


@dataclass(frozen=True, slots=True)
class _Fitting:
    """A table; or, in a terminal in which its columns would be slivers or empty, a list of its rows."""

    columns: Sequence[_Column]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        by_column = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        needed = sum(
            column.readable(cells) + BORDER_WIDTH for column, cells in zip(self.columns, by_column, strict=True)
        )
        if not self.rows or needed < options.max_width:
            yield self._table()
            return
        for number, row in enumerate(self.rows):
            if number:
                yield ""
            yield self._lines(row)

    def _table(self) -> Table:
        made = Table()
        for name, kind in self.columns:
            made.add_column(name, justify="right" if kind == "#" else "left", no_wrap=kind == "!", overflow="fold")
        for row in self.rows:
            made.add_row(*row)
        return made

    def _lines(self, row: Sequence[str]) -> Table:
        made = Table.grid(padding=(0, 2, 0, 0))
        made.add_column(style="bold", no_wrap=True)
        made.add_column(overflow="fold")
        for column, value in zip(self.columns, row, strict=True):
            if value not in {"", NOTHING}:
                made.add_row(column.name, value)
        return made


def _width(markup: str) -> int:
    return Text.from_markup(markup).cell_len


def moment(at: datetime | None) -> str | None:
    """A time as people read it, in UTC, to the second."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


class Rate(ProgressColumn):
    """Items a second, since the step began: the speed that Rich reckons leaves the first of a few large pages out."""

    def render(self, task: Task) -> Text:
        """The rate as text; nothing before anything is done."""
        seconds = task.finished_time or task.elapsed
        return Text(f"{task.completed / seconds:.0f}/s" if seconds and task.completed else "")


@contextmanager
def progress_bar() -> Iterator[ports.Progress]:
    """A progress bar on stderr, for a service to call; one line for each step."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[amount]}"),
        Rate(),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    ) as bar:
        tasks: dict[str, Any] = {}

        def tell(step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
            amount = ", ".join(
                text for text, count in ((size(bytes), bytes), (counted(points, "point"), points)) if count
            )
            if step not in tasks:
                tasks[step] = bar.add_task(escape(step), total=total, amount=amount)
            bar.update(tasks[step], completed=done, total=total, amount=amount)

        yield tell
