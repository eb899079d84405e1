"""Which histories there are, and which tables each leads to."""

from pathlib import Path
from typing import Literal, get_args

from sqlalchemy import MetaData

from wisqu_pipelines.audit import models as audit_models
from wisqu_pipelines.automation import models as automation_models
from wisqu_pipelines.catalog import models as catalog_models
from wisqu_pipelines.database.base import ControlBase, EnvironmentBase
from wisqu_pipelines.detection import models as detection_models
from wisqu_pipelines.environments import models as environment_models
from wisqu_pipelines.erasure import models as erasure_models
from wisqu_pipelines.holds import models as hold_models
from wisqu_pipelines.identity import models as identity_models
from wisqu_pipelines.notifications import models as notification_models
from wisqu_pipelines.promotion import freeze_models
from wisqu_pipelines.promotion import models as promotion_models
from wisqu_pipelines.retention import models as retention_models

SCRIPTS = Path(__file__).parent
"""The folder of Alembic's `env.py`; each history's revisions lie in the folder that is named like it."""
MODELS = (
    audit_models,
    automation_models,
    catalog_models,
    detection_models,
    erasure_models,
    environment_models,
    identity_models,
    promotion_models,
    freeze_models,
    hold_models,
    notification_models,
    retention_models,
)
"""The modules that declare tables; a table that is declared in none of them is unknown to the migrations."""


History = Literal["control", "environment"]
"""A line of revisions."""
HISTORIES: tuple[History, ...] = get_args(History)


def metadata_of(history: History) -> MetaData:
    """The tables as the models declare them."""
    return ControlBase.metadata if history == "control" else EnvironmentBase.metadata
