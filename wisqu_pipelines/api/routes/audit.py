"""The audit: read, exported, verified."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from wisqu_pipelines.api.access import ADMINS, Opened, Who, anywhere, in_environment, route
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import (
    Chain,
    Cursor,
    EnvironmentName,
    Id,
    Keepable,
    Limit,
    Page,
    Reason,
    ReasonText,
    cursor_of,
    position_of,
)
from wisqu_pipelines.audit import reading
from wisqu_pipelines.audit.chain import CONTROL_CHAINS, ENVIRONMENT_CHAINS
from wisqu_pipelines.audit.verification import AuditReport
from wisqu_pipelines.checkpoints.restores import RestoreReport
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput

router = APIRouter(prefix="/v1", tags=["audit"], route_class=IdempotentRoute)
SUPERADMINS = ("superadmin",)


OneDatabase = Annotated[str | None, Query(max_length=255, description="Only of this one.", examples=["stage"])]


class RestoreRequest(BaseModel):
    """Which database was restored, from which backup and why."""

    model_config = ConfigDict(extra="forbid")

    database: Annotated[str, Field(max_length=255, examples=["stage"]), Keepable]
    """An environment's name, or `control`."""
    reason: ReasonText


class ExportFormat(StrEnum):
    """What an export is made of."""

    JSON_LINES = "jsonl"
    CSV = "csv"


@route(router, "GET", "/environments/{environment}/audit/{chain}", in_environment(*ADMINS))
def environment_audit(
    environment: EnvironmentName,
    chain: Chain,
    services: Opened,
    after: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> Page[dict[str, Any]]:
    """The rows of one of an environment's audit tables, oldest first."""
    model = reading.chain_named(chain, ENVIRONMENT_CHAINS)
    return _page(services.environments[environment].database, model, after, limit)


@route(
    router,
    "GET",
    "/environments/{environment}/audit/{chain}/export",
    in_environment(*ADMINS),
    response_class=StreamingResponse,
)
def export_environment_audit(
    environment: EnvironmentName, chain: Chain, services: Opened, kind: Annotated[ExportFormat, Query(alias="format")]
) -> StreamingResponse:
    """All rows of one of an environment's audit tables, as CSV that no spreadsheet runs, or as JSON Lines."""
    model = reading.chain_named(chain, ENVIRONMENT_CHAINS)
    return _export(services.environments[environment].database, model, kind, f"{environment}-{chain}")


@route(router, "GET", "/audit/{chain}", anywhere(*SUPERADMINS))
def control_audit(
    chain: Chain,
    services: Opened,
    after: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> Page[dict[str, Any]]:
    """The rows of the control database's audit table, oldest first: who entered what, and every decision."""
    return _page(services.control, reading.chain_named(chain, CONTROL_CHAINS), after, limit)


@route(router, "GET", "/audit/{chain}/export", anywhere(*SUPERADMINS), response_class=StreamingResponse)
def export_control_audit(
    chain: Chain, services: Opened, kind: Annotated[ExportFormat, Query(alias="format")]
) -> StreamingResponse:
    """All rows of the control database's audit table."""
    return _export(services.control, reading.chain_named(chain, CONTROL_CHAINS), kind, chain)


@route(router, "POST", "/audit/verify", anywhere(*ADMINS))
def verify(services: Opened) -> list[AuditReport]:
    """Read every audit chain from its first row to its last, and say what was changed, if anything was."""
    return list(services.checkpoints.verify())


@route(router, "GET", "/restores", anywhere(*ADMINS))
def restores(services: Opened, database: OneDatabase = None) -> Sequence[RestoreReport]:
    """The databases that were restored from a backup, the newest restore first; also those that wait for a second
    person.
    """
    return services.restores.list(database)


@route(router, "POST", "/restores", anywhere(*ADMINS), 404, status_code=201)
def report_restore(body: RestoreRequest, services: Opened, who: Who) -> RestoreReport:
    """Say that a database was restored from a backup, which has cut off its audit. It counts when a second person has
    confirmed it. It takes a role in that environment; for `control`, superadmin in the last one.
    """
    return services.restores.report(body.database, who.user_id, body.reason)


@route(router, "POST", "/restores/{restore_id}/confirm", anywhere(*ADMINS))
def confirm_restore(restore_id: Id, body: Reason, services: Opened, who: Who) -> RestoreReport:
    """Confirm that a database was restored, as another person has said: its audit is whole again from here on."""
    return services.restores.confirm(restore_id, who.user_id, body.reason)


def _page(database: Database, model: Any, after: str | None, limit: int) -> Page[dict[str, Any]]:
    position = position_of(after, 1)
    try:
        behind = 0 if position is None else int(position[0])
    except ValueError:
        raise BadInput(what="the cursor", reason="it is not one that this API gave out") from None
    with database.snapshot() as session:
        found = reading.page(session, model, min(max(behind, 0), 2**62), limit)
    return Page(items=found, next=cursor_of(int(found[-1]["sequence"])) if len(found) == limit else None)


def _export(database: Database, model: Any, kind: ExportFormat, name: str) -> StreamingResponse:
    def lines() -> Iterator[bytes]:
        with database.snapshot() as session:
            found = reading.rows(session, model)
            yield from reading.as_csv(model, found) if kind is ExportFormat.CSV else reading.as_json_lines(found)

    media_type = "text/csv; charset=utf-8" if kind is ExportFormat.CSV else "application/x-ndjson"
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return StreamingResponse(lines(), media_type=media_type, headers=headers)
