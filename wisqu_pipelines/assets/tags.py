"""The tags by which runs of one promotion or one path are found."""

from uuid import UUID

PROMOTION = "wisqu/promotion"
PATH = "wisqu/path"
ENVIRONMENT = "wisqu/environment"
PERSON = "wisqu/person"
SWEEP = "wisqu/sweep"
DELIVERY = "wisqu/ci-delivery"
MAX_RUNTIME = "dagster/max_runtime"
"""Seconds after which Dagster's monitoring ends a run of the job; what it was at is gone on with by the next."""
HOUR = 3_600


def promotion_tags(promotion_id: UUID, source: str, target: str, person: str | None = None) -> dict[str, str]:
    """The tags of a run that works on a promotion, which `person` asked for where one is known."""
    asked = {} if person is None else {PERSON: person}
    return {PROMOTION: str(promotion_id), PATH: f"{source}->{target}", **asked}
