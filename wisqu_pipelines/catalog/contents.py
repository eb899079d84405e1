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
from wisqu_pipelines.ports.progress import Progress, no_progress

POINTS_AT_ONCE, OBJECTS_AT_ONCE = 50_000, 10_000
"""Of one call of a store, which cuts it into requests: far more than a page of a sweep has."""


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
    progress: Progress = no_progress,
) -> tuple[int, int]:
    """Remove vectors and files, in bulk, with the cached searches that may have found them.

    What a rollback would restore stays, but for before-images for which `besides` is true: they go as well. What is
    gone already is no error. `progress` is told how far it is.

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
    of_points, of_objects = (sum(map(len, each.values())) for each in (points, objects))
    done = 0
    for collection, ids in points.items():
        for first in range(0, len(ids), POINTS_AT_ONCE):
            page = ids[first : first + POINTS_AT_ONCE]
            environment.vectors.delete(collection, page)
            done += len(page)
            progress("vectors removed", done, of_points)
        environment.cache.delete_prefix(cached_searches(collection))
    done = 0
    for bucket, names in objects.items():
        for first in range(0, len(names), OBJECTS_AT_ONCE):
            some = names[first : first + OBJECTS_AT_ONCE]
            environment.objects.delete(bucket, some)
            done += len(some)
            progress("files removed", done, of_objects)
    return of_points, of_objects
