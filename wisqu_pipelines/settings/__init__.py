"""The settings: which environments there are, where their stores are, and what may be promoted between them.

Read from `wisqu.toml` (or the file that `WISQU_CONFIG` names), then from what `wisqu up` wrote for the embedded stack,
then from `WISQU_…` variables and the files that `WISQU_…_FILE` variables name; the later source wins. An environment is
an entry in that file and never a name in the code.
"""

from wisqu_pipelines.settings.environments import EnvironmentSettings, RetentionSettings, TestDataSettings
from wisqu_pipelines.settings.names import Declared, declared
from wisqu_pipelines.settings.paths import PathSettings, ScheduleSettings, path_name
from wisqu_pipelines.settings.people import ApiSettings, IdentitySettings, LimitsSettings, OidcSettings, RoleSettings
from wisqu_pipelines.settings.running import (
    AutomationSettings,
    DagsterSettings,
    NotificationSettings,
    NotificationTarget,
    NotificationTemplate,
)
from wisqu_pipelines.settings.sections import Name
from wisqu_pipelines.settings.sources import CONFIG_VARIABLE, DELIMITER, PREFIX, config_file, declaration
from wisqu_pipelines.settings.stores import (
    CacheDatabases,
    CacheSettings,
    DatabaseSettings,
    ObjectStoreSettings,
    StackSettings,
    VectorIndexSettings,
)
from wisqu_pipelines.settings.whole import APPROVALS, Settings, decision_url, load

__all__ = [
    "APPROVALS",
    "CONFIG_VARIABLE",
    "DELIMITER",
    "PREFIX",
    "ApiSettings",
    "AutomationSettings",
    "CacheDatabases",
    "CacheSettings",
    "DagsterSettings",
    "DatabaseSettings",
    "Declared",
    "EnvironmentSettings",
    "IdentitySettings",
    "LimitsSettings",
    "Name",
    "NotificationSettings",
    "NotificationTarget",
    "NotificationTemplate",
    "ObjectStoreSettings",
    "OidcSettings",
    "PathSettings",
    "RetentionSettings",
    "RoleSettings",
    "ScheduleSettings",
    "Settings",
    "StackSettings",
    "TestDataSettings",
    "VectorIndexSettings",
    "config_file",
    "decision_url",
    "declaration",
    "declared",
    "load",
    "path_name",
]
