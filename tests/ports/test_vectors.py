"""What every vector index does."""

import math
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest

from tests.ports.conftest import DIMENSION, Vectors
from wisqu_pipelines.errors import CollectionMismatch, CollectionMissing, StoreFailed
from wisqu_pipelines.ports.vectors import CollectionInfo, Point
from wisqu_pipelines.settings import Settings
from wisqu_pipelines.storage.qdrant import QdrantVectorIndex

PAYLOAD = {
    "environment": "dev",
    "version": "v1",
    "chunk": 7,
    "public": True,
    "text": "سند «فارسی» ‌\u200f😀",
    "score": 0.1,
    "nothing": None,
    "nested": {"list": [1, "two", {"three": []}], "empty": {}},
    "tags": ["a", "b"],
}


def ids(count: int) -> list[UUID]:
    return sorted(uuid4() for _ in range(count))


def upsert(vectors: Vectors, points: dict[UUID, dict[str, object]]) -> None:
    vectors.index.upsert(
        vectors.collection, [Point(each, [1.0, 2.0, 3.0, 4.0], payload) for each, payload in points.items()]
    )


# Collections


def test_a_collection_says_what_it_is_made_for(vectors: Vectors) -> None:
    assert vectors.index.describe(vectors.collection) == CollectionInfo(vectors.collection, DIMENSION, "Cosine")
    assert vectors.index.describe(f"{vectors.collection}_none") is None


def test_collections_are_listed_in_order(vectors: Vectors) -> None:
    for name in ("b", "a"):
        vectors.index.ensure_collection(CollectionInfo(f"{vectors.collection}_{name}", 1, "Dot"))
    listed = [each for each in vectors.index.collections() if each.startswith(vectors.collection)]
    assert listed == [vectors.collection, f"{vectors.collection}_a", f"{vectors.collection}_b"]


def test_ensuring_again_changes_nothing(vectors: Vectors) -> None:
    (known,) = ids(1)
    upsert(vectors, {known: {"environment": "dev"}})
    vectors.index.ensure_collection(
        CollectionInfo(vectors.collection, DIMENSION, "Cosine"), indexed=["environment", "version"]
    )
    assert vectors.index.count(vectors.collection, {"environment": "dev"}) == 1


def test_an_index_is_made_where_there_is_none_yet(qdrant: QdrantVectorIndex, stores: Settings, collection: str) -> None:
    for indexed in (["environment"], ["environment", "version"]):
        qdrant.ensure_collection(CollectionInfo(collection, DIMENSION, "Cosine"), indexed=indexed)
        index = stores.environments["dev"].vector_index
        headers = {"api-key": index.api_key.get_secret_value()}
        found = httpx.get(f"{index.url}/collections/{collection}", headers=headers).json()["result"]
        assert sorted(found["payload_schema"]) == indexed


@pytest.mark.parametrize(("dimension", "distance"), [(DIMENSION + 1, "Cosine"), (DIMENSION, "Dot")])
def test_another_collection_of_that_name_is_refused(vectors: Vectors, dimension: int, distance: str) -> None:
    with pytest.raises(CollectionMismatch, match=f"has dimension 4 and distance Cosine, and dimension {dimension}"):
        vectors.index.ensure_collection(CollectionInfo(vectors.collection, dimension, distance))


def test_everything_about_an_unknown_collection_is_missing(vectors: Vectors) -> None:
    index, name, some = vectors.index, f"{vectors.collection}_none", ids(1)
    acts: list[Callable[[], object]] = [
        lambda: index.upsert(name, [Point(some[0], [1.0] * DIMENSION)]),
        lambda: index.retrieve(name, some),
        lambda: index.retrieve(name, some, vectors=False),
        lambda: index.present(name, some),
        lambda: list(index.scroll(name, {})),
        lambda: list(index.scroll(name, {}, vectors=True)),
        lambda: index.count(name, {}),
        lambda: index.set_payload(name, some, {"a": 1}),
        lambda: index.delete(name, some),
        lambda: index.search(name, [1.0] * DIMENSION, {}, 1),
    ]
    for act in acts:
        with pytest.raises(CollectionMissing, match=name):
            act()


# Points


def test_a_point_comes_back_as_it_is_stored(vectors: Vectors) -> None:
    (known,) = ids(1)
    upsert(vectors, {known: PAYLOAD})
    found = vectors.index.retrieve(vectors.collection, [known, uuid4()])
    assert list(found) == [known]
    assert found[known].payload == PAYLOAD
    length = math.sqrt(30)
    assert found[known].vector == pytest.approx([1 / length, 2 / length, 3 / length, 4 / length], abs=1e-6)


