"""What lies in before-images: a rollback would restore it, so nobody takes it away meanwhile."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import PromotionBeforeImage
from wisqu_pipelines.database.bulk import among


def named_in_before_images(session: Session, column: str, values: Collection[str]) -> set[str]:
    """Those of the values that a before-image has in a column."""
    if not values:
        return set()
    named = PromotionBeforeImage.image[column].astext
    return set(session.scalars(select(named).where(among(named, values))))
