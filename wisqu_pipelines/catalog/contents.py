"""Taking the vectors and files of rows out of the stores of an environment."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement

from wisqu_pipelines.catalog.before_images import named_in_before_images
from wisqu_pipelines.catalog.cached import cached_searches
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.environments.stores import Environment


@dataclass(frozen=True, slots=True)
class Vectors:
    """The points of one document."""

    collection: str
    """As rows name it, without the environment's prefix."""
    version: UUID
    count: int


@dataclass(frozen=True, slots=True)
class File:
    """One object."""

    bucket: str
    """As rows name it, without the environment's prefix."""
    object_name: str


def remove(
    environment: Environment,
    vectors: Collection[Vectors],
    files: Collection[File],
    besides: ColumnElement[bool] | None = None,
) -> tuple[int, int]:
    """Remove vectors and files, in bulk, with the cached searches that may have found them.

    What a rollback would restore stays, but for before-images for which `besides` is true: they go as well. What is
    gone already is no error.

    Returns:
        How many points and how many objects went.
    """
    with environment.database.begin() as session:
        kept_versions = named_in_before_images(
            session, "vector_version", {str(each.version) for each in vectors}, besides
        )
        kept_objects = named_in_before_images(session, "object_name", {each.object_name for each in files}, besides)
    points: dict[str, list[UUID]] = defaultdict(list)
    objects: dict[str, list[str]] = defaultdict(list)
    for each in vectors:
        if str(each.version) not in kept_versions:
            points[environment.settings.get_collection_name(each.collection)] += point_ids(each.version, each.count)
    for file in files:
        if file.object_name not in kept_objects:
            objects[environment.settings.get_bucket_name(file.bucket)].append(file.object_name)
    for collection, ids in points.items():
        environment.vectors.delete(collection, ids)
        environment.cache.delete_prefix(cached_searches(collection))
    for bucket, names in objects.items():
        environment.objects.delete(bucket, names)
    return sum(map(len, points.values())), sum(map(len, objects.values()))
