"""What the stack is made from: the names in `wisqu.toml`, before there is any address or secret."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wisqu_pipelines.devstack.layout import Layout
from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.settings import (
    ApiSettings,
    CacheDatabases,
    DagsterSettings,
    Name,
    StackSettings,
    config_file,
    declaration,
)

DatabaseName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,50}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Database(_Section):
    name: DatabaseName


class _Cache(_Section):
    databases: CacheDatabases


class _Environment(_Section):
    database: _Database
    cache: _Cache


class _Control(_Section):
    database: _Database


class _Limits(_Section):
    database: int


class _Identity(_Section):
    limits: _Limits


class _Dagster(_Section):
    database: _Database
    logs_bucket: str = DagsterSettings.model_fields["logs_bucket"].default
    port: int = DagsterSettings.model_fields["port"].default


class _Api(_Section):
    port: int = ApiSettings.model_fields["port"].default


class _Declared(_Section):
    stack: StackSettings
    control: _Control
    identity: _Identity
    dagster: _Dagster
    api: _Api = _Api()
    environments: dict[Name, _Environment] = Field(min_length=1)
    paths: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class DeclaredEnvironment:
    """An environment's names."""

    name: str
    database: str
    cache_databases: tuple[int, ...]
    """Numbers of its Redis databases."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """All names that the stack has to make stores for."""

    config: Path
    """The file that declares them; absolute."""
    layout: Layout
    control_database: str
    identity_cache_database: int
    """Number of the Redis database in which attempts to log in are counted."""
    dagster_database: str
    logs_bucket: str
    dagster_port: int
    """The port that people expect the Dagster UI on."""
    api_port: int
    """The same for the API and its page."""
    environments: tuple[DeclaredEnvironment, ...]
    paths: tuple[tuple[str, str], ...]
    """Source and target of each promotion path."""

    @property
    def project(self) -> Path:
        """The folder of the declaring file, where Dagster's two files are as well."""
        return self.config.parent

    def database_names(self) -> tuple[str, ...]:
        """Every database: the control database's, Dagster's, and one for each environment."""
        return (self.control_database, self.dagster_database, *(each.database for each in self.environments))


def read() -> Declaration:
    """Read the declaration that is in force.

    Raises:
        BadSettings: it is missing or malformed, asks for no embedded stack, or gives two environments one store.
    """
    values = declaration()
    try:
        declared = _Declared.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(step) for step in problem["loc"])
        raise BadSettings(message=f"{where}: {problem['msg']}") from None
    if not declared.stack.embedded:
        raise BadSettings(message="stack.embedded is false, so there is no embedded stack here")
    result = Declaration(
        config=config_file().resolve(),
        layout=Layout(declared.stack.directory.resolve()),
        control_database=declared.control.database.name,
        identity_cache_database=declared.identity.limits.database,
        dagster_database=declared.dagster.database.name,
        logs_bucket=declared.dagster.logs_bucket,
        dagster_port=declared.dagster.port,
        api_port=declared.api.port,
        environments=tuple(
            DeclaredEnvironment(name, each.database.name, tuple(each.cache.databases.model_dump().values()))
            for name, each in declared.environments.items()
        ),
        paths=tuple(_ends(path, declared.environments) for path in declared.paths),
    )
    _check_nothing_is_shared(result)
    return result


def _ends(path: str, environments: Mapping[str, object]) -> tuple[str, str]:
    source, _, target = path.partition("->")
    if source not in environments or target not in environments:
        raise BadSettings(message=f"the path {path} names an environment that is not configured")
    return source, target


def _check_nothing_is_shared(declared: Declaration) -> None:
    for store, names in (
        ("database", declared.database_names()),
        (
            "Redis database",
            [
                declared.identity_cache_database,
                *(number for each in declared.environments for number in each.cache_databases),
            ],
        ),
    ):
        shared = [str(name) for name, times in Counter(names).items() if times > 1]
        if shared:
            raise BadSettings(message=f"the {store} {', '.join(shared)} is given to two owners")
