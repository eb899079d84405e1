"""What may still be needed although no row names it: before-images that can be restored, and what promotions stage."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    SQLColumnExpression,
    Text,
    Uuid,
    all_,
    any_,
    bindparam,
    cast,
    exists,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from wisqu_pipelines.catalog.models import ListedStore, PromotionBeforeImage, RagDocument, StorageListing, StoredFile
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.metrics import places
from wisqu_pipelines.promotion.models import MOVING, Promotion, PromotionItem, PromotionState
from wisqu_pipelines.settings import Settings

SETTLED = (
    PromotionState.SUCCEEDED,
    PromotionState.REJECTED,
    PromotionState.REFUSED,
    PromotionState.ROLLED_BACK,
)
"""States in which a promotion stages nothing, and never takes up again what it staged. A failed one is not among them:
it may be executed again at any moment, and then takes up what it finds. Nor is one that waits, unless no run has ever
claimed it: a run may have put it back."""
ROLLED_BACK_FROM = (PromotionState.SUCCEEDED, PromotionState.ROLLED_BACK)
"""States in which only its age decides whether a promotion's before-images can still be restored."""
VERSIONS_AT_ONCE = 5_000


def versions_of_promotions(control: Database, environment: str) -> Iterator[Sequence[str]]:
    """The versions under which unsettled promotions into an environment stage, page by page.

    They are made as `PlannedItem.version` makes them.
    """
    wanted = (
        select(PromotionItem.promotion_id, PromotionItem.item_type, PromotionItem.source_id)
        .join(Promotion, Promotion.id == PromotionItem.promotion_id)
        .where(
            Promotion.target_environment == environment,
            Promotion.state.not_in(SETTLED),
            or_(Promotion.state != PromotionState.PLANNED, Promotion.epoch > 0),
            PromotionItem.effect.in_(MOVING),
        )
    )
    with control.begin() as session:
        for page in session.execute(wanted.execution_options(yield_per=VERSIONS_AT_ONCE)).partitions():
            yield [str(uuid5(promotion_id, f"{kind}:{source_id}")) for promotion_id, kind, source_id in page]


def past_rollback(control: Database, settings: Settings, environment: str, now: datetime) -> list[UUID]:
    """The promotions into an environment that can no longer be taken back: what their before-images name is not needed
    for their sake. A rollback that was asked for in time gets the path's `rollback_days` once more.
    """
    too_old = or_(
        *(
            (Promotion.source_environment == path.source)
            & (
                func.greatest(Promotion.finished_at, Promotion.rollback_requested_at)
                < now - timedelta(days=path.rollback_days)
            )
            for path in settings.paths.values()
            if path.target == environment
        ),
        false(),
    )
    wanted = select(Promotion.id).where(
        Promotion.target_environment == environment,
        Promotion.state.in_(ROLLED_BACK_FROM),
        Promotion.finished_at.is_not(None),
        too_old,
    )
    with control.begin() as session:
        return list(session.scalars(wanted))


def under_way(control: Database, environment: str) -> bool:
    """Whether a promotion into the environment, or its rollback, has begun and not ended."""
    running = (PromotionState.EXECUTING, PromotionState.PUBLISHED, PromotionState.ROLLING_BACK)
    wanted = exists().where(Promotion.target_environment == environment, Promotion.state.in_(running))
    with control.begin() as session:
        return bool(session.scalar(select(wanted)))


def listed_version(version: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Whether a promotion may stage under the version, as the listing of a running audit has it."""
    staged = aliased(StorageListing)  # the version is of a row of the same table
    return exists().where(staged.store == ListedStore.STAGED, staged.name == version)


def given_version(versions: Collection[str], version: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Whether the version is one of these."""
    return version == any_(bindparam(None, list(versions), type_=ARRAY(Text)))


def version_in(key: SQLColumnExpression[str]) -> SQLColumnExpression[str]:
    """The version in an object's key: the third part of `{type}/{item}/{version}/{sha256}`."""
    return func.split_part(key, "/", 3)


def needs_object(
    key: SQLColumnExpression[str], bucket: str, expired: Sequence[UUID]
) -> tuple[ColumnElement[bool], ...]:
    """The ways in which this environment's database may need an object; snapshots of metrics and reports are needed
    without any row.

    Args:
        key: The object's key.
        bucket: The base name of its bucket.
        expired: The promotions that can no longer be taken back.
    """
    image = PromotionBeforeImage.image
    return (
        exists().where(StoredFile.bucket == bucket, StoredFile.object_name == key),
        exists().where(image["object_name"].astext == key, image["bucket"].astext == bucket, _restorable(expired)),
        key.regexp_match(places.OURS),
    )


def needs_points(
    version: SQLColumnExpression[str], collection: str, expired: Sequence[UUID]
) -> tuple[ColumnElement[bool], ...]:
    """The ways in which this environment's database may need a version's points.

    Args:
        version: The version, as text.
        collection: The base name of the collection.
        expired: The promotions that can no longer be taken back.
    """
    image = PromotionBeforeImage.image
    return (
        exists().where(RagDocument.collection == collection, cast(RagDocument.vector_version, Text) == version),
        exists().where(
            image["vector_version"].astext == version, image["collection"].astext == collection, _restorable(expired)
        ),
    )


def _restorable(expired: Sequence[UUID]) -> ColumnElement[bool]:
    return PromotionBeforeImage.restored_by.is_(None) & (
        PromotionBeforeImage.promotion_id != all_(bindparam(None, list(expired), type_=ARRAY(Uuid)))
    )
