"""The `alembic` command, as people type it in the repo's root."""

import subprocess
import sys

import pytest

from tests.database.postgres import Postgres
from tests.database.revisions import head, revisions
from tests.database.shape import shape
from tests.fixtures.stack import PROJECT
from wisqu_pipelines.migrations import History
from wisqu_pipelines.settings import Settings


def alembic(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_up_and_down_on_every_database(settings: Settings, postgres: Postgres) -> None:
    histories: dict[str, History] = {settings.control.database.name: "control"}
    histories |= {each.database.name: "environment" for each in settings.environments.values()}
    names = list(histories)
    before = {}
    for name in names:
        with postgres.superuser(name) as connection:
            before[name] = shape(connection)

    one_back = alembic("downgrade", "-1")
    assert one_back.returncode == 0, one_back.stderr
    for name, history in histories.items():
        assert f"({name}): {['no revision', *revisions(history)][-2]}" in one_back.stdout
        with postgres.superuser(name) as connection:
            assert shape(connection) != before[name]

    down = alembic("downgrade", "base")
    assert down.returncode == 0, down.stderr
    for name in names:
        assert f"({name}): no revision" in down.stdout
        with postgres.superuser(name) as connection:
            assert shape(connection) == set()

    up = alembic("upgrade", "head")
    assert up.returncode == 0, up.stderr
    for name in names:
        with postgres.superuser(name) as connection:
            assert shape(connection) == before[name]
    with postgres.open(settings.environments["dev"].database).begin() as session:
        session.connection().exec_driver_sql("SELECT * FROM stored_files")  # the application's rights are back
    assert f": {head('control')}" in alembic("-x", "database=control", "current").stdout


def test_one_database_or_one_history(settings: Settings) -> None:
    down = alembic("-x", "database=stage", "downgrade", "base")
    assert down.returncode == 0, down.stderr
    assert down.stdout.split() == ["stage", f"({settings.environments['stage'].database.name}):", "no", "revision"]
    up = alembic("-n", "environment", "upgrade", "head")
    assert up.returncode == 0, up.stderr
    assert [line.split()[0] for line in up.stdout.splitlines()] == list(settings.environments)


def test_what_reads_revisions_needs_one_history(settings: Settings) -> None:
    told = alembic("-n", "environment", "history").stdout
    assert all(each in told for each in revisions("environment"))
    assert f"{head('control')} (head)" in alembic("-n", "control", "heads").stdout
    assert "No new upgrade operations detected" in alembic("-n", "environment", "check").stdout
    assert "No new upgrade operations detected" in alembic("-n", "control", "check").stdout
    vague = alembic("check")
    assert vague.returncode != 0
    assert "alembic -n control" in vague.stderr + vague.stdout
    assert settings.environments  # the world that the command reads


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-x", "database=moon", "upgrade", "head"), "no database 'moon'"),
        (("-n", "control", "-x", "database=dev", "upgrade", "head"), "no database 'dev' to choose; there are control"),
        (("upgrade", "head", "--sql"), "--sql is not offered"),
        (("-x", "database=dev", "upgrade", "nonsense"), "nonsense"),
    ],
)
@pytest.mark.usefixtures("settings")
def test_what_cannot_be_done_is_said_in_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    result = alembic(*arguments)
    assert result.returncode != 0
    assert sentence in result.stderr + result.stdout
    assert "Traceback" not in result.stderr
