"""The policy of a promotion path, and when something is done again and again."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator

from wisqu_pipelines.settings.sections import Name, Section
from wisqu_pipelines.settings.stores import TransferSettings


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


def path_name(source: str, target: str) -> str:
    """A path as people write it: `dev->stage`."""
    return f"{source}->{target}"


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
        """The path's name."""
        return path_name(self.source, self.target)

    @property
    def approval_lifetime(self) -> timedelta:
        """How long an approval counts."""
        return timedelta(hours=self.approval_hours)
