"""The settings: which environments there are, where their stores are, and what may be promoted between them.

Read from `wisqu.toml` (or the file that `WISQU_CONFIG` names), then from what `wisqu up` wrote for the embedded stack,
then from `WISQU_…` variables and the files that `WISQU_…_FILE` variables name; the later source wins. An environment is
an entry in that file and never a name in the code.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import URL

from wisqu_pipelines.errors import BadSettings, PathRefused, UnknownEnvironment

CONFIG_VARIABLE = "WISQU_CONFIG"
DEFAULT_CONFIG = "wisqu.toml"
PREFIX = "WISQU_"
APPROVALS = "/approvals"
"""The path of the page on which people decide."""
DELIMITER = "__"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
BucketBase = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}[a-z0-9]$")]


class Section(BaseModel):
    """A part of the settings; an unknown key is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(Section):
    """One Postgres database, with the role that works in it and the role that owns its tables."""

    name: str
    host: str = "127.0.0.1"
    port: int = 5432
    user: str
    password: SecretStr
    owner_user: str | None = None
    """The role that migrates and sets up; only `wisqu env init` and Alembic use it."""
    owner_password: SecretStr | None = None
    ssl_mode: str = "prefer"

    def url(self, *, owner: bool = False, driver: str = "postgresql+psycopg") -> URL:
        """The SQLAlchemy URL of this database, for the working role or for the owner.

        Raises:
            BadSettings: the owner is asked for and not configured.
        """
        user, password = (self.owner_user, self.owner_password) if owner else (self.user, self.password)
        if user is None or password is None:
            raise BadSettings(message=f"the database {self.name} has no owner_user and owner_password")
        return URL.create(
            driver, user, password.get_secret_value(), self.host, self.port, self.name, {"sslmode": self.ssl_mode}
        )


class ObjectStoreSettings(Section):
    """One environment's S3 account."""

    endpoint: str
    """Host and port, without a scheme."""
    access_key: str
    secret_key: SecretStr
    secure: bool = True
    region: str = "us-east-1"


class TransferSettings(Section):
    """An S3 account that reads a path's source buckets and writes its target buckets: for copies inside the server."""

    access_key: str
    secret_key: SecretStr


class VectorIndexSettings(Section):
    """One environment's Qdrant server."""

    url: str
    api_key: SecretStr


class CacheDatabases(Section):
    """The numbers of an environment's Redis databases."""

    cache: int
    sessions: int
    limits: int


class CacheSettings(Section):
    """One environment's Redis account."""

    host: str = "127.0.0.1"
    port: int = 6379
    username: str
    password: SecretStr
    tls: bool = False
    databases: CacheDatabases


class RetentionSettings(Section):
    """How long an environment keeps what nobody promoted."""

    days: int = Field(gt=0)
    types: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """Days for types that are kept for another time: `rag_documents`, …"""
    automatic: bool
    """Whether schedules may sweep; if not, a person starts a sweep, and another one approves it."""
    test_data_days: int = Field(default=7, gt=0)
    grace_days: int = Field(default=30, gt=0)
    """How long what was hidden can be restored."""
    most_rows: int = Field(default=10_000, gt=0)
    """Of one type in one sweep, without `--force`."""
    most_share: float = Field(default=0.5, gt=0, le=1)
    """Of the rows of one type in one sweep, without `--force`."""
    always_rows: int = Field(default=100, ge=0)
    """So many rows may go, whatever share of a small table they are."""


class TestDataSettings(Section):
    """From which scores on detection asks a person, and marks by itself."""

    __test__ = False  # pytest takes it for one of its own

    review: float = Field(default=0.6, gt=0)
    mark: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _check_order(self) -> "TestDataSettings":
        if self.review > self.mark:
            raise ValueError(f"review ({self.review}) must not be above mark ({self.mark})")
        return self


class DetectionSettings(Section):
    """How test data is found, in every environment alike."""

    organisation: Name = "wisqu"
    """Whose patterns, exceptions and model count."""
    learns: bool = True
    """Whether what was learnt from people's marks has a say."""
    scans_from: date = date(2024, 1, 1)
    """The month of the first partition of scans, which also holds everything older."""
    chunk_share: float = Field(default=0.1, ge=0, le=1)
    """Of how many of the documents that look real by their names a chunk is read as well."""
    sample_environment: Name | None = None
    """In whose rows a new pattern is tried before it counts; the last one that is declared if it is not given."""
    sample_rows: int = Field(default=2_000, gt=0)
    """Of each table, in such a trial."""
    sample_share: float = Field(default=0.02, gt=0, le=1)
    """Of how many rows of the sample a new pattern may match."""


