"""Between qdrant-client's models, which are Qdrant's REST bodies, and the engine's own types."""

from collections.abc import Iterable, Sequence
from struct import pack
from typing import Any, TypeVar, cast
from uuid import UUID

import numpy as np
import orjson
import qdrant_edge as engine
from pydantic import BaseModel, ValidationError
from qdrant_client.http import models

from wisqu_pipelines.devstack.qdrant_edge.errors import BadRequestError, InvalidError, UnsupportedError

PointId = int | UUID | str
Item = TypeVar("Item")
Model = TypeVar("Model", bound=BaseModel)

LARGEST_NUMBER_ID = 2**64 - 1
DEFAULT_LIMIT = 10
POINT_MEMBERS = {"id", "vector", "payload"}
DISTANCES = {
    models.Distance.COSINE: engine.Distance.Cosine,
    models.Distance.DOT: engine.Distance.Dot,
    models.Distance.EUCLID: engine.Distance.Euclid,
    models.Distance.MANHATTAN: engine.Distance.Manhattan,
}
INDEXES = {
    models.PayloadSchemaType.KEYWORD: engine.PayloadSchemaType.Keyword,
    models.PayloadSchemaType.INTEGER: engine.PayloadSchemaType.Integer,
    models.PayloadSchemaType.UUID: engine.PayloadSchemaType.Uuid,
}
INDEXES_SHOWN = {of_engine: of_api for of_api, of_engine in INDEXES.items()}


# Bodies


def decode(body: bytes) -> dict[str, Any]:
    """Read a request's JSON object.

    Raises:
        BadRequestError: it is none.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"Format error in JSON body: {error}") from None
    if not isinstance(document, dict):
        raise BadRequestError("Format error in JSON body: expected an object")
    return document


def read(kind: type[Model], document: dict[str, Any], supported: Iterable[str]) -> Model:
    """Make the model of a request, of which only the `supported` members may be used.

    Raises:
        UnsupportedError: another member is used.
        BadRequestError: it does not validate.
    """
    unknown = sorted(document.keys() - kind.model_fields.keys())
    if unknown:
        raise UnsupportedError(f"`{unknown[0]}` in {kind.__name__}")
    try:
        model = kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadRequestError(f"Format error in JSON body: {place}: {first['msg']}") from None
    only(model, supported)
    return model


def only(model: BaseModel, supported: Iterable[str]) -> None:
    """Check that no members but the `supported` ones say anything.

    Raises:
        UnsupportedError: another member differs from its default.
    """
    for name in sorted(model.model_fields_set - set(supported)):
        if getattr(model, name) not in (None, type(model).model_fields[name].default):
            raise UnsupportedError(f"`{name}` in {type(model).__name__}")


def limit(asked: int | None) -> int:
    """How many results to give.

    Raises:
        InvalidError: it is zero or less.
    """
    if asked is None:
        return DEFAULT_LIMIT
    if asked < 1:
        raise InvalidError(f"limit: value {asked} invalid, must be 1 or larger")
    return asked


# Points


def point_id(given: models.ExtendedPointId) -> PointId:
    """The engine's form of a point's id: an unsigned 64-bit number, or a UUID in a spelling that the engine reads.

    Raises:
        BadRequestError: it is a number outside that range. (The engine refuses what is no UUID.)
    """
    if isinstance(given, int) and not 0 <= given <= LARGEST_NUMBER_ID:
        raise BadRequestError("Format error in JSON body: a point ID is an unsigned integer or a UUID")
    return given


def point_ids(given: Sequence[models.ExtendedPointId]) -> list[PointId]:
    """The engine's form of many ids."""
    return [point_id(each) for each in given]


def shown_id(stored: PointId) -> int | str:
    """A point's id as the REST API writes it."""
    return stored if isinstance(stored, int) else str(stored)


def some(given: list[Item]) -> list[Item]:
    """What a write is for, which must not be nothing.

    Raises:
        BadRequestError: it is.
    """
    if not given:
        raise BadRequestError("Bad request: Empty update request")
    return given


def dense(given: Any, dimension: int) -> list[float]:
    """A single vector of the collection's dimension.

    Raises:
        UnsupportedError: it is named, sparse, a multivector, or something to be embedded.
        BadRequestError: it has another dimension.
    """
    if not isinstance(given, list) or (given and isinstance(given[0], list)):
        raise UnsupportedError("a vector that is not one unnamed dense vector")
    if len(given) != dimension:
        raise BadRequestError(f"Wrong input: Vector dimension error: expected dim: {dimension}, got {len(given)}")
    return given


def points(document: dict[str, Any], dimension: int) -> list[engine.Point]:
    """The points of an upsert, in either of its two forms.

    Raises:
        UnsupportedError: a member beyond ids, vectors and payloads is used.
        BadRequestError: it does not validate.
    """
    if usual := _usual_points(document, dimension):
        return usual
    if "batch" not in document:
        listed = read(models.PointsList, document, {"points"}).points
        return [engine.Point(point_id(each.id), dense(each.vector, dimension), each.payload) for each in some(listed)]
    batch = read(models.PointsBatch, document, {"batch"}).batch
    if not isinstance(batch.vectors, list):
        raise UnsupportedError("named vectors")
    payloads = [None] * len(batch.ids) if batch.payloads is None else batch.payloads
    if not len(batch.ids) == len(batch.vectors) == len(payloads):
        raise BadRequestError(
            f"Wrong input: {len(batch.ids)} ids, {len(batch.vectors)} vectors and {len(payloads)} payloads in a batch"
        )
    return [
        engine.Point(point_id(each), dense(vector, dimension), payload)
        for each, vector, payload in zip(some(batch.ids), batch.vectors, payloads, strict=True)
    ]


