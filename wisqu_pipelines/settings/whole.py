"""All settings of one installation, and how they are read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from wisqu_pipelines.errors import BadSettings, PathRefused, UnknownEnvironment
from wisqu_pipelines.settings.environments import EnvironmentSettings
from wisqu_pipelines.settings.paths import PathSettings, path_name
from wisqu_pipelines.settings.people import ApiSettings, IdentitySettings, RoleSettings
from wisqu_pipelines.settings.running import (
    AutomationSettings,
    DagsterSettings,
    DetectionSettings,
    MetricsSettings,
    NotificationSettings,
    SchedulesSettings,
)
from wisqu_pipelines.settings.sections import BucketBase, Name
from wisqu_pipelines.settings.sources import DELIMITER, PREFIX, Files, MountedSecrets, Variables, dagster_secrets
from wisqu_pipelines.settings.stores import CollectionSettings, ControlSettings, StackSettings

APPROVALS = "/approvals"
"""The path of the page on which people decide."""


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    buckets: tuple[BucketBase, ...] = Field(min_length=1)
    default_bucket: BucketBase
    default_collection: Name
    collections: dict[Name, CollectionSettings] = Field(min_length=1)
    embedder: str = "hashing-384-v1"
    """Which embedder makes the vectors of what is ingested, by its name."""
    storage_audit_grace_hours: int = Field(default=168, gt=0)
    """How long the storage audit must have found an object or points needed by nothing before a repair removes them.
    Longer than any ingest or promotion takes."""
    detection: DetectionSettings = DetectionSettings()
    metrics: MetricsSettings = MetricsSettings()
    stack: StackSettings = StackSettings()
    control: ControlSettings
    identity: IdentitySettings
    roles: dict[Name, RoleSettings] = Field(min_length=1)
    """The access matrix."""
    dagster: DagsterSettings = DagsterSettings()
    api: ApiSettings = ApiSettings()
    notifications: NotificationSettings = NotificationSettings()
    automation: AutomationSettings = AutomationSettings()
    schedules: SchedulesSettings = SchedulesSettings()
    environments: dict[Name, EnvironmentSettings] = Field(min_length=1)
    paths: dict[str, PathSettings] = {}

    @model_validator(mode="before")
    @classmethod
    def _name_entries(cls, data: Any) -> Any:
        """Give each environment and path the name that its key already says."""
        if not isinstance(data, dict):
            return data
        named = dict(data)
        named["environments"] = {
            name: {**entry, "name": name} for name, entry in dict(data.get("environments") or {}).items()
        }
        named["paths"] = {
            path: {**entry, **dict(zip(("source", "target"), path.split("->"), strict=False))}
            for path, entry in dict(data.get("paths") or {}).items()
        }
        return named

    @model_validator(mode="after")
    def _check_roles(self) -> "Settings":
        for name, role in self.roles.items():
            if unknown := {*role.enters, *role.test_accounts, *role.gives_reason} - self.environments.keys():
                raise ValueError(f"the role {name} names {', '.join(sorted(unknown))}, which is not configured")
            if unknown := set(role.given_by) - self.roles.keys():
                raise ValueError(f"the role {name} is given by {', '.join(sorted(unknown))}, which is no role")
        return self

    @model_validator(mode="after")
    def _check_groups(self) -> "Settings":
        groups = {} if self.identity.oidc is None else self.identity.oidc.groups
        for group, roles in groups.items():
            for environment, role in roles.items():
                if role not in self.roles or environment not in self.roles[role].enters:
                    raise ValueError(
                        f"the group {group} gives the role {role} in {environment}, which cannot be held there"
                    )
        return self

    @model_validator(mode="after")
    def _check_automation(self) -> "Settings":
        asked = [path.name for path in self.paths.values() if path.request or path.auto_promote_after_tests]
        if self.automation.preview_after_minutes is not None:
            asked.append("automation.preview_after_minutes")
        if asked and self.automation.person is None:
            raise ValueError(f"{', '.join(asked)} asks by itself, and automation.person does not say as whom")
        return self

    @model_validator(mode="after")
    def _check_together(self) -> "Settings":
        for path in self.paths.values():
            for end in (path.source, path.target):
                if end not in self.environments:
                    raise ValueError(f"the path {path.name} names the environment {end}, which is not configured")
            if path.source == path.target:
                raise ValueError(f"the path {path.name} leads nowhere")
        if self.default_bucket not in self.buckets:
            raise ValueError(f"default_bucket {self.default_bucket} is not among the buckets")
        if self.default_collection not in self.collections:
            raise ValueError(f"default_collection {self.default_collection} is not among the collections")
        if self.detection.sample_environment not in {None, *self.environments}:
            raise ValueError(f"detection.sample_environment {self.detection.sample_environment} is not configured")
        if self.metrics.environment not in {None, *self.environments}:
            raise ValueError(f"metrics.environment {self.metrics.environment} is not configured")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources of the settings, the strongest first."""
        return init_settings, Variables(settings_cls), MountedSecrets(settings_cls), Files(settings_cls)

    @property
    def sample_environment(self) -> str:
        """In whose rows a new pattern is tried."""
        return self.detection.sample_environment or list(self.environments)[-1]

    def secrets(self) -> frozenset[str]:
        """Every secret among the settings, and what Dagster got of its own: what no log may repeat."""
        return frozenset(_secrets(self)) | dagster_secrets()

    @property
    def key_directory(self) -> Path:
        """The folder of the keys that sign and verify tokens.

        Raises:
            BadSettings: none is configured.
        """
        if self.identity.keys is not None:
            return self.identity.keys
        if self.stack.embedded:
            return self.stack.directory / "stack" / "keys"
        raise BadSettings(message="identity.keys names no folder, so nothing can be signed or verified here")

    @property
    def api_url(self) -> str:
        """Where people reach the API and its page."""
        return self.api.url or self.identity.issuer

    def environment(self, name: str) -> EnvironmentSettings:
        """The environment of that name.

        Raises:
            UnknownEnvironment: there is none.
        """
        try:
            return self.environments[name]
        except KeyError:
            raise UnknownEnvironment(name=name, known=sorted(self.environments)) from None

    def path(self, source: str, target: str) -> PathSettings:
        """The policy of the path from `source` to `target`.

        Raises:
            UnknownEnvironment: one of the two is not configured.
            PathRefused: both are, and nothing may go that way.
        """
        self.environment(source)
        self.environment(target)
        try:
            return self.paths[path_name(source, target)]
        except KeyError:
            raise PathRefused(source=source, target=target, allowed=sorted(self.paths)) from None


def load(**overrides: Any) -> Settings:
    """Read the settings from all their sources; `overrides` win over every one of them.

    Raises:
        BadSettings: a file is missing or malformed, or a value is missing or wrong. Secret values are never repeated.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in each['loc']) or 'settings'}: {each['msg']}" for each in error.errors()[:8]
        )
        hint = "" if _stack_is_up(overrides) else " (is the embedded stack set up? 'wisqu up' does it)"
        raise BadSettings(message=problems + hint) from None


def decision_url(api_url: str, *thing: object) -> str:
    """The page on which people decide on something: `promotions` and its id, `sweeps`, environment and id, or
    `erasures` and its id.
    """
    return "/".join([f"{api_url}{APPROVALS}", *map(str, thing)])


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets(each)


def _stack_is_up(overrides: Mapping[str, Any]) -> bool:
    stack = Files.read().get("stack", {}) | dict(overrides.get("stack", {}))
    return not stack.get("embedded") or StackSettings(**stack).settings_file.exists()
