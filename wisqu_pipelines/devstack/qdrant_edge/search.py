"""The nearest points to a vector, or to another point."""

from typing import Any

import qdrant_edge as engine
from qdrant_client.http import models

from wisqu_pipelines.devstack.qdrant_edge import translate
from wisqu_pipelines.devstack.qdrant_edge.collection import Collection
from wisqu_pipelines.devstack.qdrant_edge.errors import InvalidError, NotFoundError, UnsupportedError

QUERY_MEMBERS = {"query", "filter", "params", "score_threshold", "limit", "offset", "with_vector", "with_payload"}


def search(collection: Collection, asked: models.QueryRequest) -> dict[str, Any]:
    """Answer one query.

    Raises:
        UnsupportedError: it is not for the nearest points to a dense vector or to a point.
        NotFoundError: it is for those near a point that is not there.
        BadRequestError: its vector has another dimension than the collection.
    """
    conditions = translate.optional_filter(asked.filter)
    target = asked.query
    if isinstance(target, models.NearestQuery):
        translate.only(target, {"nearest"})
        target = target.nearest
    if isinstance(target, list):
        vector = translate.dense(target, collection.config.size)
    elif isinstance(target, int | str):
        itself = translate.point_id(target)
        vector = _vector_of(collection, itself)
        others = engine.Filter(must_not=[engine.HasIdCondition({itself})])
        conditions = others if conditions is None else engine.Filter(must=[conditions, others])
    else:
        raise UnsupportedError("a query other than for the nearest points to a dense vector or to a point")
    if asked.offset is not None and asked.offset < 0:
        raise InvalidError(f"offset: value {asked.offset} invalid, must be 0 or larger")
    if asked.params is not None:  # every search is exact, so what tunes an index makes no difference
        translate.only(asked.params, {"exact", "hnsw_ef"})
    found = collection.shard.query(
        engine.QueryRequest(
            limit=translate.limit(asked.limit),
            offset=asked.offset,
            query=engine.Query.Nearest(vector),
            filter=conditions,
            score_threshold=asked.score_threshold,
            with_payload=translate.wanted_payload(asked.with_payload, default=False),
            with_vector=translate.wanted_vector(asked.with_vector),
        )
    )
    return {"points": [translate.scored(each) for each in found]}


def _vector_of(collection: Collection, point: translate.PointId) -> list[float]:
    for found in collection.shard.retrieve([point], with_payload=False, with_vector=True):
        vector = translate.dense_of(found)
        if vector is not None:
            return vector
    raise NotFoundError(f"No point with id {point} found")
