"""Which revision of its schema a database must stand at, so that a forgotten upgrade is told before the first use and
not by a missing column in the middle of something.
"""

from collections.abc import Mapping

from sqlalchemy import column, inspect, select, table
from sqlalchemy.orm import Session

from wisqu_pipelines.errors import SchemaDiffers

CONTROL_REVISION = "control_0010"
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
    connection = session.connection()
    if not inspect(connection).has_table(VERSIONS.name):
        raise SchemaDiffers(database=database, found="no revision", wanted=wanted)
    found = connection.scalar(select(VERSIONS.c.version_num))
    if found != wanted:
        raise SchemaDiffers(database=database, found=found or "no revision", wanted=wanted)
