"""Where the settings are read from: the declared file, the embedded stack, mounted files and variables."""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, PydanticBaseSettingsSource
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.settings.stores import StackSettings

CONFIG_VARIABLE = "WISQU_CONFIG"
DEFAULT_CONFIG = "wisqu.toml"
PREFIX = "WISQU_"
DELIMITER = "__"
DAGSTER_POSTGRES_URL = "WISQU_DAGSTER_POSTGRES_URL"
DAGSTER_LOGS_SECRET = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the variable's name
"""What `dagster.yaml` reads."""
TO = "_to_"
"""Stands for the arrow of a path in the name of a variable."""


def config_file() -> Path:
    """The file in which the environments are declared."""
    return Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))


def declaration() -> dict[str, Any]:
    """What that file says, as it stands there: what the embedded stack is made from before there are secrets.

    Raises:
        BadSettings: the file is missing or malformed.
    """
    return Files.declared()


def dagster_secrets() -> frozenset[str]:
    """The secrets that Dagster's own settings take from variables, where this is a process of Dagster's."""
    given = {os.environ.get(DAGSTER_LOGS_SECRET)}
    with suppress(ArgumentError):
        given.add(make_url(os.environ.get(DAGSTER_POSTGRES_URL, "")).password)
    return frozenset(each for each in given if each)


class Files(PydanticBaseSettingsSource):
    """`wisqu.toml`, and over it the file of the embedded stack where that is in use."""

    @staticmethod
    def declared() -> dict[str, Any]:
        """What `wisqu.toml` says, without what `wisqu up` wrote."""
        declared = _toml(config_file())
        embedded = os.environ.get(f"{PREFIX}STACK{DELIMITER}EMBEDDED")
        stack = dict(declared.get("stack", {}))
        if embedded is not None:
            stack["embedded"] = embedded.lower() in {"1", "true", "yes", "on"}
        if directory := os.environ.get(f"{PREFIX}STACK{DELIMITER}DIRECTORY"):
            stack["directory"] = directory
        return {**declared, "stack": stack}

    @classmethod
    def read(cls) -> dict[str, Any]:
        """The settings as the files give them."""
        declared = cls.declared()
        stack = declared["stack"]
        written = StackSettings(**stack).settings_file
        if stack.get("embedded") and written.exists():
            return merged(declared, _toml(written))
        return declared

    def __call__(self) -> dict[str, Any]:
        """What is read."""
        return self.read()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not a value at a time."""
        raise NotImplementedError("read as a whole")


class Variables(EnvSettingsSource):
    """`WISQU_…`, but not the variables that only name a mounted file."""

    def __call__(self) -> dict[str, Any]:
        """What is read."""
        return _with_paths(super().__call__())

    def _load_env_vars(self) -> Mapping[str, str | None]:
        loaded = super()._load_env_vars()
        for name in loaded:
            first, _, rest = name.lower().removeprefix(PREFIX.lower()).partition(DELIMITER)
            if rest and name.lower().startswith(PREFIX.lower()) and first not in self.settings_cls.model_fields:
                known = ", ".join(self.settings_cls.model_fields)
                raise BadSettings(message=f"{name.upper()} sets nothing: there is no section '{first}' ({known})")
        return {name: value for name, value in loaded.items() if not name.lower().endswith("_file")}


class MountedSecrets(PydanticBaseSettingsSource):
    """`WISQU_…_FILE`: the value is what the named file holds, without the line end."""

    def __call__(self) -> dict[str, Any]:
        """What is read."""
        values: dict[str, Any] = {}
        for variable, path in os.environ.items():
            if variable.startswith(PREFIX) and variable.endswith("_FILE"):
                steps = variable[len(PREFIX) : -len("_FILE")].lower().split(DELIMITER)
                try:
                    value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
                except (OSError, UnicodeDecodeError) as error:
                    raise BadSettings(message=f"{variable} names a file that cannot be read ({error})") from None
                nested: Any = value
                for step in reversed(steps):
                    nested = {step: nested}
                values = merged(values, nested)
        return _with_paths(values)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not a value at a time."""
        raise NotImplementedError("read as a whole")


def _with_paths(values: dict[str, Any]) -> dict[str, Any]:
    """Values from variables, whose names hold no arrow: what they say of `dev_to_stage` is of the path `dev->stage`."""
    if not isinstance(values.get("paths"), dict):
        return values
    paths = {name.replace(TO, "->") if name.count(TO) == 1 else name: about for name, about in values["paths"].items()}
    return {**values, "paths": paths}


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise BadSettings(message=f"there is no settings file {path} (set {CONFIG_VARIABLE} to its path)") from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(message=f"the settings file {path} cannot be read ({error})") from None


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above` over it, section by section."""
    both = dict(below)
    for key, value in above.items():
        standing = both.get(key)
        both[key] = merged(standing, value) if isinstance(standing, dict) and isinstance(value, dict) else value
    return both
