"""What the application's role may do, and what nobody may."""

from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from tests.database.postgres import Postgres
from wisqu_pipelines import migrations
from wisqu_pipelines.audit.models import EnvironmentChainHead
from wisqu_pipelines.catalog.models import PromotionBeforeImage
from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.migrations import History

ALL = {"SELECT", "INSERT", "UPDATE", "DELETE"}
APPEND = {"SELECT", "INSERT"}
KEEP = {"SELECT", "INSERT", "UPDATE"}
AUDIT: list[tuple[History, str]] = [
    ("environment", "environment_promotions"),
    ("environment", "environment_access_logs"),
    ("environment", "developer_actions"),
    ("control", "environment_access_log"),
    ("control", "audit_checkpoints"),
]
WANTED: dict[History, dict[str, set[str]]] = {
    "environment": {
        "alembic_version": {"SELECT"},
        "audit_chain_heads": KEEP,
        "conversations": ALL,
        "developer_actions": APPEND,
        "environment_access_logs": APPEND,
        "environment_promotions": APPEND,
        "messages": ALL,
        "legal_holds": KEEP,
        "promotion_before_images": ALL,
        "retention_items": KEEP,
        "retention_sweeps": KEEP,
        "rag_documents": ALL,
        "storage_listings": ALL,
        "storage_orphans": ALL,
        "store_marker": {"SELECT"},
        "stored_files": ALL,
        "test_data_marks": ALL,
        "test_data_reviews": ALL,
        "test_data_scans": ALL,
        "user_storage_quotas": ALL,
        "users": ALL,
    },
    "control": {
        "alembic_version": {"SELECT"},
        "audit_chain_heads": KEEP,
        "audit_checkpoints": APPEND,
        "central_users": KEEP,
        "access_grants": KEEP,
        "external_identities": APPEND,
        "idempotency_keys": ALL,
        "login_sessions": KEEP,
        "notices": APPEND,
        "ci_results": KEEP,
        "notifications": KEEP,
        "refresh_tokens": KEEP,
        "token_cutoffs": KEEP,
        "detector_exceptions": KEEP,
        "detector_models": KEEP,
        "detector_patterns": KEEP,
        "detector_proposals": KEEP,
        "environment_access_log": APPEND,
        "erasures": KEEP,
        "environments": {"SELECT"},
        "freeze_overrides": KEEP,
        "freeze_windows": KEEP,
        "path_holds": KEEP,
        "promotion_approvals": KEEP,
        "promotion_items": APPEND,
        "promotion_journal": ALL,
        "promotions": KEEP,
        "restores": KEEP,
        "store_marker": {"SELECT"},
    },
}


