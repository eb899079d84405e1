"""The tags by which runs of one promotion or one path are found."""

from uuid import UUID

PROMOTION = "wisqu/promotion"
PATH = "wisqu/path"
ENVIRONMENT = "wisqu/environment"


def promotion_tags(promotion_id: UUID, source: str, target: str) -> dict[str, str]:
    """The tags of a run that works on a promotion."""
    return {PROMOTION: str(promotion_id), PATH: f"{source}->{target}"}