def test_a_stored_vector_is_stored_again_bit_by_bit(vectors: Vectors) -> None:
    """So that what was read can be copied, or put back, and is the same content."""
    name, drawn = f"{vectors.collection}_again", np.random.default_rng(11).normal(size=(200, 384))
    vectors.index.ensure_collection(CollectionInfo(name, 384, "Cosine"))
    written = dict(zip(ids(200), drawn.tolist(), strict=True))
    vectors.index.upsert(name, [Point(each, vector) for each, vector in written.items()])
    stored = vectors.index.retrieve(name, list(written))
    vectors.index.upsert(name, list(stored.values()))
    again = vectors.index.retrieve(name, list(written))
    assert {each: list(point.vector) for each, point in again.items()} == {
        each: list(point.vector) for each, point in stored.items()
    }


@pytest.mark.parametrize("distance", ["Dot", "Euclid", "Manhattan"])
def test_only_cosine_changes_vectors_beyond_single_precision(vectors: Vectors, distance: str) -> None:
    name, (known,) = f"{vectors.collection}_{distance}", ids(1)
    vectors.index.ensure_collection(CollectionInfo(name, 2, distance))
    vectors.index.upsert(name, [Point(known, [0.1, 300.25])])
    assert list(vectors.index.retrieve(name, [known])[known].vector) == pytest.approx([0.1, 300.25], rel=1e-6)


def test_single_precision_keeps_every_bit(vectors: Vectors) -> None:
    name = f"{vectors.collection}_bits"
    vectors.index.ensure_collection(CollectionInfo(name, 256, "Dot"))
    bits = np.random.default_rng(7).integers(0, 2**32, (20, 256), dtype=np.uint32).view(np.float32)
    bits = np.where(np.isfinite(bits), bits, np.float32(0))
    written = dict(zip(ids(20), bits, strict=True))
    for kind in (np.ndarray.tolist, lambda vector: vector):  # a list of floats, and an array
        vectors.index.upsert(name, [Point(each, kind(vector), {}) for each, vector in written.items()])
        scrolled = {point.id: point.vector for point in vectors.index.scroll(name, {}, vectors=True)}
        retrieved = vectors.index.retrieve(name, list(written))
        for each, vector in written.items():
            assert np.asarray(scrolled[each], "<f4").tobytes() == vector.tobytes()
            assert np.asarray(retrieved[each].vector, "<f4").tobytes() == vector.tobytes()
        vectors.index.delete(name, list(written))


def test_what_json_does_not_know_fails_before_it_is_sent(vectors: Vectors) -> None:
    with pytest.raises(StoreFailed):
        upsert(vectors, {uuid4(): {"set": {1, 2}}})
    assert vectors.index.count(vectors.collection, {}) == 0


def test_a_scroll_may_end_early(vectors: Vectors) -> None:
    many = ids(1_300)
    upsert(vectors, {each: {} for each in many})
    for _ in range(3):
        scrolled = vectors.index.scroll(vectors.collection, {})
        assert [next(scrolled).id for _ in range(600)] == many[:600]
        del scrolled


def test_a_vector_without_direction_stays_as_it_is(vectors: Vectors) -> None:
    (known,) = ids(1)
    vectors.index.upsert(vectors.collection, [Point(known, [0.0] * DIMENSION)])
    assert list(vectors.index.retrieve(vectors.collection, [known])[known].vector) == [0.0] * DIMENSION


def test_vectors_come_only_if_asked_for(vectors: Vectors) -> None:
    (known,) = ids(1)
    upsert(vectors, {known: {}})
    assert len(vectors.index.retrieve(vectors.collection, [known], vectors=False)[known].vector) == 0
    assert [len(point.vector) for point in vectors.index.scroll(vectors.collection, {})] == [0]
    assert [len(point.vector) for point in vectors.index.scroll(vectors.collection, {}, vectors=True)] == [DIMENSION]


def test_writing_a_known_id_replaces_the_whole_point(vectors: Vectors) -> None:
    (known,) = ids(1)
    upsert(vectors, {known: {"old": 1, "both": 1}})
    vectors.index.upsert(vectors.collection, [Point(known, [1.0, 0.0, 0.0, 0.0], {"both": 2})])
    found = vectors.index.retrieve(vectors.collection, [known])[known]
    assert found.payload == {"both": 2}
    assert list(found.vector) == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("length", [0, 3, 5])
def test_a_vector_of_another_dimension_refuses_them_all(vectors: Vectors, length: int) -> None:
    points = [Point(each, [1.0] * DIMENSION) for each in ids(600)]
    with pytest.raises(CollectionMismatch, match=vectors.collection):
        vectors.index.upsert(vectors.collection, [*points, Point(uuid4(), [1.0] * length)])
    assert vectors.index.count(vectors.collection, {}) == 0


def test_many_points_are_all_written_read_and_deleted(vectors: Vectors) -> None:
    many = ids(2_345)
    upsert(vectors, {each: {"number": number} for number, each in enumerate(many)})
    assert vectors.index.count(vectors.collection, {}) == len(many)
    found = vectors.index.retrieve(vectors.collection, [*many, *ids(5)])
    assert {each: point.payload["number"] for each, point in found.items()} == {
        each: number for number, each in enumerate(many)
    }
    assert vectors.index.present(vectors.collection, [*many, *ids(5)]) == set(many)
    vectors.index.delete(vectors.collection, [*many[:-1], *ids(5)])
    assert [point.id for point in vectors.index.scroll(vectors.collection, {})] == [many[-1]]


