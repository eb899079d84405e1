"""What the stack is made from, and what it refuses to be made from."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.stack import PROJECT
from wisqu_pipelines.devstack import declaration, toml
from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.settings import CONFIG_VARIABLE


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], declaration.Declaration]:
    """Reads the declaration of a file with these values."""

    def declare(values: dict[str, Any]) -> declaration.Declaration:
        file = tmp_path / "wisqu.toml"
        file.write_text(toml.dumps(values), encoding="utf-8")
        monkeypatch.setenv(CONFIG_VARIABLE, str(file))
        monkeypatch.setenv("WISQU_STACK__DIRECTORY", str(tmp_path / "var"))
        return declaration.read()

    return declare


def project() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "wisqu.toml").read_text(encoding="utf-8"))


def test_every_environment_of_the_file_is_served_whatever_its_name(
    declare: Callable[[dict[str, Any]], declaration.Declaration],
) -> None:
    values = project()
    values["environments"]["test"] = {
        **values["environments"]["dev"],
        "database": {"name": "wisqu_test"},
        "cache": {"databases": {"cache": 3, "sessions": 4, "limits": 20}},
    }
    values["paths"]["test->stage"] = values["paths"]["dev->stage"]
    declared = declare(values)
    assert [each.name for each in declared.environments] == [*project()["environments"], "test"]
    assert declared.environments[-1].cache_databases == (3, 4, 20)
    assert ("test", "stage") in declared.paths


def shared_database(values: dict[str, Any]) -> None:
    values["environments"]["dev"]["database"]["name"] = "wisqu_prod"


def shared_redis_database(values: dict[str, Any]) -> None:
    values["environments"]["dev"]["cache"]["databases"]["limits"] = 9


def odd_database(values: dict[str, Any]) -> None:
    values["environments"]["dev"]["database"]["name"] = 'wisqu"; DROP DATABASE postgres'


def unknown_end(values: dict[str, Any]) -> None:
    values["paths"]["dev->moon"] = values["paths"]["dev->stage"]


def not_embedded(values: dict[str, Any]) -> None:
    values["stack"]["embedded"] = False


def no_numbers(values: dict[str, Any]) -> None:
    del values["environments"]["dev"]["cache"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (shared_database, "the database wisqu_prod is given to two owners"),
        (shared_redis_database, "the Redis database 9 is given to two owners"),
        (odd_database, "environments.dev.database.name"),
        (unknown_end, "the path dev->moon names an environment that is not configured"),
        (not_embedded, "stack.embedded is false"),
        (no_numbers, "environments.dev.cache: Field required"),
    ],
)
def test_a_declaration_that_cannot_be_kept_apart_is_refused(
    declare: Callable[[dict[str, Any]], declaration.Declaration],
    spoil: Callable[[dict[str, Any]], None],
    sentence: str,
) -> None:
    values = project()
    spoil(values)
    with pytest.raises(BadSettings, match="The settings are not usable") as refused:
        declare(values)
    assert sentence in str(refused.value)


def test_what_is_written_as_toml_is_read_back() -> None:
    values = {
        "text": 'quotes " and \\ and\nlines, \u06a9\u062a\u0627\u0628, \U0001f600',
        "numbers": [1, 2.5],
        "on": True,
        "a->b": {"c d": {"e": -1}},
        "empty": {},
    }
    assert tomllib.loads(toml.dumps(values)) == {key: value for key, value in values.items() if value != {}}
