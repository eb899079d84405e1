"""The databases and their roles: each database has an owner and an application role, and lets nobody else in."""

from psycopg import Connection, sql

from wisqu_pipelines.devstack import postgres
from wisqu_pipelines.devstack.site import Site

TEMPLATE = "template1"


def owner_role(database: str) -> str:
    """The role that owns a database and its tables."""
    return f"{database}_owner"


def app_role(database: str) -> str:
    """The role that works in a database; the migrations grant it its rights on the tables."""
    return f"{database}_app"


def roles(site: Site, database: str) -> tuple[str, ...]:
    """The roles of a database. Dagster makes and keeps its tables itself, so its database has only the owner."""
    owner = owner_role(database)
    return (owner,) if database == site.declared.dagster_database else (owner, app_role(database))


def ensure(site: Site) -> None:
    """Make every database and role that is not there yet, and close them to everybody else. Can be repeated."""
    with postgres.connect(site, TEMPLATE) as template:
        template.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")  # and so in every database made from it
    with postgres.connect(site) as connection:
        for shared in (postgres.MAINTENANCE_DATABASE, TEMPLATE):
            _close(connection, shared)
        there = {str(name) for (name,) in connection.execute("SELECT datname FROM pg_database")}
        known = {str(name) for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        for database in site.declared.database_names():
            for role in roles(site, database):
                _ensure_role(connection, role, site.credentials.text(role), exists=role in known)
            if database not in there:
                create(connection, database, roles(site, database))
            let_in(connection, database, roles(site, database))


def create(
    connection: Connection[tuple[object, ...]], database: str, among: tuple[str, ...], template: str = TEMPLATE
) -> None:
    """Make a database from a template that nobody is connected to. The first of its roles owns it.

    The template's files are copied as files: without durable writes that takes a tenth of copying them through the log.
    """
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(database), sql.Identifier(among[0]), sql.Identifier(template)
        )
    )


def let_in(connection: Connection[tuple[object, ...]], database: str, among: tuple[str, ...]) -> None:
    """Let these roles, and nobody else, connect to a database."""
    _close(connection, database)
    for role in among:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(role))
        )


def _close(connection: Connection[tuple[object, ...]], database: str) -> None:
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))


def _ensure_role(connection: Connection[tuple[object, ...]], role: str, password: str, *, exists: bool) -> None:
    # Only the verifier is sent, so no statement that the server might log holds the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    verb = sql.SQL("ALTER" if exists else "CREATE")
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            verb, sql.Identifier(role), sql.Literal(verifier)
        )
    )