class MetricsSettings(Section):
    """What metrics look at, and for how long their snapshots are kept."""

    days: int = Field(default=30, gt=0, le=3650)
    """How far back metrics look that tell of what happened."""
    keep_days: int = Field(default=730, gt=0)
    """How long a snapshot is kept. Snapshots of `access` and `actions` name people."""
    environment: Name | None = None
    """In whose bucket lie the control database's snapshots and the reports, which tell of all environments; the last
    one that is declared if it is not given."""


class EnvironmentSettings(Section):
    """One environment: its stores and its rules."""

    name: Name
    domain: str
    excludes_test_data: bool = False
    """Whether reads in this environment leave marked test data out."""
    database: DatabaseSettings
    object_store: ObjectStoreSettings
    vector_index: VectorIndexSettings
    cache: CacheSettings
    retention: RetentionSettings
    test_data: TestDataSettings = TestDataSettings()

    def get_bucket_name(self, base_bucket: str) -> str:
        """The bucket of this environment for a base name: `{environment}-{base}`."""
        return f"{self.name}-{base_bucket}"

    def get_collection_name(self, base_collection: str) -> str:
        """The vector collection of this environment for a base name: `{base}_{environment}`."""
        return f"{base_collection}_{self.name}"


class CollectionSettings(Section):
    """What every environment's copy of a vector collection must be."""

    dimension: int = Field(gt=0, le=65_536)
    distance: Literal["Cosine", "Dot", "Euclid", "Manhattan"] = "Cosine"


class ScheduleSettings(Section):
    """When something is done again and again."""

    cron: str
    """Five fields."""
    time_zone: str = "UTC"
    """By whose clocks: an IANA name."""
    enabled: bool = True

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str) -> str:
        try:
            CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise ValueError(f"'{cron}' is no cron expression: {error}") from None
        if len(cron.split()) != 5:
            raise ValueError(f"'{cron}' is no cron expression of five fields")
        return cron

    @field_validator("time_zone")
    @classmethod
    def _check_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone '{name}'") from None
        return name


class PathSettings(Section):
    """The policy of one promotion path."""

    source: Name
    target: Name
    approver_roles: tuple[str, ...] = Field(min_length=1)
    """Roles, held in the target environment, whose approval counts."""
    approvals: int = Field(ge=1)
    """How many people must approve."""
    self_approval: bool
    """Whether who asked for the promotion may approve it."""
    approval_hours: int = Field(gt=0)
    on_item_error: Literal["abort", "skip"] = "abort"
    """What an item that cannot be staged does: end the promotion, or stay behind and be counted."""
    verify: Literal["off", "sample", "full"] = "full"
    """How much of what was promoted is read back and compared: nothing but counts, a sample, or all of it."""
    on_verification_failure: Literal["roll_back", "report"] = "roll_back"
    """What a published promotion does that does not pass: it is taken back at once, or it stays and is reported. Either
    way nothing more goes along the path until a person releases it."""
    rollback_days: int = Field(default=30, gt=0)
    """How long after its end a promotion can be taken back; until then what it replaced is kept."""
    transfer: TransferSettings | None = None
    request: ScheduleSettings | None = None
    """When everything that is approved is asked for by itself; a person approves it as always."""
    auto_promote_after_tests: bool = False
    """Whether a preview is made when CI's tests have passed, and approved where the automation's account may do so."""
    test_suites: tuple[str, ...] = ()
    """Which suites must have passed for a commit; none are named: any one."""

    @property
    def name(self) -> str:
        """The path as people write it: `dev->stage`."""
        return f"{self.source}->{self.target}"

    @property
    def approval_lifetime(self) -> timedelta:
        """How long an approval counts."""
        return timedelta(hours=self.approval_hours)


class ControlSettings(Section):
    """The control database: people, promotions, approvals. No environment owns it."""

    database: DatabaseSettings


class LimitsSettings(Section):
    """The Redis database in which the identity service counts attempts to log in."""

    host: str = "127.0.0.1"
    port: int = 6379
    username: str
    password: SecretStr
    tls: bool = False
    database: int


class RoleSettings(Section):
    """One row of the access matrix: which environments a role may be given in, and what it may do there."""

    enters: tuple[Name, ...] = Field(min_length=1)
    """Where a person may be given this role."""
    test_accounts: tuple[Name, ...] = ()
    """Where it makes test accounts."""
    gives_reason: tuple[Name, ...] = ()
    """Where it says why it enters."""
    given_by: tuple[Name, ...] = Field(min_length=1)
    """Which roles, held in the same environment, give it to people and take it from them."""


class OidcSettings(Section):
    """Another identity provider, through which people log in."""

    issuer: str = Field(pattern=r"^https?://[^?#]+$")
    client_id: str
    client_secret: SecretStr | None = None
    """None: a public client."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = "groups"
    """Which claim of the ID token names a person's groups."""
    groups: dict[str, dict[Name, Name]] = {}
    """Group → environment → role. Where any group is named, the provider decides on all lasting roles of its people."""
    creates_people: bool = False
    """Whether somebody who is not known here becomes known with their first login."""


