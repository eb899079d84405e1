"""What a database looks like to Postgres itself, as lines that can be compared."""

import psycopg

QUERIES = (
    """
    SELECT 'column', table_name, column_name, udt_name, character_maximum_length::text, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public'
    """,
    """
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('n', 't')
    """,
    "SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    """
    SELECT 'table', relname, array_to_string(reloptions, ' ') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    """,
)
BEHAVIOUR = (
    """
    SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    """,
    "SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
)


def shape(connection: psycopg.Connection, *, behaviour: bool = True) -> set[tuple[str | None, ...]]:
    """Every column, constraint, index, setting, trigger and function of the public schema; without Alembic's."""
    queries = QUERIES + BEHAVIOUR if behaviour else QUERIES
    lines = {tuple(row) for query in queries for row in connection.execute(query.encode()).fetchall()}
    return {line for line in lines if line[1] != "alembic_version"}