def _usual_points(document: dict[str, Any], dimension: int) -> list[engine.Point] | None:
    """The points of an upsert as nearly everybody writes it, without the models, which take longer than the engine;
    None if anything in it is unusual, or wrong.
    """
    listed = document.get("points")
    if len(document) > 1 or not isinstance(listed, list):
        return None
    made = []
    for each in listed:
        if not isinstance(each, dict) or not each.keys() <= POINT_MEMBERS:
            return None
        id_, vector, payload = each.get("id"), each.get("vector"), each.get("payload")
        if not isinstance(id_, str) or not isinstance(payload, dict | None):
            return None
        if not isinstance(vector, list) or len(vector) != dimension or isinstance(vector[0], list):
            return None
        try:
            made.append(engine.Point(id_, vector, payload))
        except (TypeError, ValueError):
            return None
    return made


def dense_of(found: engine.Record | engine.ScoredPoint) -> list[float] | None:
    """The vector that came with a point, if it did. No other kind is ever stored here."""
    return cast("list[float] | None", found.vector)


def record(found: engine.Record) -> dict[str, Any]:
    """A point as the REST API writes it."""
    return _shown({"id": shown_id(found.id)}, found)


def scored(found: engine.ScoredPoint) -> dict[str, Any]:
    """A point with its score, as the REST API writes it."""
    return _shown({"id": shown_id(found.id), "version": found.version, "score": found.score}, found)


def _shown(point: dict[str, Any], found: engine.Record | engine.ScoredPoint) -> dict[str, Any]:
    """A point with what was asked for of it. A vector is single precision, and written with as many digits as that
    needs, as Qdrant does it.
    """
    payload, vector = found.payload, dense_of(found)
    if payload is not None:
        point["payload"] = payload
    if vector is not None:
        point["vector"] = np.frombuffer(pack(f"{len(vector)}f", *vector), np.float32)  # a quarter of `np.array`'s time
    return point


# What to return


def wanted_payload(asked: models.WithPayloadInterface | None, *, default: bool) -> Any:
    """Which payload fields to return: all, none, those listed, or by a selector."""
    if asked is None:
        return default
    if isinstance(asked, models.PayloadSelectorInclude):
        return engine.PayloadSelector.Include(asked.include)
    if isinstance(asked, models.PayloadSelectorExclude):
        return engine.PayloadSelector.Exclude(asked.exclude)
    return asked


def wanted_vector(asked: models.WithVector | None) -> bool:
    """Whether to return vectors.

    Raises:
        UnsupportedError: some are asked for by name.
    """
    if isinstance(asked, list):
        raise UnsupportedError("named vectors")
    return bool(asked)


# Filters


def condition_filter(given: models.Filter) -> engine.Filter:
    """The engine's form of a filter.

    Raises:
        UnsupportedError: it has a condition that this server does not know.
        BadRequestError: a key in it is not a path.
    """
    several = None
    if given.min_should is not None:
        several = engine.MinShould(_conditions(given.min_should.conditions) or [], given.min_should.min_count)
    return engine.Filter(
        must=_conditions(given.must),
        should=_conditions(given.should),
        must_not=_conditions(given.must_not),
        min_should=several,
    )


def optional_filter(given: models.Filter | None) -> engine.Filter | None:
    """The engine's form of a filter that may be absent."""
    return None if given is None else condition_filter(given)


def selection(asked: models.SetPayload | models.DeletePayload) -> tuple[list[PointId], engine.Filter | None]:
    """The points that a change of payload is for: ids, or a filter.

    Raises:
        BadRequestError: none of the two is given, or both are, or no id.
    """
    if (asked.points is None) == (asked.filter is None):
        raise BadRequestError("Format error in JSON body: either list of point ids or filter must be given")
    if asked.points is None:
        return [], optional_filter(asked.filter)
    return point_ids(some(asked.points)), None


def _conditions(given: Any) -> "list[engine.ConditionType] | None":
    if given is None:
        return None
    return [_condition(each) for each in (given if isinstance(given, list) else [given])]


def _condition(given: models.Condition) -> "engine.ConditionType":
    match given:
        case models.FieldCondition():
            only(given, {"key", "match", "range"})
            return engine.FieldCondition(given.key, match=_match(given.match), range=_range(given.range))
        case models.HasIdCondition():
            return engine.HasIdCondition(set(point_ids(given.has_id)))
        case models.IsEmptyCondition():
            return engine.IsEmptyCondition(given.is_empty.key)
        case models.IsNullCondition():
            return engine.IsNullCondition(given.is_null.key)
        case models.Filter():
            return condition_filter(given)
    raise UnsupportedError(f"the condition {type(given).__name__}")


def _match(given: models.Match | None) -> "engine.MatchType | None":
    match given:
        case None:
            return None
        case models.MatchValue(value=bool() as value):
            # The engine takes Python's bool for an integer, which matches no boolean; numpy's it takes for what it is.
            return engine.MatchValue(cast("bool", np.bool_(value)))
        case models.MatchValue():
            return engine.MatchValue(given.value)
        case models.MatchAny():
            return engine.MatchAny(given.any)
        case models.MatchExcept():
            return engine.MatchExcept(given.except_)
    raise UnsupportedError(f"the match {type(given).__name__}")


def _range(given: models.RangeInterface | None) -> "engine.RangeType | None":
    if given is None:
        return None
    if isinstance(given, models.Range):
        return engine.RangeFloat(gte=given.gte, gt=given.gt, lte=given.lte, lt=given.lt)
    raise UnsupportedError(f"the range {type(given).__name__}")
