"""The revisions of a history, as Alembic finds them."""

from alembic.script import ScriptDirectory

from wisqu_pipelines.migrations import History
from wisqu_pipelines.migrations.histories import SCRIPTS


def revisions(history: History) -> list[str]:
    """The names of a history's revisions, the oldest first."""
    scripts = ScriptDirectory(SCRIPTS, version_locations=[str(SCRIPTS / history)])
    return [each.revision for each in scripts.walk_revisions()][::-1]


def head(history: History) -> str:
    """The name of a history's newest revision."""
    return revisions(history)[-1]
