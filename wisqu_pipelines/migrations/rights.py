"""What the application's role may do: no more than the application does, and nothing to the past."""

from sqlalchemy import Connection, inspect, text

from wisqu_pipelines.audit.chain import CONTROL_CHAINS, ENVIRONMENT_CHAINS, table_of
from wisqu_pipelines.audit.models import AuditCheckpoint, EnvironmentChainHead, Restore
from wisqu_pipelines.automation.models import CiResult
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.detection.models import DetectorException, DetectorModel, DetectorPattern, DetectorProposal
from wisqu_pipelines.environments.models import EnvironmentMarker, RegisteredEnvironment
from wisqu_pipelines.erasure.models import Erasure
from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.holds.models import LegalHold
from wisqu_pipelines.identity.models import (
    AccessGrant,
    CentralUser,
    ExternalIdentity,
    LoginSession,
    Notice,
    RefreshToken,
    TokenCutoff,
)
from wisqu_pipelines.migrations.histories import HISTORIES, metadata_of
from wisqu_pipelines.migrations.waiting import wait_for_turn
from wisqu_pipelines.notifications.models import Notification
from wisqu_pipelines.promotion.freeze_models import FreezeOverride, FreezeWindow, PathHold
from wisqu_pipelines.promotion.models import Promotion, PromotionApproval, PromotionItem
from wisqu_pipelines.retention.models import Sweep, SweepItem

READ = "SELECT"
APPEND = "SELECT, INSERT"
KEEP = "SELECT, INSERT, UPDATE"
CHANGE = "SELECT, INSERT, UPDATE, DELETE"

EXCEPTIONS = {
    "alembic_version": READ,
    EnvironmentMarker.__tablename__: READ,
    RegisteredEnvironment.__tablename__: READ,
    AuditCheckpoint.__tablename__: APPEND,
    Restore.__tablename__: KEEP,
    **{table_of(chain).name: APPEND for chain in (*ENVIRONMENT_CHAINS, *CONTROL_CHAINS)},
    EnvironmentChainHead.__tablename__: KEEP,
    Sweep.__tablename__: KEEP,
    SweepItem.__tablename__: KEEP,
    LegalHold.__tablename__: KEEP,
    Erasure.__tablename__: KEEP,
    CentralUser.__tablename__: KEEP,
    AccessGrant.__tablename__: KEEP,
    ExternalIdentity.__tablename__: APPEND,
    LoginSession.__tablename__: KEEP,
    RefreshToken.__tablename__: KEEP,
    TokenCutoff.__tablename__: KEEP,
    CiResult.__tablename__: KEEP,
    Notice.__tablename__: APPEND,
    Notification.__tablename__: KEEP,
    Promotion.__tablename__: KEEP,
    PromotionItem.__tablename__: APPEND,
    PromotionApproval.__tablename__: KEEP,
    FreezeWindow.__tablename__: KEEP,
    FreezeOverride.__tablename__: KEEP,
    PathHold.__tablename__: KEEP,
    DetectorPattern.__tablename__: KEEP,
    DetectorException.__tablename__: KEEP,
    DetectorModel.__tablename__: KEEP,
    DetectorProposal.__tablename__: KEEP,
}
"""The tables on which the application's role may not do all of `CHANGE`; on a table that no model declares it may do
nothing."""


def grant(database: Database, app_user: str) -> None:
    """Give the application's role its rights on the tables that are there, and take all others away. Can be repeated.

    Args:
        database: The database, as the role that owns its tables.
        app_user: The role that the application works as.

    Raises:
        BadSettings: there is no such role, or it is the owner itself.
    """
    with database.begin() as session:
        connection = session.connection()
        wait_for_turn(connection)
        _check_role(connection, database.name, app_user)
        quote = connection.dialect.identifier_preparer.quote_identifier
        schema, role = quote(str(connection.dialect.default_schema_name)), quote(app_user)
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {role}"))
        connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}"))
        for table in sorted(inspect(connection).get_table_names()):
            rights = _rights(table)
            if rights is not None:
                connection.execute(text(f"GRANT {rights} ON {schema}.{quote(table)} TO {role}"))


def _rights(table: str) -> str | None:
    known = any(table in metadata_of(history).tables for history in HISTORIES)
    return EXCEPTIONS.get(table, CHANGE if known else None)


def _check_role(connection: Connection, database: str, app_user: str) -> None:
    if connection.scalar(text("SELECT current_user")) == app_user:
        raise BadSettings(
            message=f"the role {app_user} owns the tables of {database}, so the application must not be it"
        )
    if connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": app_user}) is None:
        raise BadSettings(message=f"the server of {database} has no role {app_user}")
