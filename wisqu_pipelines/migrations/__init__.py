"""The schema's two Alembic histories: the control database's, and the one that every environment has."""

from wisqu_pipelines.migrations.histories import History, metadata_of
from wisqu_pipelines.migrations.rights import grant
from wisqu_pipelines.migrations.runner import current, downgrade, upgrade

__all__ = ["History", "current", "downgrade", "grant", "metadata_of", "upgrade"]
