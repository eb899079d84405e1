"""Which policy a promotion goes by."""

from wisqu_pipelines.promotion.models import Promotion
from wisqu_pipelines.settings import PathSettings, Settings, path_name


def path_of(settings: Settings, promotion: Promotion) -> PathSettings:
    """The policy of a promotion's path; of a path that is not configured any more, the one that the plan was made
    under. Nothing goes along such a path, but what has begun must come to an end, and what has happened can be taken
    back.

    Raises:
        UnknownEnvironment: one of its ends is not configured any more.
    """
    source, target = promotion.source_environment, promotion.target_environment
    if not is_configured(settings, promotion):
        settings.environment(source)
        settings.environment(target)
        return PathSettings(source=source, target=target, **promotion.policy)
    return settings.path(source, target)


def is_configured(settings: Settings, promotion: Promotion) -> bool:
    """Whether its path still is in the settings."""
    return path_name(promotion.source_environment, promotion.target_environment) in settings.paths
