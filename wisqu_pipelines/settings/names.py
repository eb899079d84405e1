"""Which environments, paths and schedules there are: what is known before any store is set up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from pydantic import ValidationError

from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.settings.paths import ScheduleSettings
from wisqu_pipelines.settings.running import DetectionSettings, SchedulesSettings
from wisqu_pipelines.settings.sections import Section
from wisqu_pipelines.settings.sources import Files, MountedSecrets, Variables, merged
from wisqu_pipelines.settings.whole import APPROVALS, Settings


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


def declared() -> Declared:
    """The names of the environments and paths, without their addresses and secrets: enough to describe an installation
    whose stores are not set up yet.

    Raises:
        BadSettings: a file is missing or malformed.
    """
    sources = (Files(Settings), MountedSecrets(Settings), Variables(Settings))
    values: dict[str, Any] = {}
    for source in sources:
        values = merged(values, source())
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
