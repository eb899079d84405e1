"""Databases that can be put back: every table as it was, in one round trip."""

from collections.abc import Iterable
from typing import Any

import psycopg

from wisqu_pipelines.devstack import postgres
from wisqu_pipelines.devstack.site import Site


class SavedDatabase:
    """One database, with copies of its tables in schemas of their own. Works as the superuser, past all triggers."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self._name = name
        self.connect()
        rows = self._connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        self._tables = [str(row[0]) for row in rows]

    def connect(self) -> None:
        """Connect, or connect anew to a server that was down."""
        self._connection: psycopg.Connection[tuple[Any, ...]] = postgres.connect(self._site, self._name)
        self._connection.execute("SET session_replication_role = replica")  # neither triggers nor foreign keys

    def save(self, name: str) -> None:
        """Keep the tables as they are now."""
        copies = [f'CREATE TABLE "{name}"."{table}" AS TABLE public."{table}"' for table in self._tables]
        self._run([f'DROP SCHEMA IF EXISTS "{name}" CASCADE', f'CREATE SCHEMA "{name}"', *copies])

    def restore(self, name: str) -> None:
        """Put the tables back as they were then."""
        self._run(
            statement
            for table in self._tables
            for statement in (
                f'DELETE FROM public."{table}"',  # noqa: S608
                f'INSERT INTO public."{table}" SELECT * FROM "{name}"."{table}"',  # noqa: S608
            )
        )

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _run(self, statements: Iterable[str]) -> None:
        self._connection.execute(";".join(("BEGIN", *statements, "COMMIT")).encode())
