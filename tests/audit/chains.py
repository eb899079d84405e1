"""Chains for tests: rows with something in every column, and hands that a superuser lays on them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from psycopg import Connection, sql

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.database.session import Database

TABLE = "developer_actions"


def action(**values: Any) -> DeveloperAction:
    filled: dict[str, Any] = {
        "developer_id": uuid4(),
        "environment": "dev",
        "action": "approve_for_promotion",
        "reason": "because",
        "details": {"type": "stored_files", "numbers": [1, 1.5, 1e22], "متن": None},
        "success": True,
        "ip_address": "127.0.0.1",
        "user_agent": "tests",
        "occurred_at": datetime.now(UTC),
    }
    return DeveloperAction(**filled | values)


def append_actions(database: Database, count: int) -> None:
    with database.begin() as session:
        for number in range(1, count + 1):
            append(session, action(reason=f"row {number}"))


def run(connection: Connection, statement: str, *values: Any) -> None:
    connection.execute(sql.SQL(statement.replace("TABLE", TABLE)), values)
