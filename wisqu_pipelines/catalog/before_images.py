"""What lies in before-images: a rollback would restore it, so nobody takes it away meanwhile."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import PromotionBeforeImage
from wisqu_pipelines.database.bulk import among


def named_in_before_images(
    session: Session, column: str, values: Collection[str], besides: ColumnElement[bool] | None = None
) -> set[str]:
    """Those of the values that a before-image has in a column, besides the images for which `besides` is true."""
    if not values:
        return set()
    named = PromotionBeforeImage.image[column].astext
    wanted = select(named).where(among(named, values))
    return set(session.scalars(wanted if besides is None else wanted.where(~besides)))