def test_nothing_to_do_is_done(vectors: Vectors) -> None:
    vectors.index.upsert(vectors.collection, [])
    vectors.index.delete(vectors.collection, [])
    vectors.index.set_payload(vectors.collection, [], {"a": 1})
    assert vectors.index.retrieve(vectors.collection, []) == {}
    assert vectors.index.present(vectors.collection, []) == set()


# Payload


def test_setting_fields_leaves_the_others_and_the_vector_alone(vectors: Vectors) -> None:
    changed, other = ids(2)
    upsert(vectors, {changed: {"a": 1, "b": {"c": 2, "d": 3}}, other: {"a": 1}})
    before = vectors.index.retrieve(vectors.collection, [changed])[changed].vector
    vectors.index.set_payload(vectors.collection, [changed], {"b": {"c": 4}, "e": [5]})
    found = vectors.index.retrieve(vectors.collection, [changed, other])
    assert found[changed].payload == {"a": 1, "b": {"c": 4}, "e": [5]}
    assert found[other].payload == {"a": 1}
    assert list(found[changed].vector) == list(before)


def test_setting_fields_of_a_point_that_is_gone_changes_the_rest(vectors: Vectors) -> None:
    there, gone = ids(2)
    upsert(vectors, {there: {"a": 1}})
    vectors.index.set_payload(vectors.collection, [gone, there], {"a": 2})
    assert [(point.id, point.payload) for point in vectors.index.scroll(vectors.collection, {})] == [(there, {"a": 2})]


def test_a_payload_is_shared_with_nobody(vectors: Vectors) -> None:
    (known,) = ids(1)
    payload: dict[str, object] = {"list": [1]}
    upsert(vectors, {known: payload})
    payload["list"] = [2]
    found = vectors.index.retrieve(vectors.collection, [known])[known].payload
    found["list"].append(3)
    assert vectors.index.retrieve(vectors.collection, [known])[known].payload == {"list": [1]}


# Finding


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ({}, 4),
        ({"environment": "dev"}, 2),
        ({"environment": "dev", "chunk": 1}, 1),
        ({"environment": "de"}, 0),
        ({"chunk": 1}, 2),
        ({"public": True}, 1),
        ({"public": False}, 1),
        ({"tags": "b"}, 1),
        ({"none": "x"}, 0),
    ],
)
def test_a_match_names_fields_and_values(vectors: Vectors, match: dict[str, object], found: int) -> None:
    payloads: list[dict[str, object]] = [
        {"environment": "dev", "chunk": 1, "public": True},
        {"environment": "dev", "chunk": 2, "public": False},
        {"environment": "staging:dev", "chunk": 1, "tags": ["a", "b"]},
        {"environment": "stage", "chunk": "1", "public": 1},
    ]
    upsert(vectors, dict(zip(ids(4), payloads, strict=True)))
    assert vectors.index.count(vectors.collection, match) == found
    assert len(list(vectors.index.scroll(vectors.collection, match))) == found
    assert len(vectors.index.search(vectors.collection, [1.0] * DIMENSION, match, 10)) == found


@pytest.mark.parametrize("with_vectors", [False, True])
def test_a_scroll_gives_every_point_once_in_the_order_of_ids(vectors: Vectors, with_vectors: bool) -> None:
    many = ids(1_300)
    upsert(vectors, {each: {"environment": "dev" if number % 2 else "stage"} for number, each in enumerate(many)})
    scrolled = vectors.index.scroll(vectors.collection, {"environment": "dev"}, vectors=with_vectors)
    assert [point.id for point in scrolled] == many[1::2]


@pytest.mark.parametrize(
    ("distance", "scores"),
    [("Cosine", [1.0, math.sqrt(0.5)]), ("Dot", [9.0, 3.0]), ("Euclid", [0.0, 2.0]), ("Manhattan", [0.0, 2.0])],
)
def test_a_search_gives_the_nearest_first(vectors: Vectors, distance: str, scores: list[float]) -> None:
    name, (near, middle, far) = f"{vectors.collection}_{distance}", ids(3)
    vectors.index.ensure_collection(CollectionInfo(name, 2, distance))
    at = {near: [3.0, 0.0], middle: [1.0, 0.0] if distance != "Cosine" else [1.0, 1.0], far: [-9.0, 0.0]}
    vectors.index.upsert(name, [Point(each, vector, {"n": str(each)}) for each, vector in at.items()])
    found = vectors.index.search(name, [3.0, 0.0], {}, 2)
    assert [each.id for each in found] == [near, middle]
    assert [each.score for each in found] == pytest.approx(scores, abs=1e-5)
    assert found[0].payload == {"n": str(near)}


def test_a_search_with_another_dimension_is_refused(vectors: Vectors) -> None:
    upsert(vectors, {uuid4(): {}})
    with pytest.raises(CollectionMismatch, match=vectors.collection):
        vectors.index.search(vectors.collection, [1.0, 2.0], {}, 1)
