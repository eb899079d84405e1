"""Why an approved promotion does not begin."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from wisqu_pipelines.promotion.approvals import valid
from wisqu_pipelines.promotion.freezes import closed_to
from wisqu_pipelines.promotion.models import Promotion
from wisqu_pipelines.promotion.signatures import ApprovalSignatures
from wisqu_pipelines.settings import PathSettings, path_name


def waits_for(
    session: Session,
    promotion: Promotion,
    paths: Mapping[str, PathSettings],
    signatures: ApprovalSignatures,
    now: datetime,
) -> str | None:
    """Why an approved promotion cannot begin now, as a sentence; None if it can."""
    name = path_name(promotion.source_environment, promotion.target_environment)
    path = paths.get(name)
    if path is None:
        return f"{name} is no configured path any more."
    counted = len(valid(session, promotion, path, signatures, now))
    if counted < path.approvals:
        return (
            f"{counted} of its approvals count now and {name} takes {path.approvals}; an approval ends with its time, "
            "and with its giver's role. Make a new preview and have it approved."
        )
    closed = closed_to(session, promotion, path, now)
    return None if closed is None else str(closed)
