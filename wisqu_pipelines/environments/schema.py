"""Which revision of its schema a database must stand at, so that a forgotten upgrade is told before the first use and
not by a missing column in the middle of something.
"""

from collections.abc import Mapping

from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from wisqu_pipelines.errors import SchemaDiffers

CONTROL_REVISION = "control_0011"
ENVIRONMENT_REVISION = "environment_0011"
REVISIONS: Mapping[str, str] = {"control": CONTROL_REVISION, "environment": ENVIRONMENT_REVISION}
"""The newest revision of each history of migrations."""
VERSIONS = table("alembic_version", column("version_num"))


def require(session: Session, database: str, wanted: str) -> None:
    """Make sure that a database stands at a revision.

    Args:
        session: Of that database.
        database: What it is called in the error.
        wanted: The revision.

    Raises:
        SchemaDiffers: it stands at another one, or at none.
    """
    found = session.scalar(select(VERSIONS.c.version_num)) if has_table(session, VERSIONS.name) else None
    if found != wanted:
        raise SchemaDiffers(database=database, found=found or "no revision", wanted=wanted)


def has_table(session: Session, name: str) -> bool:
    """Whether a database has a table."""
    return session.scalar(select(func.to_regclass(name))) is not None