@pytest.mark.parametrize("history", list(WANTED))
def test_the_application_may_do_no_more_than_it_does(postgres: Postgres, history: History) -> None:
    settings = postgres.migrated_database(history)
    owner = postgres.open(settings, owner=True)
    with owner.begin() as session:
        session.execute(sa.text(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{settings.user}"'))
        session.execute(sa.text("CREATE TABLE of_someone_else (x int)"))
    migrations.grant(owner, settings.user)
    with postgres.superuser(settings.name) as connection:
        assert _rights(connection, settings.user) == WANTED[history]
        row = connection.execute("SELECT has_schema_privilege(%s, 'public', 'CREATE')", (settings.user,)).fetchone()
        assert row == (False,)


@pytest.mark.parametrize(("history", "table"), AUDIT)
@pytest.mark.parametrize("act", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_nobody_changes_the_past(postgres: Postgres, history: History, table: str, act: str) -> None:
    settings = postgres.migrated_database(history)
    statement = act.format(table)
    with pytest.raises(DBAPIError, match="permission denied"), postgres.open(settings).begin() as session:
        session.execute(sa.text(statement))
    with pytest.raises(DBAPIError, match="append-only"), postgres.open(settings, owner=True).begin() as session:
        session.execute(sa.text(statement))
    with postgres.superuser(settings.name) as connection, pytest.raises(psycopg.Error, match="append-only"):
        connection.execute(statement.encode())


@pytest.mark.parametrize("history", list(WANTED))
def test_a_chain_does_not_get_shorter(postgres: Postgres, history: History) -> None:
    settings = postgres.migrated_database(history)
    app = postgres.open(settings)
    with app.begin() as session:
        session.execute(sa.text("INSERT INTO audit_chain_heads VALUES ('x', 5, 'h')"))
    for change in ({"length": 4}, {"length": 7}, {"chain": "y"}):
        with pytest.raises(DBAPIError, match="one row at a time"), app.begin() as session:
            session.execute(sa.update(EnvironmentChainHead).values(change))
    with pytest.raises(DBAPIError, match="permission denied"), app.begin() as session:
        session.execute(sa.text("DELETE FROM audit_chain_heads"))
    with pytest.raises(DBAPIError, match="append-only"), postgres.open(settings, owner=True).begin() as session:
        session.execute(sa.text("DELETE FROM audit_chain_heads"))


@pytest.mark.parametrize("owner", [False, True])
@pytest.mark.parametrize("column", ["image", "promotion_id", "item_type", "target_id"])
def test_a_before_image_stays_as_it_was_taken(postgres: Postgres, column: str, owner: bool) -> None:
    settings = postgres.migrated_database("environment")
    database = postgres.open(settings, owner=owner)
    with database.begin() as session:
        session.execute(
            sa.text("""
            INSERT INTO promotion_before_images (promotion_id, item_type, target_id, image)
            VALUES (gen_random_uuid(), 'rag_documents', gen_random_uuid(), '{"title": "old"}')
            """)
        )
    new = {"image": {"title": "new"}, "item_type": "x"}.get(column, uuid4())
    with pytest.raises(DBAPIError, match="never changed"), database.begin() as session:
        session.execute(sa.update(PromotionBeforeImage).values({column: new}))
    with database.begin() as session:  # that it was put back is all that may be added
        session.execute(sa.text("UPDATE promotion_before_images SET restored_by = gen_random_uuid()"))
        kept = session.execute(sa.text("SELECT image, restored_by FROM promotion_before_images")).one()
    assert kept.image == {"title": "old"}
    assert kept.restored_by is not None


@pytest.mark.parametrize("owner", [False, True])
def test_nobody_deletes_a_before_image_but_an_audited_erasure(postgres: Postgres, owner: bool) -> None:
    settings = postgres.migrated_database("environment")
    database = postgres.open(settings, owner=owner)
    with database.begin() as session:
        session.execute(
            sa.text("""
            INSERT INTO promotion_before_images (promotion_id, item_type, target_id, image)
            VALUES (gen_random_uuid(), 'rag_documents', gen_random_uuid(), '{"title": "old"}')
            """)
        )
    with pytest.raises(DBAPIError, match="audited erasure only"), database.begin() as session:
        session.execute(sa.text("DELETE FROM promotion_before_images"))
    with database.begin() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM promotion_before_images")) == 1


def test_a_role_may_be_called_anything(postgres: Postgres) -> None:
    settings = postgres.empty_database()
    owner = postgres.open(settings, owner=True)
    migrations.upgrade(owner, "environment")
    role = f'o\'dd "role"; -- {settings.name}'
    with postgres.superuser(settings.name) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        try:
            migrations.grant(owner, role)
            assert _rights(connection, role) == WANTED["environment"]
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_a_role_that_cannot_be_the_applications_is_refused(postgres: Postgres) -> None:
    settings = postgres.migrated_database("environment")
    owner = postgres.open(settings, owner=True)
    with pytest.raises(BadSettings, match="has no role nobody_here"):
        migrations.grant(owner, "nobody_here")
    with pytest.raises(BadSettings, match="owns the tables"):
        migrations.grant(owner, str(settings.owner_user))


def _rights(connection: psycopg.Connection, role: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    query = "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = %s"
    for table, right in connection.execute(query, (role,)).fetchall():
        found.setdefault(table, set()).add(right)
    return found
