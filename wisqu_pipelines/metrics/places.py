"""Where snapshots and reports lie in a bucket: beside the files of items, and needed by no row."""

import re
from datetime import date

SNAPSHOTS = "metrics"
REPORTS = "reports"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
OURS = rf"^({SNAPSHOTS}/[a-z_]+/date={_DATE}/snapshot\.parquet|{REPORTS}/{_DATE}-[0-9]+d\.html)$"
"""How the key of such an object looks, for Postgres and for Python: the storage audit knows them by it."""
_DAY = re.compile(r"/date=(\d{4}-\d{2}-\d{2})/")


def snapshots(name: str) -> str:
    """What the keys of a metric's snapshots begin with."""
    return f"{SNAPSHOTS}/{name}/"


def snapshot(name: str, day: date) -> str:
    """The key of a metric's snapshot of a day; tools that know Hive partitions read `date` as a column."""
    return f"{snapshots(name)}date={day.isoformat()}/snapshot.parquet"


def report(day: date, days: int) -> str:
    """The key of the report that was made on a day over the days before it."""
    return f"{REPORTS}/{day.isoformat()}-{days}d.html"


def day_of(key: str) -> date | None:
    """The day of a snapshot, or None if the key is none of ours."""
    found = _DAY.search(key) if re.match(OURS, key) else None
    if found is None:
        return None
    try:
        return date.fromisoformat(found[1])
    except ValueError:
        return None
