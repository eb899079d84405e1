"""What tables look like in terminals of different widths."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from wisqu_pipelines.cli.output import Rate, console, table
from wisqu_pipelines.figures import NOTHING, counted, plain

ID = "e991c14f-8ad4-40eb-a148-0e3218c84416"
COLUMNS = ("!promotion", "type", "path", "#items", "#bytes", "approvals", "asked for by", "reason")
ROW = (ID, "rag_documents", "dev → stage", 10, "7.8 kB", "0 of 1", "dana@demo.wisqu.com", "[release] 12")


def shown(width: int, rows: list[tuple[object, ...]]) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table("Waiting for approval", COLUMNS, rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80])
def test_a_table_that_does_not_fit_is_shown_row_by_row_with_every_value_whole(width: int) -> None:
    lines = shown(width, [ROW, (*ROW[:-1], None)])
    for name, value in zip(COLUMNS, ROW, strict=True):
        assert any(line.split(maxsplit=name.count(" ") + 1)[-1].strip() == str(value) for line in lines), (name, value)
    assert sum("reason" in line for line in lines) == 1, "what is empty takes no line"
    assert max(map(len, lines)) <= width


def test_a_table_that_fits_stays_one() -> None:
    assert any("━" in line for line in shown(200, [ROW]))
    assert any(ID in line and "[release] 12" in line for line in shown(200, [ROW]))


def test_an_empty_table_shows_its_columns_at_any_width() -> None:
    assert any("━" in line for line in shown(60, []))


def test_a_sentence_is_not_broken_into_lines_for_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "It waits for somebody else's yes. " * 20
    console(is_terminal=False).print(sentence)
    assert capsys.readouterr().out == f"{sentence}\n"


def test_values_are_told_as_people_say_them() -> None:
    assert [plain(each) for each in (True, False, None, "text", 0)] == ["yes", "no", NOTHING, "text", "0"]
    assert [counted(each, "item") for each in (0, 1, 2, 1_000)] == ["0 items", "1 item", "2 items", "1,000 items"]
    (row,) = (line for line in shown(200, [(ID, True, False, None, *ROW[4:])]) if ID in line)
    assert [each.strip() for each in row.split("│")[2:5]] == ["yes", "no", NOTHING]


def test_the_rate_is_that_of_the_whole_step() -> None:
    """Two pages whose ends are told at once were not done at once."""
    now = 0.0
    progress = Progress(Rate(), console=Console(file=io.StringIO()), get_time=lambda: now)
    task = progress.add_task("stage", total=1_400)
    assert Rate().render(progress.tasks[0]).plain == ""
    now = 2.0
    progress.update(task, completed=512)
    now = 2.001
    progress.update(task, completed=1_024)
    assert Rate().render(progress.tasks[0]).plain == "512/s"