class IdentitySettings(Section):
    """The identity service: who people are, and the tokens that say so."""

    issuer: str = Field(pattern=r"^https?://[^/?#]+$")
    """Its address; each environment's tokens have an issuer of their own below it."""
    keys: Path | None = None
    """The folder of its keys. The embedded stack has one of its own."""
    access_minutes: int = Field(default=10, gt=0, le=60)
    environment_minutes: int = Field(default=15, gt=0, le=15)
    refresh_days: int = Field(default=14, gt=0, le=90)
    attempts: int = Field(default=5, gt=0)
    """Wrong passwords for one account before the next one has to wait, longer each time."""
    attempts_by_address: int = Field(default=100, gt=0)
    """Attempts from one network address in an hour."""
    longest_visit_hours: int = Field(default=24, gt=0)
    """For how long access may be asked for, where it does not last."""
    passwords: bool = True
    """Whether people may log in with a password; False: only through the other provider."""
    oidc: OidcSettings | None = None
    limits: LimitsSettings | None = None
    """None: attempts are counted in this process's memory, which is right for one process only."""


class ApiSettings(Section):
    """The REST API, and the page for approvers."""

    port: int = 8_400
    """Where the embedded stack has it, if that is free."""
    url: str | None = Field(default=None, pattern=r"^https?://[^?#]+[^/?#]$")
    """Where people reach it; None: at the issuer of identities."""


class DagsterSettings(Section):
    """Where Dagster keeps its runs and its logs, and how it is reached."""

    database: DatabaseSettings
    logs: ObjectStoreSettings | None = None
    logs_bucket: str = "dagster-logs"
    port: int = 3000
    url: str | None = None
    """Where people reach the Dagster UI; None: on this machine."""
    docs: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """Where people read the files of the folder `docs`, as `https://git.example.org/wisqu/docs`: assets link there."""

    def run_url(self, run_id: str) -> str:
        """The page of a run."""
        return f"{self.url or f'http://127.0.0.1:{self.port}'}/runs/{run_id}"


class NotificationTarget(Section):
    """Somewhere that messages go."""

    url: SecretStr
    """An address as Apprise writes it: `mailto://…`, `slack://…`, `tgram://…`, `jsons://…`. In it
    `{address}` stands for the mail address of the one person whom a message is for."""
    events: tuple[Name, ...] = ()
    """Which events go there; none are named: all."""


class NotificationTemplate(Section):
    """Other words for an event."""

    title: str = Field(min_length=1, max_length=200)
    body: str = Field(min_length=1, max_length=4_000)


class NotificationSettings(Section):
    """Whom to tell what."""

    targets: dict[Name, NotificationTarget] = {}
    templates: dict[Name, NotificationTemplate] = {}
    quiet_minutes: int = Field(default=60, gt=0)
    """For so long there is no second message of the same cause."""
    account_ends_hours: int = Field(default=4, gt=0)
    """How long before a test account ends its developer is told."""


class SchedulesSettings(Section):
    """When Dagster does by itself what nobody has to ask for."""

    retention: ScheduleSettings = ScheduleSettings(cron="0 2 * * *")
    test_account_expiry: ScheduleSettings = ScheduleSettings(cron="5 * * * *")
    storage_audit: ScheduleSettings = ScheduleSettings(cron="0 3 * * SUN")
    inventory: ScheduleSettings = ScheduleSettings(cron="30 1 * * *")
    audit_verification: ScheduleSettings = ScheduleSettings(cron="0 4 1 * *")
    run_purge: ScheduleSettings = ScheduleSettings(cron="30 4 * * *")
    metrics: ScheduleSettings = ScheduleSettings(cron="0 4 * * *")
    report: ScheduleSettings = ScheduleSettings(cron="0 6 * * MON")


class AutomationSettings(Section):
    """What happens along the paths without anybody at the keyboard."""

    person: str | None = None
    """The address of the account that asks and approves then. It has roles as people have, given as people's are, and
    no password; the rules of the paths hold for it as for everybody."""
    preview_after_minutes: int | None = Field(default=None, gt=0)
    """How long items have to be approved, and no more of them, until a preview is made; None: never."""
    ci_secret: SecretStr | None = None
    """The key with which CI signs its results; None: none are taken."""


