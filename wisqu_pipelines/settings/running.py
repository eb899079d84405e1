"""What runs by itself, and whom it tells: detection, metrics, Dagster, notifications, automation."""

from datetime import date

from pydantic import Field, SecretStr

from wisqu_pipelines.settings.paths import ScheduleSettings
from wisqu_pipelines.settings.sections import Name, Section


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


class DagsterDatabase(Section):
    """Dagster's own database. Its address and its account are Dagster's business (`WISQU_DAGSTER_POSTGRES_URL`), and no
    other process has its password.
    """

    name: str = "wisqu_dagster"
    """What the embedded stack calls it."""


class DagsterSettings(Section):
    """What the embedded stack makes for Dagster, and how its UI is reached."""

    database: DagsterDatabase = DagsterDatabase()
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

    targets: dict[Name, NotificationTarget] = Field(default_factory=dict)
    templates: dict[Name, NotificationTemplate] = Field(default_factory=dict)
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
    promotion_lapse: ScheduleSettings = ScheduleSettings(cron="30 0 * * *")
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
    lapse_days: int = Field(default=30, gt=0)
    """How long a promotion may wait for a decision, or for its run, since its plan was made; then it is refused."""
    ci_secret: SecretStr | None = None
    """The key with which CI signs its results; None: none are taken."""