class StackSettings(Section):
    """The embedded stack of a laptop, a demo or a test."""

    embedded: bool = False
    directory: Path = Path("var")

    @property
    def settings_file(self) -> Path:
        """Where `wisqu up` writes addresses and secrets of the stores that it started (mode 0600)."""
        return self.directory / "stack" / "settings.toml"


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
    dagster: DagsterSettings
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
        return init_settings, _Variables(settings_cls), _MountedSecrets(settings_cls), _Files(settings_cls)

    @property
    def sample_environment(self) -> str:
        """In whose rows a new pattern is tried."""
        return self.detection.sample_environment or list(self.environments)[-1]

    def secrets(self) -> frozenset[str]:
        """Every secret among the settings: what no log may repeat."""
        return frozenset(_secrets(self))

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
            return self.paths[f"{source}->{target}"]
        except KeyError:
            raise PathRefused(source=source, target=target, allowed=sorted(self.paths)) from None


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets(each)


@dataclass(frozen=True, slots=True)
class Declared:
    """Which environments and paths there are, in the order of the file."""

    environments: tuple[str, ...]
    paths: tuple[tuple[str, str], ...]
    """Source and target of each path on which something may be promoted."""
    scans_from: date
    """The month of the first partition of scans for test data."""
    swept: tuple[str, ...] = ()
    """The environments that schedules sweep by their retention policy."""
    schedules: SchedulesSettings = field(default_factory=SchedulesSettings)
    requests: tuple[tuple[str, str, ScheduleSettings], ...] = ()
    """Source and target of each path along which what is approved is asked for, and when."""
    approvals_url: str | None = None
    """The page of what waits for a decision."""
    docs_url: str | None = None

    def sources_of(self, target: str) -> tuple[str, ...]:
        """The environments from which something may be promoted to `target`."""
        return tuple(source for source, end in self.paths if end == target)


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


def declared() -> Declared:
    """The names of the environments and paths, without their addresses and secrets: enough to describe an installation
    whose stores are not set up yet.

    Raises:
        BadSettings: a file is missing or malformed.
    """
    sources = (_Files(Settings), _MountedSecrets(Settings), EnvSettingsSource(Settings))
    values: dict[str, Any] = {}
    for source in sources:
        values = _merged(values, source())
    reached = (values.get("api") or {}).get("url") or (values.get("identity") or {}).get("issuer")
    return Declared(
        environments=tuple(values.get("environments") or ()),
        paths=tuple(
            (source, target) for source, _, target in (path.partition("->") for path in values.get("paths") or ())
        ),
        scans_from=_section(DetectionSettings, "detection", values.get("detection") or {}).scans_from,
        swept=tuple(
            name
            for name, about in (values.get("environments") or {}).items()
            if str((about.get("retention") or {}).get("automatic", False)).lower() in {"1", "true", "yes", "on"}
        ),
        schedules=_section(SchedulesSettings, "schedules", values.get("schedules") or {}),
        requests=tuple(
            (*path.split("->", 1), _section(ScheduleSettings, f"paths.{path}.request", about["request"]))
            for path, about in (values.get("paths") or {}).items()
            if about.get("request")
        ),
        approvals_url=f"{reached}{APPROVALS}" if reached else None,
        docs_url=(values.get("dagster") or {}).get("docs"),
    )


Model = TypeVar("Model", bound=Section)


def _section(model: type[Model], name: str, values: Mapping[str, Any]) -> Model:
    try:
        return model(**values)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])
        raise BadSettings(message=f"{name}: {said}") from None


def config_file() -> Path:
    """The file in which the environments are declared."""
    return Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))


def declaration() -> dict[str, Any]:
    """What that file says, as it stands there: what the embedded stack is made from before there are secrets.

    Raises:
        BadSettings: the file is missing or malformed.
    """
    return _Files.declared()


def _stack_is_up(overrides: Mapping[str, Any]) -> bool:
    stack = _Files.read().get("stack", {}) | dict(overrides.get("stack", {}))
    return not stack.get("embedded") or StackSettings(**stack).settings_file.exists()


class _Files(PydanticBaseSettingsSource):
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
            return _merged(declared, _toml(written))
        return declared

    def __call__(self) -> dict[str, Any]:
        return self.read()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("read as a whole")


class _Variables(EnvSettingsSource):
    """`WISQU_…`, but not the variables that only name a mounted file."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        loaded = super()._load_env_vars()
        return {name: value for name, value in loaded.items() if not name.lower().endswith("_file")}


class _MountedSecrets(PydanticBaseSettingsSource):
    """`WISQU_…_FILE`: the value is what the named file holds, without the line end."""

    def __call__(self) -> dict[str, Any]:
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
                values = _merged(values, nested)
        return values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("read as a whole")


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise BadSettings(message=f"there is no settings file {path} (set {CONFIG_VARIABLE} to its path)") from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(message=f"the settings file {path} cannot be read ({error})") from None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above` over it, section by section."""
    merged = dict(below)
    for key, value in above.items():
        standing = merged.get(key)
        merged[key] = _merged(standing, value) if isinstance(standing, dict) and isinstance(value, dict) else value
    return merged
